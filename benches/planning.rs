//! What planning costs a coordinator: replaying a log, and packing its objects into tasks.
//!
//! The log lies in memory, so that the store's time is not measured; the names and numbers are
//! fixed, so that two runs measure the same.

#![expect(clippy::expect_used, reason = "a bench that cannot be prepared has no result")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use deepclone_common::store::table::TableStore;
use deepclone_core::ids::SourceKey;
use deepclone_core::limits::{GROUP_BYTES_MIN, TASK_OBJECTS_MAX};
use deepclone_core::shard::{ObjectSize, Packing, shard};
use deepclone_core::spec::SourcePoint;
use deepclone_delta::{log, snapshot};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

const SOURCE: SourceKey = SourceKey([1; 32]);
const OBJECTS: u32 = 100_000;
const COMMITS: u32 = 100;
const FILES_PER_COMMIT: u32 = 200;
const KIB: u64 = 1024;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_sharding(&mut criterion);
    bench_replay(&mut criterion);
    criterion.final_summary();
}

/// As a coordinator packs by default.
const PACKING: Packing =
    Packing { task_objects_max: TASK_OBJECTS_MAX, group_bytes_min: Some(GROUP_BYTES_MIN) };

fn bench_sharding(criterion: &mut Criterion) {
    let keys: Vec<String> = (0..OBJECTS).map(file).collect();
    // From 64 KiB up to 512 MiB: most are packed, some are tasks of their own.
    let objects: Vec<ObjectSize<'_>> = (0..)
        .zip(&keys)
        .map(|(number, key)| ObjectSize {
            key: key.as_bytes(),
            size: (64 * KIB) << (number % 14),
            size_is_minimum: false,
            modified_ms: 0,
        })
        .collect();
    let mut group = criterion.benchmark_group("shard");
    group.throughput(Throughput::Elements(OBJECTS.into()));
    group.bench_function("mixed_sizes", |bencher| {
        bencher.iter_with_large_drop(|| {
            shard(SOURCE, &black_box(&objects)[..], PACKING).expect("the keys ascend")
        });
    });
    group.finish();
}

fn bench_replay(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let table = runtime.block_on(table_in_memory());
    let newest = SourcePoint::Newest;
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(20);
    group.throughput(Throughput::Elements(u64::from(COMMITS * FILES_PER_COMMIT)));
    group.bench_function("commits_without_checkpoint", |bencher| {
        bencher.iter_with_large_drop(|| {
            runtime.block_on(snapshot::read(&table, black_box(&newest))).expect("a whole log")
        });
    });
    group.finish();
    let files = runtime.block_on(snapshot::read(&table, &newest)).expect("a whole log").files;
    assert_eq!(files.len(), (COMMITS * FILES_PER_COMMIT) as usize, "every file was replayed");
}

/// A table whose log is commits alone, each of which adds files.
async fn table_in_memory() -> TableStore {
    let store = InMemory::new();
    for version in 0..COMMITS {
        let path = Path::from(log::commit_path(version.into()));
        store.put(&path, commit(version).into()).await.expect("memory takes a commit");
    }
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    TableStore { store, root: Path::default(), uri: "memory:///table".to_owned(), large: None }
}

fn commit(version: u32) -> String {
    let mut lines = String::new();
    if version == 0 {
        lines.push_str(concat!(
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
            "\n",
            r#"{"metaData":{"id":"5fba94ed-9794-4965-ba6e-6ee3c0d22af9","#,
            r#""format":{"provider":"parquet","options":{}},"#,
            r#""schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"#,
            r#"\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}","#,
            r#""partitionColumns":[],"configuration":{}}}"#,
            "\n",
        ));
    }
    for number in 0..FILES_PER_COMMIT {
        let path = file(version * FILES_PER_COMMIT + number);
        writeln!(
            lines,
            concat!(
                r#"{{"add":{{"path":"{}","partitionValues":{{}},"size":65536,"#,
                r#""modificationTime":1700000000000,"dataChange":true,"#,
                r#""stats":"{{\"numRecords\":1000,\"minValues\":{{\"id\":1}}}}"}}}}"#,
            ),
            path,
        )
        .expect("a string takes text");
    }
    lines
}

fn file(number: u32) -> String {
    format!("part-{number:08}.snappy.parquet")
}
