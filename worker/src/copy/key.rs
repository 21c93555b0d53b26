//! Where the objects of a task lie.

use deepclone_common::store::literal::ObjectPath;
use deepclone_common::store::table::TableStore;
use deepclone_core::task::ObjectCopy;
use object_store::path::Path;

use super::error::CopyError;

/// One object of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectKey {
    /// Its decoded key below the table's folder, as errors show it.
    pub(crate) key: String,
    /// Its path in the store.
    pub(crate) path: Path,
}

impl ObjectKey {
    /// The object with this key in a table.
    ///
    /// # Errors
    /// No store can name the key.
    pub(crate) fn new(table: &TableStore, key: &str) -> Result<Self, CopyError> {
        let path = table.key(key).map_err(|_| CopyError::bad_key(key))?;
        Ok(Self { key: key.to_owned(), path })
    }
}

/// One object of the source, whose key may be one that only a read can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceObject {
    /// Its decoded key below the table's folder, as errors show it.
    pub(crate) key: String,
    /// Its place in the store.
    pub(crate) at: ObjectPath,
}

impl SourceObject {
    /// The object with this key in a table.
    ///
    /// # Errors
    /// No store can name the key.
    pub(crate) fn new(table: &TableStore, key: &str) -> Result<Self, CopyError> {
        let at = table.object(key).map_err(|_| CopyError::bad_key(key))?;
        Ok(Self { key: key.to_owned(), at })
    }
}

/// An object to copy: what the task says of it, and where it lies at either side.
#[derive(Clone, Debug)]
pub(crate) struct ObjectToCopy<'a> {
    pub(crate) spec: &'a ObjectCopy,
    pub(crate) source: SourceObject,
    pub(crate) target: ObjectKey,
}

impl<'a> ObjectToCopy<'a> {
    /// The object of a task between two tables.
    ///
    /// # Errors
    /// No store can name one of its keys.
    pub(crate) fn new(
        source: &TableStore,
        target: &TableStore,
        spec: &'a ObjectCopy,
    ) -> Result<Self, CopyError> {
        Ok(Self {
            spec,
            source: SourceObject::new(source, &spec.source_path)?,
            target: ObjectKey::new(target, &spec.target_path)?,
        })
    }
}
