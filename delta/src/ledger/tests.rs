//! Ledgers over a store in memory.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use uuid::Uuid;

use super::*;

fn table() -> TableStore {
    let store = Arc::new(InMemory::new());
    TableStore { store, root: Path::from("t"), uri: "s3://b/t".to_owned(), large: None }
}

fn entry(key: &str, crc64nvme: u64, seen_ms: i64) -> LedgerEntry {
    let (source_etag, worker) = ("\"tag\"".to_owned(), "w".to_owned());
    LedgerEntry { key: key.to_owned(), size: 9, crc64nvme, source_etag, worker, seen_ms }
}

async fn write(target: &TableStore, job: u128, entries: &[LedgerEntry]) {
    let mut writer = LedgerWriter::new(target, JobId(Uuid::from_u128(job)));
    writer.append(entries.iter().cloned()).await.unwrap();
    writer.finish().await.unwrap();
}

fn keys(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn the_newest_entry_of_each_wanted_key_comes_back() {
    let target = table();
    write(&target, 1, &[entry("a", u64::MAX, 5), entry("b", 2, 5)]).await;
    write(&target, 2, &[entry("a", 3, 4), entry("b", 7, 8), entry("c", 4, 6)]).await;
    write(&target, 3, &[entry("z", 1, 9)]).await;
    let found = read(&target, &keys(&["a", "b", "c", "d"])).await.unwrap();
    let expect = [entry("a", u64::MAX, 5), entry("b", 7, 8), entry("c", 4, 6)];
    assert_eq!(found.into_values().collect::<Vec<_>>(), expect);
}

#[tokio::test]
async fn a_second_try_of_a_sync_writes_over_the_first() {
    let target = table();
    write(&target, 1, &[entry("a", 1, 5)]).await;
    write(&target, 1, &[entry("a", 2, 5)]).await;
    let found = read(&target, &keys(&["a"])).await.unwrap();
    assert_eq!(found["a"].crc64nvme, 2);
    write(&target, 2, &[]).await;
    assert_eq!(io::list(&target, FOLDER, None).await.unwrap().len(), 1, "no empty file");
}

#[tokio::test]
async fn large_ledgers_are_cut_into_files() {
    let target = table();
    let entries: Vec<_> =
        (0..ENTRIES_PER_FILE + 1).map(|n| entry(&format!("{n:07}"), n as u64, 5)).collect();
    write(&target, 1, &entries).await;
    let names: Vec<String> =
        io::list(&target, FOLDER, None).await.unwrap().into_iter().map(|(name, _)| name).collect();
    let folder = Uuid::from_u128(1);
    assert_eq!(names, [format!("{folder}/0000.parquet"), format!("{folder}/0001.parquet")]);
    let found = read(&target, &keys(&["0000000", "0250000"])).await.unwrap();
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_named() {
    let target = table();
    io::put(&target, "_deepclone/ledger/x/0000.parquet", "no parquet".into()).await.unwrap();
    let error = read(&target, &keys(&["a"])).await.unwrap_err().to_string();
    assert!(error.contains("_deepclone/ledger/x/0000.parquet"), "{error}");
}
