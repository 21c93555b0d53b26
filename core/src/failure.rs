//! An error as it leaves the system: what went wrong, which object or field, what to do.

use std::collections::BTreeMap;
use std::fmt;

use crate::limits::FAILURE_LINE_BYTES_MAX;
use crate::reason::Reason;
use crate::visible::{cut, one_line};

/// A final failure. The message is one line, lower case, without secrets. What it quotes may come
/// from anybody: characters that cannot be seen are escaped, and a long message is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code and the gRPC code.
    pub reason: Reason,
    /// One line for people: what is wrong, of which object or field, and what to do.
    pub message: String,
    /// The same for programs, such as `key` or `feature`.
    pub details: BTreeMap<String, String>,
}

impl Failure {
    /// Returns a failure without details. Makes one line of the message.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let line = cut(one_line(&message), FAILURE_LINE_BYTES_MAX).into_owned();
        Self { reason, message: line, details: BTreeMap::new() }
    }

    /// Returns the same failure with one more detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_message_alone() {
        let failure = Failure::new(Reason::DamagedLog, "3.json is cut").with("file", "3.json");
        assert_eq!(failure.to_string(), "3.json is cut");
        assert_eq!(failure.details["file"], "3.json");
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length_and_hides_nothing() {
        for (given, shown) in [
            ("two\nlines\tand more", "two lines and more"),
            ("a \u{1b}[2J b\u{202e}c", "a \\u{1b}[2J b\\u{202e}c"),
        ] {
            assert_eq!(Failure::new(Reason::DamagedLog, given).message, shown);
        }
        let long = Failure::new(Reason::DamagedLog, "é".repeat(100_000));
        assert!((8 << 10) - 3 <= long.message.len() && long.message.len() <= 8 << 10);
        assert!(long.message.ends_with('…'));
    }
}
