//! The actions of a Delta log, without loss: fields that we do not know survive as raw JSON.
//!
//! Shapes: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions>
//!
//! Flow: [`parse_commit`] (a stream of JSON values) → actions → [`Action::to_json`]. A field that
//! is null counts as absent.

mod fields;
mod oddity;
mod parse;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::value::RawValue;

pub(crate) use oddity::Oddities;
pub use oddity::Oddity;
pub(crate) use parse::value as parse_value;
pub(crate) use write::text as json_text;

/// Values of a commit that one thread parses at a time.
const VALUES_PER_PART: usize = 1024;

/// Why a piece of JSON is no action: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub(crate) String);

impl ParseError {
    fn json(place: &str, error: &serde_json::Error) -> Self {
        Self(format!("{place}: {error}"))
    }
}

/// What a log file says.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Its actions, in the file's order.
    pub actions: Vec<Action>,
    /// What in it was passed over.
    pub oddities: BTreeSet<Oddity>,
}

impl Parsed {
    /// Appends what one JSON value says.
    pub(crate) fn push(&mut self, (action, oddity): (Option<Action>, Option<Oddity>)) {
        self.actions.extend(action);
        self.oddities.extend(oddity);
    }

    /// Appends what another file says.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.actions.append(&mut other.actions);
        self.oddities.append(&mut other.oddities);
    }

    /// All parts, in order; each is freed as it is taken over.
    pub(crate) fn joined(parts: Vec<Self>) -> Self {
        let mut whole = Self::default();
        whole.actions.reserve(parts.iter().map(|part| part.actions.len()).sum());
        parts.into_iter().for_each(|part| whole.append(part));
        whole
    }
}

/// The actions of a commit: a stream of JSON values, not always one a line.
///
/// # Errors
/// When the text is not UTF-8 or JSON, or a value is no action; the value's number from 1 is named.
pub fn parse_commit(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let values = serde_json::Deserializer::from_slice(bytes)
        .into_iter::<&RawValue>()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ParseError(error.to_string()))?;
    let parts: Vec<Parsed> = values
        .par_chunks(VALUES_PER_PART)
        .enumerate()
        .map(|(part, values)| parse_part(part * VALUES_PER_PART, values))
        .collect::<Result<_, _>>()?;
    Ok(Parsed::joined(parts))
}

fn parse_part(first: usize, values: &[&RawValue]) -> Result<Parsed, ParseError> {
    let mut parsed = Parsed::default();
    for (index, raw) in values.iter().enumerate() {
        let value = parse_value(raw.get())
            .map_err(|error| ParseError(format!("action {}: {error}", first + index + 1)))?;
        parsed.push(value);
    }
    Ok(parsed)
}

/// Fields that this reader does not know: name → JSON text, verbatim.
pub type Unknown = BTreeMap<String, Box<RawValue>>;

/// One action of a commit or a checkpoint.
#[derive(Clone, Debug)]
pub enum Action {
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
    /// Other fields.
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
    /// Other fields.
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
    /// Other fields.
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
    pub configuration: BTreeMap<String, String>,
    /// Other fields.
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
    /// Other fields.
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
    /// Other fields.
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
    /// Other fields.
    pub unknown: Unknown,
}
