//! A second sync with one hostile file beside the log, whose kind the first byte chooses: a
//! checkpoint of the replica or of the source, the version checksum, what the last sync knew, our
//! hint, or the source's next commit.
#![no_main]

use std::sync::{Arc, LazyLock};

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_delta::error::DeltaError;
use deepclone_delta::sync::{self, Planned, PublishResult, Within};
use deepclone_fuzz::{
    FIRST_COMMIT, SECOND_COMMIT, check_failure, forgive_the_reader_of_parquet, put, run, spec,
    table,
};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

const SOURCE: &str = "memory:///s";
const TARGET: &str = "memory:///t";
const NEXT: &str = "_delta_log/00000000000000000001.json";

/// The two stores after a first sync.
static SYNCED: LazyLock<(InMemory, InMemory)> = LazyLock::new(|| run(first_sync()));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    forgive_the_reader_of_parquet();
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let (source, target) = (SYNCED.0.fork(), SYNCED.1.fork());
    run(second_sync(source, target, *kind, bytes.to_vec()));
});

async fn first_sync() -> (InMemory, InMemory) {
    let (source, target) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
    put(&source, "_delta_log/00000000000000000000.json", FIRST_COMMIT).await;
    for name in ["a.parquet", "b.parquet"] {
        put(&source, name, "rows").await;
        put(&target, name, "rows").await;
    }
    let (from, to) = (table(&source, SOURCE), table(&target, TARGET));
    let planned = plan(&from, &to, 1).await.expect("the first sync");
    let Planned::Work(work) = planned else { panic!("{planned:?}") };
    let published = sync::publish(&to, &work, 1_700_000_000_000).await.expect("a commit");
    let PublishResult::Published(committed) = published else { panic!("{published:?}") };
    sync::finish(&to, &committed, Some(&work)).await.expect("what is beside the commit");
    (source.fork(), target.fork())
}

async fn plan(source: &TableStore, target: &TableStore, job: u128) -> Result<Planned, DeltaError> {
    let job = JobId(uuid::Uuid::from_u128(job));
    sync::plan(source, target, &Within::default(), &spec(SOURCE, TARGET), job).await
}

async fn second_sync(source: InMemory, target: InMemory, kind: u8, bytes: Vec<u8>) {
    let checkpoint = |version: u64| format!("_delta_log/{version:020}.checkpoint.parquet");
    put(&source, NEXT, SECOND_COMMIT).await;
    match kind % 8 {
        0 => put(&target, &checkpoint(0), bytes).await,
        1 => put(&source, &checkpoint(1), bytes).await,
        2 => put(&source, "_delta_log/00000000000000000001.crc", bytes).await,
        3 => put(&target, "_deepclone/synced.json", bytes).await,
        4 => {
            target.delete(&Path::from("_deepclone/synced.json")).await.expect("it was there");
            put(&target, "_deepclone/replica.json", bytes).await;
        }
        5 => put(&target, "_delta_log/_last_checkpoint", bytes).await,
        6 => put(&source, "_delta_log/_last_checkpoint", bytes).await,
        _ => put(&source, NEXT, bytes).await,
    }
    let (source, target) = (table(&Arc::new(source), SOURCE), table(&Arc::new(target), TARGET));
    if let Err(error) = plan(&source, &target, 2).await {
        check_failure(&error.failure());
    }
}
