//! The id of a request: it leads from what a caller was told to the lines of a coordinator's log.
//!
//! A caller may send one in the metadata [`HEADER`]; a coordinator makes one for a call without,
//! or with one that it would not log. Either way it is in the metadata of the answer, in the log
//! and in the record of changes.

use std::fmt;
use std::str::FromStr;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The metadata that holds the id.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of an id: that of a UUID and a prefix, or a trace of other systems.
const LENGTH_MAX: usize = 64;

/// Letters, digits, `-`, `_`, `.` and `:`; 1 to 64 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Makes a new one, by the time and by chance.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// Returns the id in the metadata of a request or an answer; `None` without a valid one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers.get(HEADER)?.to_str().ok()?.parse().ok()
    }

    /// Returns it as the metadata's value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        // Its characters are those of a header.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let is_of_id = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        match (1..=LENGTH_MAX).contains(&text.len()) && text.chars().all(is_of_id) {
            true => Ok(Self(text.to_owned())),
            false => Err(Failure::new(
                Reason::InvalidArgument,
                format!(
                    "a request id has 1 to {LENGTH_MAX} letters, digits, `-`, `_`, `.` and `:`"
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_of_harmless_characters() {
        let longest = "a".repeat(LENGTH_MAX);
        for (text, is_valid) in [
            ("0192f0c1-7d5e-7c3a-9c1e-3b0a6d1f2e4c", true),
            ("airflow:dag_7.run-2", true),
            ("x", true),
            (longest.as_str(), true),
            (&format!("{longest}a"), false),
            ("", false),
            ("a b", false),
            ("a\nb", false),
            ("a\"b", false),
            ("\u{1b}[31m", false),
            ("é", false),
        ] {
            assert_eq!(text.parse::<RequestId>().is_ok(), is_valid, "{text:?}");
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                headers.insert(HEADER, value);
            }
            let found = RequestId::of(&headers).map(|id| id.header());
            assert_eq!(found.as_ref().map(|id| id.as_bytes()), is_valid.then_some(text.as_bytes()));
        }
        assert_eq!(RequestId::of(&HeaderMap::new()), None);
        let (one, other) = (RequestId::new(), RequestId::new());
        assert_ne!(one, other);
        assert_eq!(one.as_str().parse(), Ok(one));
    }
}
