//! A table's folder in an object store: what `delta/` reads and publishes through.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

/// A table: the store that holds it and the folder below the store's root.
#[derive(Clone, Debug)]
pub struct TableStore {
    /// The store; never retries by itself.
    pub store: Arc<dyn ObjectStore>,
    /// The table's folder.
    pub root: Path,
    /// The table's URI for people and for the log: no credentials in it.
    pub uri: String,
}

/// The kinds of stores: what names they take depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A file system.
    Local,
    /// S3 and what speaks like it.
    S3,
    /// Azure's blobs.
    Azure,
    /// GCS.
    Gcs,
    /// A store of a test.
    Other,
}

impl TableStore {
    /// The kind of the store, as the URI tells it.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        StoreKind::of(&self.uri)
    }
}

impl StoreKind {
    /// The kind of store that a canonical URI names.
    #[must_use]
    pub fn of(uri: &str) -> Self {
        match uri.split_once("://").map(|(scheme, _)| scheme) {
            Some("file") => Self::Local,
            Some("s3") => Self::S3,
            Some("az" | "abfss") => Self::Azure,
            Some("gs") => Self::Gcs,
            _ => Self::Other,
        }
    }
}
