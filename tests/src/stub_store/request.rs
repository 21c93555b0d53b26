//! What a request asks for, and what is remembered of it.

use std::collections::BTreeMap;

use super::wire::RequestHead;

/// The requests of S3 that the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Get,
    Head,
    /// The write of a whole object.
    Put,
    Delete,
    DeleteMany,
    List,
    ListUploads,
    CreateUpload,
    PutPart,
    Complete,
    Abort,
    /// A copy by the JSON API of Google Cloud Storage; its source is in the query as `from`.
    Rewrite,
    Unknown,
}

/// A request that the store got, whole or as far as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub kind: Kind,
    /// The decoded key; empty for a request for the bucket.
    pub key: String,
    pub query: BTreeMap<String, String>,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// When the request came, counted from the store's start.
    pub at: std::time::Duration,
}

/// A request's place and kind.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
}

impl Request {
    pub(super) fn of(head: &RequestHead) -> Self {
        let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
        let path = path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query: BTreeMap<String, String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        if let Some(rewrite) = Self::rewrite(&head.method, path, &query) {
            return rewrite;
        }
        let has = |name: &str| query.contains_key(name);
        let kind = match (head.method.as_str(), key.is_empty()) {
            ("GET", true) if has("list-type") || has("comp") => Kind::List,
            ("GET", true) if has("uploads") => Kind::ListUploads,
            ("POST", true) if has("delete") => Kind::DeleteMany,
            ("GET", false) => Kind::Get,
            ("HEAD", false) => Kind::Head,
            ("PUT", false) if has("uploadId") => Kind::PutPart,
            ("PUT", false) => Kind::Put,
            ("POST", false) if has("uploads") => Kind::CreateUpload,
            ("POST", false) if has("uploadId") => Kind::Complete,
            ("DELETE", false) if has("uploadId") => Kind::Abort,
            ("DELETE", false) => Kind::Delete,
            _ => Kind::Unknown,
        };
        Self { kind, bucket: decoded(bucket), key: decoded(key), query }
    }

    fn rewrite(method: &str, path: &str, query: &BTreeMap<String, String>) -> Option<Self> {
        let (from, to) = path.strip_prefix("storage/v1/b/")?.split_once("/rewriteTo/b/")?;
        let ((of, from), (bucket, key)) = (from.split_once("/o/")?, to.split_once("/o/")?);
        let mut query = query.clone();
        query.insert("fromBucket".to_owned(), decoded(of));
        query.insert("from".to_owned(), decoded(from));
        let (bucket, key, kind) = (decoded(bucket), decoded(key), Kind::Rewrite);
        (method == "POST").then_some(Self { kind, bucket, key, query })
    }

    /// True for a question for a page of a listing in Azure's words.
    pub(super) fn is_of_azure(&self) -> bool {
        self.query.contains_key("comp")
    }

    pub(super) fn asked(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Resolves the escapes of a URI.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
