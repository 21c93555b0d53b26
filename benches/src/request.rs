//! What a request asks for, as its head says it.

use std::collections::BTreeMap;
use std::ops::Range;

use http::header::{CONTENT_LENGTH, EXPECT, IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, Method, request};
use percent_encoding::percent_decode_str;

use crate::objects::Condition;
use crate::refused::Refused;

/// The head of a request, with its words decoded.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Empty for the root.
    pub(crate) bucket: String,
    /// Empty for the bucket itself.
    pub(crate) key: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
}

impl Call {
    pub(crate) fn of(head: request::Parts) -> Self {
        let path = head.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let pairs = head.uri.query().unwrap_or_default().split('&');
        let query = pairs
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)));
        Self {
            bucket: decode(bucket),
            key: decode(key),
            query: query.collect(),
            method: head.method,
            headers: head.headers,
        }
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The method, and whether it is of a table's data or of its log. A listing is a `LIST`.
    pub(crate) fn kind(&self) -> String {
        let lists = self.method == Method::GET && self.key.is_empty();
        let method = if lists { "LIST" } else { self.method.as_str() };
        let prefix = self.query("prefix").unwrap_or_default();
        let is_log = [&self.key, prefix]
            .iter()
            .any(|text| text.contains("_delta_log") || text.contains("_deepclone"));
        format!("{method} {}", if is_log { "log" } else { "data" })
    }

    pub(crate) fn content_length(&self) -> u64 {
        self.header(CONTENT_LENGTH.as_str())
            .and_then(|length| length.parse().ok())
            .unwrap_or_default()
    }

    /// Whether the request or its answer has a body.
    pub(crate) fn has_body(&self) -> bool {
        self.method == Method::GET || self.content_length() > 0
    }

    /// Whether the client sends its body only when it is told to.
    pub(crate) fn waits_to_send(&self) -> bool {
        self.headers.contains_key(EXPECT)
    }

    pub(crate) fn condition(&self) -> Condition {
        match (self.header(IF_NONE_MATCH.as_str()), self.header(IF_MATCH.as_str())) {
            (Some(_), _) => Condition::Absent,
            (None, Some(etag)) => Condition::Matches(etag.to_owned()),
            (None, None) => Condition::Any,
        }
    }

    /// The range that is wanted of an object of this length; `None` for all of it.
    pub(crate) fn range(&self, length: u64) -> Result<Option<Range<u64>>, Refused> {
        let Some(wanted) = self.header(RANGE.as_str()) else { return Ok(None) };
        let wanted = wanted.strip_prefix("bytes=").and_then(|wanted| wanted.split_once('-'));
        let (first, last) = wanted.ok_or(Refused::InvalidRange)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| Refused::InvalidRange);
        let range = match (first, last) {
            ("", last) => length.saturating_sub(number(last)?)..length,
            (first, "") => number(first)?..length,
            (first, last) => number(first)?..number(last)?.saturating_add(1).min(length),
        };
        if range.is_empty() { Err(Refused::InvalidRange) } else { Ok(Some(range)) }
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
