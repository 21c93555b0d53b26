//! A table as a connection finds and opens it, and what a worker says of its connections.

use crate::local_folder::LocalFolder;
use crate::store::table::TableStore;

/// A table's place: what a task carries of it (all but the URI).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The connection's name.
    pub connection: String,
    /// The fingerprint of its settings.
    pub fingerprint: [u8; 32],
    /// The table's path below the connection's root, decoded; empty: the root itself.
    pub root: String,
    /// The table's URI in its canonical form: one table, one URI.
    pub uri: String,
}

/// What a worker tells the coordinator of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The connection's name.
    pub name: String,
    /// The fingerprint of its settings.
    pub fingerprint: [u8; 32],
    /// It has the role `source`.
    pub can_read: bool,
    /// It has the role `target`.
    pub can_write: bool,
}

/// A table's folder as a worker opens it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The store and the folder in it.
    pub table: TableStore,
    /// The folder on this machine's disk, for files.
    pub directory: Option<LocalFolder>,
}
