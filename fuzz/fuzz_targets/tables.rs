//! A whole table with one hostile file, whose kind the first byte chooses: a checkpoint of each
//! form, a sidecar, the hint, a commit, or a name in the log's folder.
#![no_main]

use std::sync::Arc;

use deepclone_core::spec::SourcePoint;
use deepclone_delta::{log, snapshot};
use deepclone_fuzz::{
    FIRST_COMMIT, SECOND_COMMIT, check_failure, forgive_the_reader_of_parquet, put, run, table,
};
use object_store::memory::InMemory;

const ID: &str = "80a083e8-7026-4e79-81be-64bd76c43a11";
const CHECKPOINT: &str = "_delta_log/00000000000000000001.checkpoint";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    forgive_the_reader_of_parquet();
    let Some((kind, bytes)) = bytes.split_first() else { return };
    run(read(*kind, bytes.to_vec()));
});

async fn read(kind: u8, bytes: Vec<u8>) {
    let store = Arc::new(InMemory::new());
    // Without the commits, only the checkpoint can give the version.
    if kind & 0x80 != 0 {
        put(&store, "_delta_log/00000000000000000000.json", FIRST_COMMIT).await;
        put(&store, "_delta_log/00000000000000000001.json", SECOND_COMMIT).await;
    }
    match kind % 8 {
        0 => put(&store, &format!("{CHECKPOINT}.parquet"), bytes).await,
        1 => put(&store, &format!("{CHECKPOINT}.{ID}.json"), bytes).await,
        2 => put(&store, &format!("{CHECKPOINT}.{ID}.parquet"), bytes).await,
        3 => {
            let top = format!("{FIRST_COMMIT}\n{}", r#"{"sidecar":{"path":"s.parquet"}}"#);
            put(&store, &format!("{CHECKPOINT}.{ID}.json"), top).await;
            put(&store, "_delta_log/_sidecars/s.parquet", bytes).await;
        }
        4 => {
            let part = |part: u32| format!("{CHECKPOINT}.{part:010}.0000000002.parquet");
            put(&store, &part(1), bytes.clone()).await;
            put(&store, &part(2), bytes).await;
        }
        5 => put(&store, "_delta_log/_last_checkpoint", bytes).await,
        6 => put(&store, "_delta_log/00000000000000000002.json", bytes).await,
        _ => {
            let Ok(name) = std::str::from_utf8(&bytes) else { return };
            put(&store, &format!("_delta_log/{name}"), FIRST_COMMIT).await;
        }
    }
    let table = table(&store, "s3://bucket/t");
    match snapshot::read_with_tombstones(&table, &SourcePoint::Newest).await {
        Ok(found) => {
            let newest = log::list_whole(&table, None).await.expect("the log was listed before");
            assert_eq!(found.snapshot.version, newest.version);
        }
        Err(error) => check_failure(&error.failure()),
    }
}
