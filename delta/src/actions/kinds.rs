//! The actions as values. Shapes:
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions>

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Fields that this reader does not know: name → JSON text, verbatim.
pub type Unknown = BTreeMap<String, Box<RawValue>>;

/// Table properties: name → value.
pub type Configuration = BTreeMap<String, String>;

/// One action of a commit or a checkpoint.
#[derive(Clone, Debug)]
pub enum LogAction {
    /// A logical file joins the table.
    Add(Add),
    /// A logical file leaves the table.
    Remove(Remove),
    /// Schema, partitioning, properties.
    Metadata(Metadata),
    /// Which readers and writers the table needs.
    Protocol(Protocol),
    /// An application's progress.
    Txn(Txn),
    /// A named piece of configuration.
    DomainMetadata(DomainMetadata),
    /// Where the commit came from: JSON text, verbatim.
    CommitInfo(Box<RawValue>),
    /// A change file.
    Cdc(Box<RawValue>),
    /// Anything else: its name and JSON text (a checkpoint's own `checkpointMetadata` and
    /// `sidecar` go no further than the checkpoint).
    Other(String, Box<RawValue>),
}

/// `add`. Its key is (path, deletion vector's unique id).
#[derive(Clone, Debug)]
pub struct Add {
    /// As the log spells it: relative or absolute, URI-encoded.
    pub path: String,
    /// Column → value as text; none is null.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Bytes of the data object.
    pub size: u64,
    /// Milliseconds since 1970.
    pub modification_time: i64,
    /// False when the rows are the same as before.
    pub data_change: bool,
    /// Statistics as JSON text, verbatim.
    pub stats: Option<String>,
    /// Free text by key.
    pub tags: Option<BTreeMap<String, Option<String>>>,
    /// Rows of the data object that are deleted.
    pub deletion_vector: Option<DeletionVector>,
    /// First row id.
    pub base_row_id: Option<i64>,
    /// Version in which the rows came.
    pub default_row_commit_version: Option<i64>,
    /// Who clustered the file.
    pub clustering_provider: Option<String>,
    pub unknown: Unknown,
}

/// `remove`: a tombstone.
#[derive(Clone, Debug)]
pub struct Remove {
    /// As the log spells it.
    pub path: String,
    /// Milliseconds since 1970.
    pub deletion_timestamp: Option<i64>,
    /// False when the rows are the same as before.
    pub data_change: bool,
    /// True when the next three fields are there.
    pub extended_file_metadata: Option<bool>,
    /// Column → value as text.
    pub partition_values: Option<BTreeMap<String, Option<String>>>,
    /// Bytes of the data object.
    pub size: Option<u64>,
    /// Statistics as JSON text.
    pub stats: Option<String>,
    /// Free text by key.
    pub tags: Option<BTreeMap<String, Option<String>>>,
    /// The removed file's deletion vector: part of its key.
    pub deletion_vector: Option<DeletionVector>,
    /// First row id.
    pub base_row_id: Option<i64>,
    /// Version in which the rows came.
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
    /// Where in the file; absent and 0 differ.
    pub offset: Option<i32>,
    /// Bytes of the vector itself.
    pub size_in_bytes: i32,
    /// Deleted rows.
    pub cardinality: i64,
    pub unknown: Unknown,
}

/// `metaData`.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The table's id.
    pub id: String,
    /// Name for people.
    pub name: Option<String>,
    /// Description for people.
    pub description: Option<String>,
    /// `format`: JSON text, verbatim.
    pub format: Box<RawValue>,
    /// The schema as JSON text.
    pub schema_string: String,
    /// Partition columns, in order.
    pub partition_columns: Vec<String>,
    /// Milliseconds since 1970.
    pub created_time: Option<i64>,
    /// Table properties.
    pub configuration: Configuration,
    pub unknown: Unknown,
}

/// `protocol`.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// 1, 2 or 3.
    pub min_reader_version: u32,
    /// 1 to 7.
    pub min_writer_version: u32,
    /// With reader version 3.
    pub reader_features: Option<Vec<String>>,
    /// With writer version 7.
    pub writer_features: Option<Vec<String>>,
    pub unknown: Unknown,
}

/// `txn`.
#[derive(Clone, Debug)]
pub struct Txn {
    /// The application.
    pub app_id: String,
    /// Its progress.
    pub version: i64,
    /// Milliseconds since 1970.
    pub last_updated: Option<i64>,
    pub unknown: Unknown,
}

/// `domainMetadata`.
#[derive(Clone, Debug)]
pub struct DomainMetadata {
    /// The domain's name.
    pub domain: String,
    /// Its configuration as text.
    pub configuration: String,
    /// True for a tombstone.
    pub removed: bool,
    pub unknown: Unknown,
}
