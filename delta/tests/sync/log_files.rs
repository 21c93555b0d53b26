//! Clean-ups of a replica's log by a vacuum.

use deepclone_core::spec::{CloneSpec, SourcePoint};
use deepclone_delta::snapshot;
use deepclone_delta::vacuum::{DeletedKind, VacuumOptions, VacuumReport, vacuum};
use serde_json::json;

use crate::support::*;
use crate::vacuuming::{Aged, DAY, at};

async fn clean(aged: &Aged, now_ms: i64) -> VacuumReport {
    let options = VacuumOptions { with_log: true, ..VacuumOptions::default() };
    vacuum(&aged.table.store, &options, &at(now_ms), &|_, _| ()).await.unwrap()
}

fn of_the_log(report: &VacuumReport) -> Vec<&str> {
    let log = report.objects.iter().filter(|object| object.kind == DeletedKind::Log);
    log.map(|object| object.key.trim_start_matches("_delta_log/0000000000000000000")).collect()
}

#[tokio::test]
async fn the_log_begins_with_a_checkpoint_that_serves_all_that_is_kept() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let properties = [("delta.checkpointInterval".to_owned(), "1".to_owned())].into();
    let spec = CloneSpec { properties, ..spec() };
    source.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("a1"), add("b1")]).await;
    let mut times = vec![aged.sync(&source, &spec).await];
    for (new, old) in [("c1", "a1"), ("d1", "b1"), ("e1", "c1")] {
        source.commit(&[add(new), remove(old)]).await;
        times.push(aged.sync(&source, &spec).await);
    }
    let store = &aged.table.store;
    // Nothing goes that the first version within the retention needs.
    assert_eq!(of_the_log(&clean(&aged, times[1] + 7 * DAY - 1).await), [""; 0]);
    let report = clean(&aged, times[3] + 7 * DAY - 1).await;
    assert_eq!(of_the_log(&report), ["0.json", "1.checkpoint.parquet", "1.json"]);
    for version in 2..=3 {
        let state = snapshot::read(store, &SourcePoint::Version(version)).await.unwrap();
        assert!(state.files.keys().all(|key| aged.has(&key.path)), "{version}");
    }
    // A checkpoint that cannot be read takes nothing's place.
    aged.table.put("_delta_log/00000000000000000003.checkpoint.parquet", b"no".to_vec()).await;
    aged.written_at("_delta_log/00000000000000000003.checkpoint.parquet", times[3]);
    assert_eq!(of_the_log(&clean(&aged, times[3] + 40 * DAY).await), [""; 0]);
    assert_eq!(aged.table.snapshot().await.files.len(), 2);
    source.commit(&[add("f1")]).await;
    let did = sync(&source, &aged.table, &spec).await.unwrap();
    assert_eq!(did.objects(), ["p=f/f1.parquet"]);
}

#[tokio::test]
async fn a_log_whose_checkpoints_are_young_or_protected_stays() {
    for (key, value, goes) in [
        ("delta.logRetentionDuration", "interval 30 days", true),
        ("delta.logRetentionDuration", "interval 50 days", false),
        ("delta.requireCheckpointProtectionBeforeVersion", "1", false),
    ] {
        let (aged, mut source) = (Aged::new(), Table::new("source"));
        let properties = [("delta.checkpointInterval".to_owned(), "1".to_owned())].into();
        let spec = CloneSpec { properties, ..spec() };
        source.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("a1")]).await;
        aged.sync(&source, &spec).await;
        source.commit(&[add("b1")]).await;
        let at_ms = aged.sync(&source, &spec).await;
        aged.written_at("_delta_log/00000000000000000001.checkpoint.parquet", at_ms);
        // Another writer sets the property.
        let mut metadata: serde_json::Value = metadata("source-id", json!({key: value}));
        let id = aged.table.snapshot().await.metadata.id;
        metadata["metaData"]["id"] = id.into();
        aged.table.raw_commit(2, &metadata.to_string()).await;
        aged.written_at("_delta_log/00000000000000000002.json", at_ms + 1_000);
        let found = clean(&aged, at_ms + 40 * DAY).await;
        assert_eq!(!of_the_log(&found).is_empty(), goes, "{key} {value}");
    }
}
