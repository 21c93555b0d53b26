//! The actions as values. Shapes:
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions>

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::texts::Texts;

/// Fields that this reader does not know: name → JSON text, verbatim.
pub type Unknown = BTreeMap<String, Box<RawValue>>;

/// Table properties: name → value.
pub type Configuration = BTreeMap<String, String>;

/// One action of a commit or a checkpoint.
#[derive(Clone, Debug)]
pub enum LogAction {
    /// A logical file that joins the table.
    Add(Add),
    /// A logical file that leaves the table.
    Remove(Remove),
    /// Schema, partitioning and table properties.
    Metadata(Metadata),
    /// Which readers and writers the table needs.
    Protocol(Protocol),
    /// The progress of an application, such as a stream.
    Txn(Txn),
    /// A named piece of configuration of a feature or application.
    DomainMetadata(DomainMetadata),
    /// The origin of the commit: JSON text, verbatim.
    CommitInfo(Box<RawValue>),
    /// A file of the change data feed: JSON text, verbatim.
    Cdc(Box<RawValue>),
    /// Any other action: its name and JSON text. A checkpoint's own `checkpointMetadata` and
    /// `sidecar` are used only while it is read.
    Other(String, Box<RawValue>),
}

impl LogAction {
    /// Returns whether it says that it adds or removes rows.
    pub(crate) fn changes_rows(&self) -> bool {
        match self {
            Self::Add(add) => add.data_change,
            Self::Remove(remove) => remove.data_change,
            _ => false,
        }
    }
}

/// `add`: a live file. Its key is its path with the unique id of its deletion vector.
#[derive(Clone, Debug)]
pub struct Add {
    /// The path as the log spells it: relative or absolute, URI-encoded.
    pub path: String,
    /// Column → value as text; `None` is null.
    pub partition_values: Texts,
    /// The length of the data object in bytes.
    pub size: u64,
    /// A time in milliseconds since 1970.
    pub modification_time: i64,
    /// False when the rows are the same as before.
    pub data_change: bool,
    /// Statistics as JSON text, verbatim.
    pub stats: Option<String>,
    pub tags: Option<Texts>,
    /// The rows of the data object that are deleted.
    pub deletion_vector: Option<Box<DeletionVector>>,
    /// The row id of the file's first row.
    pub base_row_id: Option<i64>,
    /// The version in which the rows were added.
    pub default_row_commit_version: Option<i64>,
    /// The implementation that clustered the file.
    pub clustering_provider: Option<String>,
    pub unknown: Unknown,
}

/// `remove`: the tombstone of a file that left.
#[derive(Clone, Debug)]
pub struct Remove {
    /// The path as the log spells it.
    pub path: String,
    /// A time in milliseconds since 1970.
    pub deletion_timestamp: Option<i64>,
    /// False when the rows are the same as before.
    pub data_change: bool,
    /// True when the next three fields are there.
    pub extended_file_metadata: Option<bool>,
    /// Column → value as text.
    pub partition_values: Option<Texts>,
    /// The length of the data object in bytes.
    pub size: Option<u64>,
    /// Statistics as JSON text.
    pub stats: Option<String>,
    pub tags: Option<Texts>,
    /// The removed file's deletion vector: part of its key.
    pub deletion_vector: Option<Box<DeletionVector>>,
    /// The row id of the file's first row.
    pub base_row_id: Option<i64>,
    /// The version in which the rows were added.
    pub default_row_commit_version: Option<i64>,
    pub unknown: Unknown,
}

/// A deletion vector's descriptor, verbatim.
#[derive(Clone, Debug)]
pub struct DeletionVector {
    /// `u` (file beside the table), `i` (inline) or `p` (absolute path).
    pub storage_type: String,
    /// Prefix and Z85 id, inline bytes, or path.
    pub path_or_inline: String,
    /// The vector's offset in the file; an absent one and 0 differ.
    pub offset: Option<i32>,
    /// The length of the vector itself in bytes.
    pub size_in_bytes: i32,
    /// The number of deleted rows.
    pub cardinality: i64,
    pub unknown: Unknown,
}

#[derive(Clone, Debug)]
pub struct Metadata {
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    /// `format`: JSON text, verbatim.
    pub format: Box<RawValue>,
    /// The schema as JSON text.
    pub schema_string: String,
    /// The partition columns, in order.
    pub partition_columns: Vec<String>,
    /// A time in milliseconds since 1970.
    pub created_time: Option<i64>,
    pub configuration: Configuration,
    pub unknown: Unknown,
}

/// `protocol`: which readers and writers the table needs.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The reader version: 1, 2 or 3.
    pub min_reader_version: u32,
    /// The writer version: 1 to 7.
    pub min_writer_version: u32,
    /// The features for readers, with reader version 3.
    pub reader_features: Option<Vec<String>>,
    /// The features for writers, with writer version 7.
    pub writer_features: Option<Vec<String>>,
    pub unknown: Unknown,
}

#[derive(Clone, Debug)]
pub struct Txn {
    /// The name of the application.
    pub app_id: String,
    /// The progress of the application, in its own numbers.
    pub version: i64,
    /// A time in milliseconds since 1970.
    pub last_updated: Option<i64>,
    pub unknown: Unknown,
}

#[derive(Clone, Debug)]
pub struct DomainMetadata {
    pub domain: String,
    /// The configuration as text, JSON as a rule.
    pub configuration: String,
    /// True for a tombstone.
    pub removed: bool,
    pub unknown: Unknown,
}
