//! A table as a connection resolves and opens it, and a connection as a worker announces it.

use std::fmt;

use crate::local_folder::LocalFolder;
use crate::store::large::Writes;
use crate::store::table::TableStore;

/// A table by its connection. A task carries all of it but the URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name of the connection.
    pub connection: String,
    /// The fingerprint of its settings.
    pub fingerprint: [u8; 32],
    /// The table's path below the connection's root, decoded; empty for the root itself.
    pub root: String,
    /// The table's URI in its canonical form, so that one table has one URI.
    pub uri: String,
}

/// A connection as a worker announces it to the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The name of the connection.
    pub name: String,
    /// The fingerprint of its settings.
    pub fingerprint: [u8; 32],
    /// True with the role `source`.
    pub can_read: bool,
    /// True with the role `target`.
    pub can_write: bool,
}

/// What became of the connections of a file that was read again, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Names that were not there before.
    pub added: Vec<String>,
    /// Names that were there before, with other settings or another secret.
    pub changed: Vec<String>,
    /// Names that are not there any more.
    pub removed: Vec<String>,
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, changed, removed } = self;
        let all = [("added", added), ("changed", changed), ("removed", removed)];
        let mut separator = "";
        for (what, names) in all.into_iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "{separator}{what}: {}", names.join(", "))?;
            separator = "; ";
        }
        if separator.is_empty() { f.write_str("none changed") } else { Ok(()) }
    }
}

/// A table's folder as a worker opens it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The store and the folder in it.
    pub table: TableStore,
    /// Where objects are written to.
    pub writes: Writes,
}

impl Opened {
    /// Returns the folder on this machine's disk; `None` for an object store.
    #[must_use]
    pub fn folder(&self) -> Option<&LocalFolder> {
        match &self.writes {
            Writes::Folder(folder) => Some(folder),
            Writes::Store(_) => None,
        }
    }
}
