//! A span of a trace, once it is over.

use deepclone_core::trace::{SpanId, TraceContext};
use deepclone_core::unix_time::UnixTime;

/// Something that began and ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedSpan {
    /// Its trace, and its own id.
    pub context: TraceContext,
    /// The span that it is a part of; `None` for the whole of a trace.
    pub parent: Option<SpanId>,
    /// Few names exist, so that they can be counted by.
    pub name: &'static str,
    pub role: SpanRole,
    pub began: UnixTime,
    /// Not before it began, also where a clock was set back.
    pub ended: UnixTime,
    pub attributes: Vec<(&'static str, SpanValue)>,
    pub events: Vec<SpanEvent>,
    /// What went wrong; `None` for a span that ended well.
    pub error: Option<String>,
}

/// What a process does in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanRole {
    /// Works, and neither waits for another process nor works for one.
    Internal,
    /// Waits for another process.
    Client,
    /// Works for another process, which tells of the parent.
    Server,
}

/// Something that happened within a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    pub name: &'static str,
    pub at: UnixTime,
    pub attributes: Vec<(&'static str, SpanValue)>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum SpanValue {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for SpanValue {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for SpanValue {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<usize> for SpanValue {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for SpanValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
