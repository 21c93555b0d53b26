//! The name of a replication, by which everything outside knows it.

use std::fmt;
use std::str::FromStr;

use crate::limits::REPLICATION_NAME_BYTES_MAX;

/// Up to 63 small letters, digits and hyphens; the first one is no hyphen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicationName(String);

/// A text that is not the name of a replication.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a name: write 1 to {REPLICATION_NAME_BYTES_MAX} of a to z, 0 to 9 and -, and \
     no - at the beginning"
)]
pub struct ReplicationNameError {
    text: String,
}

impl ReplicationName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReplicationName {
    type Err = ReplicationNameError;

    fn from_str(text: &str) -> Result<Self, ReplicationNameError> {
        let is_known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_name = (1..=REPLICATION_NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(is_known)
            && !text.starts_with('-');
        let error = || ReplicationNameError { text: text.to_owned() };
        is_name.then(|| Self(text.to_owned())).ok_or_else(error)
    }
}

impl fmt::Display for ReplicationName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_small_letters_digits_and_hyphens() {
        let longest = "a".repeat(63);
        for text in ["a", "0", "orders-dr", "a--b-", longest.as_str()] {
            let name: ReplicationName = text.parse().unwrap();
            assert_eq!((name.as_str(), name.to_string().as_str()), (text, text));
        }
        for text in ["", "-a", "Orders", "a_b", "a b", "a.b", "é", "a/b", &"a".repeat(64)] {
            assert!(text.parse::<ReplicationName>().is_err(), "{text:?}");
        }
        let error = "Orders".parse::<ReplicationName>().unwrap_err().to_string();
        let want = "\"Orders\" is not a name: write 1 to 63 of a to z, 0 to 9 and -, and no - at \
                    the beginning";
        assert_eq!(error, want);
    }
}
