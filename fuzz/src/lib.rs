//! What the fuzz targets share: tables in memory, and what every error must be.
//!
//! A target takes bytes as somebody else may have written them and gives them to the function that
//! reads them in production. It fails by a panic, by a property that does not hold, or by memory
//! beyond the bounds that `make fuzz` sets. No target opens a connection.

pub mod memory;

use std::future::Future;
use std::sync::{Arc, LazyLock, Once};

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

/// The first commit of the tables: two files.
pub const FIRST_COMMIT: &str = concat!(
    r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
    "\n",
    r#"{"metaData":{"id":"a","format":{"provider":"parquet","options":{}},"#,
    r#""schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\","#,
    r#"\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{}}}"#,
    "\n",
    r#"{"add":{"path":"a.parquet","partitionValues":{},"size":4,"modificationTime":1,"#,
    r#""dataChange":true}}"#,
    "\n",
    r#"{"add":{"path":"b.parquet","partitionValues":{},"size":4,"modificationTime":1,"#,
    r#""dataChange":true}}"#,
);

/// The second commit: a file leaves and another one joins.
pub const SECOND_COMMIT: &str = concat!(
    r#"{"remove":{"path":"a.parquet","deletionTimestamp":2,"dataChange":true}}"#,
    "\n",
    r#"{"add":{"path":"c.parquet","partitionValues":{},"size":4,"modificationTime":2,"#,
    r#""dataChange":true}}"#,
);

/// Runs `work` on a runtime of one thread, as the simulations do.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
    RUNTIME.block_on(work)
}

/// A table at the root of `store`.
pub fn table(store: &Arc<InMemory>, uri: &str) -> TableStore {
    let store: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(store);
    TableStore { store, root: Path::default(), uri: uri.to_owned(), large: None }
}

/// Lets panics of the reader of Parquet pass, which production catches; every other one still ends
/// the fuzzer, by the hook that it has set.
pub fn forgive_the_reader_of_parquet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", |at| at.file());
            if !["/parquet-", "/arrow-"].iter().any(|reader| file.contains(reader)) {
                hook(panic);
            }
        }));
    });
}

/// Writes the object `key`.
pub async fn put(store: &InMemory, key: &str, bytes: impl Into<bytes::Bytes>) {
    let bytes: bytes::Bytes = bytes.into();
    store.put(&Path::from(key), bytes.into()).await.expect("memory takes every object");
}

/// What a client asks for that clones one table to another.
pub fn spec(source: &str, target: &str) -> CloneSpec {
    let named = |uri: &str| TableRef { uri: uri.to_owned(), connection: None };
    CloneSpec {
        source: named(source),
        target: named(target),
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: Default::default(),
        verification: Default::default(),
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    }
}

/// Checks what leaves the system: one line that a terminal shows as it stands.
pub fn check_failure(failure: &Failure) {
    let message = &failure.message;
    assert!(!message.is_empty(), "a failure without a message: {failure:?}");
    assert!(!message.contains(char::is_control), "not one line: {message:?}");
}
