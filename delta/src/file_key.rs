//! The two keys of a logical file: the path as its log spells it, and the object that it is read
//! from.
//!
//! An `add` and its `remove` match by the log's spelling ([`LogKey`]), as readers match them; the
//! decoded key ([`FileKey`]) names the object, in which two spellings may meet.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#add-file-and-remove-file>

use crate::actions::{Add, DeletionVector, Remove};
use crate::error::DeltaError;
use crate::{dv, paths};

/// The key by which an `add` and its `remove` match within one log. Spark and the kernel compare
/// the text of the path, so another spelling is another file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The path as the log spells it.
    pub path: String,
    /// The unique id of its deletion vector.
    pub dv: Option<String>,
}

impl LogKey {
    /// Returns the key of `add` in its log.
    #[must_use]
    pub fn of_add(add: &Add) -> Self {
        Self::new(&add.path, add.deletion_vector.as_deref())
    }

    /// Returns the key of the file that `remove` removes.
    #[must_use]
    pub fn of_remove(remove: &Remove) -> Self {
        Self::new(&remove.path, remove.deletion_vector.as_deref())
    }

    fn new(path: &str, vector: Option<&DeletionVector>) -> Self {
        Self { path: path.to_owned(), dv: vector.map(dv::unique_id) }
    }
}

/// The key of a logical file: the object that it is read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// Decoded, relative to the table's root.
    pub path: String,
    /// The unique id of its deletion vector.
    pub dv: Option<String>,
}

impl FileKey {
    /// Returns the key of `add` in the table at `root_uri`.
    ///
    /// # Errors
    /// When its path names no object of the table.
    pub fn of_add(root_uri: &str, add: &Add) -> Result<Self, DeltaError> {
        let dv = add.deletion_vector.as_deref().map(dv::unique_id);
        Ok(Self { path: paths::decode(root_uri, &add.path)?.key, dv })
    }
}
