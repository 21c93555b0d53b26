//! A table's folder in an object store, through which `delta/` reads and publishes.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::{Error, Path};

use crate::store::large::LargeWrites;
use crate::store::literal::ObjectPath;
use crate::store::operation::StoreOperation;
use crate::store::retry::RetriedRequest;

/// A table: its store, and its folder below the store's root.
#[derive(Clone, Debug)]
pub struct TableStore {
    /// The store. It never retries by itself.
    pub store: Arc<dyn ObjectStore>,
    /// The table's folder below the store's root.
    pub root: Path,
    /// The table's URI without credentials, for people and for the log.
    pub uri: String,
    /// Takes objects that are not held in memory; `None` where they must be.
    pub large: Option<LargeWrites>,
}

/// The kind of a store, which decides about the names that it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A local file system.
    Local,
    /// S3 and compatible stores.
    S3,
    Azure,
    Gcs,
    /// A store of a test.
    Other,
}

impl TableStore {
    /// A table whose objects are all written from memory.
    pub fn held(store: Arc<dyn ObjectStore>, root: Path, uri: impl Into<String>) -> Self {
        Self { store, root, uri: uri.into(), large: None }
    }

    /// Returns the kind of the store by the scheme of the URI.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        StoreKind::of(&self.uri)
    }

    /// Returns what a request asks of this table's store.
    #[must_use]
    pub fn asked(&self, operation: StoreOperation) -> RetriedRequest {
        RetriedRequest::new(operation, self.uri.as_str())
    }

    /// Returns the key of the object at `relative` below the table's folder. `relative` is decoded
    /// and is not encoded again.
    ///
    /// # Errors
    /// The key has an empty, `.` or `..` segment.
    pub fn key(&self, relative: &str) -> Result<Path, Error> {
        Path::parse(join(self.root.as_ref(), relative))
    }

    /// Returns the place of the object at `relative` for reads. Unlike a [`Self::key`], it may
    /// have empty segments between others.
    ///
    /// # Errors
    /// `relative` has a `.` or `..` segment, or begins or ends with an empty one.
    pub fn object(&self, relative: &str) -> Result<ObjectPath, Error> {
        if relative.starts_with('/') {
            return Err(Error::EmptySegment { path: relative.to_owned() });
        }
        ObjectPath::parse(&join(self.root.as_ref(), relative))
    }
}

impl StoreKind {
    /// Returns the kind of store that a canonical URI names.
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

/// Returns the path of `relative` below `root`; either may be empty.
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
                large: None,
            };
            let key = table.key(relative).ok();
            assert_eq!(key.as_ref().map(Path::as_ref), wanted, "{root} {relative}");
        }
    }
}
