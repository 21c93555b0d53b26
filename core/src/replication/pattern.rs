//! Patterns of tables: paths below the root of a connection.

use std::fmt;
use std::str::FromStr;

use crate::limits::TABLE_PATTERN_BYTES_MAX;

/// A path such as `sales/orders`, or one with wildcards: `*` stands for any text within one part
/// between two slashes, `?` for one character there, `**` as a whole part for any number of parts;
/// at the end, for one or more. So `sales/**` is everything below `sales`. Letters count by their
/// case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TablePattern {
    text: String,
}

/// Why a text is not a pattern of tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TablePatternError {
    #[error("it is empty: write a table such as sales/orders, or a pattern such as sales/**")]
    Empty,
    #[error("{0:?} is longer than {TABLE_PATTERN_BYTES_MAX} bytes")]
    TooLong(String),
    #[error("{0:?} is a URI: write the path below the root of the connection")]
    Uri(String),
    #[error("{0:?} has an empty part: write no slash at the beginning or end, and no two in a row")]
    EmptyPart(String),
    #[error("{0:?} has a part that leads to another folder: write no . and no ..")]
    Relative(String),
    #[error("{0:?} has ** beside other letters: it stands for whole parts, as in sales/**")]
    Stars(String),
    #[error("{0:?} has one of [ ] {{ }} \\: write ? or * in its place")]
    Reserved(String),
    #[error("{0:?} has a control character")]
    Control(String),
}

const ANY_PARTS: &str = "**";
const WILDCARDS: [char; 2] = ['*', '?'];
/// What other patterns give a meaning to: whoever writes it expects one here.
const RESERVED: [char; 5] = ['[', ']', '{', '}', '\\'];

impl TablePattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names one table and no other.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.text.contains(WILDCARDS)
    }

    /// The folder above whatever it means: its first parts without a wildcard. Empty: the root.
    #[must_use]
    pub fn folder(&self) -> &str {
        let wildcard = self.text.find(WILDCARDS).unwrap_or(self.text.len());
        self.text[..wildcard].rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Whether a table at this path, without a slash at either end, is meant.
    #[must_use]
    pub fn matches(&self, table: &str) -> bool {
        let mut pattern: Vec<&str> = self.text.split('/').collect();
        if pattern.last() == Some(&ANY_PARTS) {
            // One part at least: a folder is not below itself.
            pattern.push("*");
        }
        let parts: Vec<&str> = table.split('/').collect();
        is_match(&pattern, &parts, |part| *part == ANY_PARTS, |part, text| is_part(part, text))
    }
}

/// Whether one part of a path is meant by one part of a pattern.
fn is_part(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    is_match(&pattern, &text, |letter| *letter == '*', |one, other| *one == '?' || one == other)
}

/// Whether the items are those of a pattern, in which a wildcard stands for any number of items.
/// Only the newest wildcard is ever extended: what an earlier one would take, this one can.
fn is_match<T>(
    pattern: &[T],
    items: &[T],
    is_wildcard: impl Fn(&T) -> bool,
    is_same: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut retry = None;
    while item < items.len() {
        match pattern.get(at) {
            Some(wildcard) if is_wildcard(wildcard) => {
                at += 1;
                retry = Some((at, item));
            }
            Some(one) if is_same(one, &items[item]) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((after, from)) = &mut retry else { return false };
                *from += 1;
                (at, item) = (*after, *from);
            }
        }
    }
    pattern[at..].iter().all(is_wildcard)
}

impl FromStr for TablePattern {
    type Err = TablePatternError;

