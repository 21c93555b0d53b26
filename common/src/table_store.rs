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
