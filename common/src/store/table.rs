//! A table's folder in an object store: what `delta/` reads and publishes through.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::{Error, Path};

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

    /// The key of the object at `relative` below the table's folder. `relative` is decoded, and is
    /// not encoded again.
    ///
    /// # Errors
    /// A key that no store can name: an empty, `.` or `..` segment.
    pub fn key(&self, relative: &str) -> Result<Path, Error> {
        Path::parse(join(self.root.as_ref(), relative))
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

/// The path of `relative` below `root`; either may be empty.
#[must_use]
pub fn join(root: &str, relative: &str) -> String {
    match (root, relative) {
        ("", path) | (path, "") => path.to_owned(),
        _ => format!("{root}/{relative}"),
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn a_key_lies_below_the_folder_and_is_not_encoded_again() {
        for (root, relative, wanted) in [
            ("lake/t", "a b%20c/d", Some("lake/t/a b%20c/d")),
            ("", "d", Some("d")),
            ("lake/t", "", Some("lake/t")),
            ("", "", Some("")),
            ("lake/t", "a//b", None),
            ("lake/t", "../b", None),
            ("lake/t", "./b", None),
        ] {
            let table = TableStore {
                store: Arc::new(InMemory::new()),
                root: Path::from(root),
                uri: String::new(),
            };
            let key = table.key(relative).ok();
            assert_eq!(key.as_ref().map(Path::as_ref), wanted, "{root} {relative}");
        }
    }
}