    fn from_str(text: &str) -> Result<Self, TablePatternError> {
        use TablePatternError as Error;
        let owned = || text.to_owned();
        let mut parts = text.split('/');
        match text {
            "" => Err(Error::Empty),
            _ if text.len() > TABLE_PATTERN_BYTES_MAX => Err(Error::TooLong(owned())),
            _ if text.contains("://") => Err(Error::Uri(owned())),
            _ if text.chars().any(char::is_control) => Err(Error::Control(owned())),
            _ if text.contains(RESERVED) => Err(Error::Reserved(owned())),
            _ if parts.clone().any(str::is_empty) => Err(Error::EmptyPart(owned())),
            _ if parts.clone().any(|part| part == "." || part == "..") => {
                Err(Error::Relative(owned()))
            }
            _ if parts.any(|part| part != ANY_PARTS && part.contains(ANY_PARTS)) => {
                Err(Error::Stars(owned()))
            }
            _ => Ok(Self { text: owned() }),
        }
    }
}

impl fmt::Display for TablePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_tables() {
        let cases = [
            ("sales/orders", "sales/orders", true),
            ("sales/orders", "sales/orders/2026", false),
            ("sales/orders", "Sales/orders", false),
            ("sales/*", "sales/orders", true),
            ("sales/*", "sales/eu/orders", false),
            ("sales/*", "sales", false),
            ("sales/**", "sales/orders", true),
            ("sales/**", "sales/eu/orders", true),
            ("sales/**", "sales", false),
            ("sales/**", "salesman/orders", false),
            ("**", "orders", true),
            ("**", "sales/eu/orders", true),
            ("*", "orders", true),
            ("*", "sales/orders", false),
            ("**/orders", "orders", true),
            ("**/orders", "sales/eu/orders", true),
            ("**/orders", "sales/eu/reorders", false),
            ("**/tmp_*", "sales/tmp_1", true),
            ("**/tmp_*", "sales/tmp_", true),
            ("**/tmp_*", "tmp_1/orders", false),
            ("sales/**/o*s/v*", "sales/o/os/ovens/v1", true),
            ("sales/**/o*s/v*", "sales/v1", false),
            ("a/**/b/**/c", "a/b/b/x/c/c", true),
            ("a/**/b/**/c", "a/c/b", false),
            ("**/**", "a", true),
            ("**/a/**", "a/a", true),
            ("*a*b*", "xaxxbx", true),
            ("*a*b*", "xbxxax", false),
            ("*é", "café", true),
            ("caf?", "café", true),
            ("caf?", "caf", false),
            ("a?b", "a/b", false),
        ];
        for (pattern, table, want) in cases {
            let pattern: TablePattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(table), want, "{pattern} {table}");
        }
    }

    #[test]
    fn a_pattern_has_a_folder_above_what_it_means() {
        let cases = [
            ("sales/eu/**", "sales/eu"),
            ("sales/e*/orders", "sales"),
            ("sales/orders", "sales"),
            ("orders", ""),
            ("o?ders", ""),
            ("**", ""),
        ];
        for (pattern, folder) in cases {
            assert_eq!(pattern.parse::<TablePattern>().unwrap().folder(), folder, "{pattern}");
        }
    }

    #[test]
    fn many_wildcards_are_matched_in_little_time() {
        let pattern: TablePattern = format!("{}b", "**/*a*/".repeat(100)).parse().unwrap();
        assert!(!pattern.matches(&vec!["aaaaaaaaaa"; 400].join("/")));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        assert!("a".repeat(1_024).parse::<TablePattern>().is_ok());
        let long = "a".repeat(1_025);
        let cases = [
            ("", "it is empty"),
            (long.as_str(), "is longer than 1024 bytes"),
            ("s3://lake/sales", "is a URI: write the path below the root"),
            ("/sales", "has an empty part"),
            ("sales/", "has an empty part"),
            ("a//b", "has an empty part"),
            ("../a", "has a part that leads to another folder"),
            ("a/./b", "has a part that leads to another folder"),
            ("sales/a**", "has ** beside other letters"),
            ("a\nb", "has a control character"),
            ("a/{b,c}", "has one of [ ] { } \\: write ? or * in its place"),
            ("a/{b,c}", "has one of [ ] { } \\: write ? or * in its place"),
        ];
        for (text, want) in cases {
            let error = text.parse::<TablePattern>().unwrap_err().to_string();
            assert!(error.contains(want), "{text:?}: {error}");
        }
    }
}
