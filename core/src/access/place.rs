//! A place: a connection, or a folder below its root.

use std::fmt;
use std::str::FromStr;

/// A connection, or a folder below its root, written `lake` or `lake/sales`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessPlace {
    connection: String,
    /// The folders from the root on; none for the whole connection.
    folders: Vec<String>,
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place: write the name of a connection, and a folder of it, as in lake/sales")]
pub struct AccessPlaceError(String);

impl AccessPlace {
    /// Returns whether the table at `path` below the root of `connection` lies in this place. A
    /// path that leads out of a folder lies in no place.
    #[must_use]
    pub fn holds(&self, connection: &str, path: &str) -> bool {
        let Some(folders) = folders(path) else { return false };
        self.is_of(connection) && folders.starts_with(&self.folders)
    }

    /// Returns whether this is a place of `connection`.
    pub(super) fn is_of(&self, connection: &str) -> bool {
        self.connection == connection
    }
}

/// Splits a path; `None` for one that leads out of a folder.
fn folders(path: &str) -> Option<Vec<String>> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(|part| (part != "." && part != "..").then(|| part.to_owned())).collect()
}

impl fmt::Display for AccessPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.connection)?;
        self.folders.iter().try_for_each(|folder| write!(f, "/{folder}"))
    }
}

impl FromStr for AccessPlace {
    type Err = AccessPlaceError;

    fn from_str(text: &str) -> Result<Self, AccessPlaceError> {
        let (connection, path) = text.split_once('/').unwrap_or((text, ""));
        match folders(path) {
            Some(folders) if !connection.is_empty() => {
                Ok(Self { connection: connection.to_owned(), folders })
            }
            _ => Err(AccessPlaceError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_holds_what_lies_in_its_folder() {
        for (place, connection, path, holds) in [
            ("lake", "lake", "", true),
            ("lake", "lake", "sales/orders", true),
            ("lake", "lakes", "sales", false),
            ("lake/sales", "lake", "sales", true),
            ("lake/sales/", "lake", "sales/orders", true),
            ("lake/sales", "lake", "/sales//orders", true),
            ("lake/sales", "lake", "", false),
            ("lake/sales", "lake", "salesforce", false),
            ("lake/sales", "lake", "Sales", false),
            ("lake/sales", "lake", "hr/sales", false),
            ("lake/sales", "lake", "sales/../hr", false),
            ("lake/sales", "lake", "sales/./orders", false),
            ("lake/sales", "other", "sales", false),
            ("lake/sales/eu", "lake", "sales/us", false),
        ] {
            let parsed: AccessPlace = place.parse().unwrap();
            assert_eq!(parsed.holds(connection, path), holds, "{place}: {connection} {path}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for text in ["", "/sales", "lake/..", "lake/./a"] {
            assert!(text.parse::<AccessPlace>().is_err(), "{text}");
        }
    }
}
