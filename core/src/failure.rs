//! An error as it leaves the system: what went wrong, which object or field, what to do.

use std::collections::BTreeMap;
use std::fmt;

use crate::reason::Reason;

/// A final failure. The message is one line, lower case, without secrets.
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
    /// Returns a failure without details.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: BTreeMap::new() }
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
}
