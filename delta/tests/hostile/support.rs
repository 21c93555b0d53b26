//! Tables in memory whose log is written by hand, and what they are read as.

use std::sync::Arc;

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::spec::SourcePoint;
use deepclone_core::visible::is_hidden;
use deepclone_delta::snapshot::{self, Snapshot};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub(crate) const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
pub(crate) const METADATA: &str = concat!(
    r#"{"metaData":{"id":"a","format":{"provider":"parquet","options":{}},"#,
    r#""schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"#,
    r#""configuration":{}}}"#
);
pub(crate) const FIRST: &str = "_delta_log/00000000000000000000.json";

/// Returns the first commit of a table, with these lines after the protocol and the metadata.
pub(crate) fn commit(lines: &[&str]) -> String {
    let first = [PROTOCOL, METADATA];
    first.iter().chain(lines).copied().collect::<Vec<_>>().join("\n")
}

/// Returns the line of an `add` with these members beside the required ones.
pub(crate) fn add(path: &str, more: &str) -> String {
    format!(r#"{{"add":{{"path":{path},"size":1,"modificationTime":1,"dataChange":true{more}}}}}"#)
}

/// Reads the table with these objects.
pub(crate) async fn read(objects: &[(&str, &[u8])]) -> Result<Snapshot, Failure> {
    let store = InMemory::new();
    for (key, bytes) in objects {
        store.put(&Path::parse(key).unwrap(), bytes.to_vec().into()).await.unwrap();
    }
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let table =
        TableStore { store, root: Path::default(), uri: "s3://bucket/t".to_owned(), large: None };
    let found = snapshot::read(&table, &SourcePoint::Newest).await;
    found.map_err(|error| {
        let failure = error.failure();
        assert!(!failure.message.contains(is_hidden), "{failure:?}");
        assert!(failure.message.len() <= 8 << 10, "{} bytes", failure.message.len());
        failure
    })
}

/// Cases that turned out otherwise than they should.
#[derive(Default)]
pub(crate) struct Broken(Vec<String>);

impl Broken {
    /// The table is read with so many files, or refused with a message that holds the piece.
    pub(crate) fn expect(
        &mut self,
        what: &str,
        found: &Result<Snapshot, Failure>,
        wanted: Result<usize, &'static str>,
    ) {
        let is_so = match (found, wanted) {
            (Ok(found), Ok(files)) => found.files.len() == files,
            (Err(failure), Err(piece)) => failure.message.contains(piece),
            _ => false,
        };
        if !is_so {
            let found = found.as_ref().map(|found| found.files.len());
            let shown: String = format!("{what}: {found:?}").chars().take(400).collect();
            self.0.push(format!("{shown}, not {wanted:?}"));
        }
    }

    #[track_caller]
    pub(crate) fn none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}
