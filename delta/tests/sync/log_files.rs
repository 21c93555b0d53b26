//! Clean-ups of a replica's log by a vacuum.

use std::collections::BTreeSet;
use std::time::Duration;

use deepclone_core::spec::{CloneSpec, SourcePoint};
use deepclone_delta::snapshot;
use deepclone_delta::vacuum::{DeletedKind, VacuumOptions, VacuumReport, vacuum};
use serde_json::json;

use crate::support::*;
use crate::v2_checkpoints::{first, log_of};
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

/// Every file of the log was written when its version was.
fn age_the_log(aged: &Aged, log: &BTreeSet<String>, at_ms: i64) {
    for name in log {
        aged.written_at(&format!("_delta_log/{name}"), at_ms);
    }
}

#[tokio::test]
async fn sidecars_go_once_they_are_old_and_nothing_names_them() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    source.commit(&[&first(1)[..], &[add("a1")]].concat()).await;
    let mut at_ms = aged.sync(&source, &spec()).await;
    let (mut known, mut by_version) = (BTreeSet::new(), Vec::new());
    for name in ["b1", "c1", "d1"] {
        source.commit(&[add(name)]).await;
        at_ms = aged.sync(&source, &spec()).await;
        let log = log_of(&aged.table.store).await;
        let new = log.iter().find(|name| name.starts_with("_sidecars/") && !known.contains(*name));
        by_version.push(new.unwrap().clone());
        known = log;
    }
    age_the_log(&aged, &known, at_ms);
    // What syncs that died left, of now and of then, and names that are no sidecars.
    for (name, written_ms) in [
        ("_sidecars/old.parquet", at_ms),
        ("_sidecars/young.parquet", at_ms + 39 * DAY),
        ("_sidecars/.old.parquet.crc", at_ms),
        ("_sidecars/old.json", at_ms),
    ] {
        aged.put_at(&format!("_delta_log/{name}"), written_ms).await;
    }
    let sidecars = |report: &VacuumReport| -> Vec<String> {
        let gone = report.objects.iter().filter(|object| object.key.contains("/_sidecars/"));
        gone.map(|object| object.key.trim_start_matches("_delta_log/").to_owned()).collect()
    };
    // Nothing is old yet, and no commit goes.
    assert_eq!(sidecars(&clean(&aged, at_ms + 29 * DAY).await), [""; 0]);
    let dry = VacuumOptions { with_log: true, dry_run: true, ..VacuumOptions::default() };
    let now_ms = at_ms + 40 * DAY;
    // One of the checkpoints that are left cannot be read: what it names cannot be told.
    let newest = known.iter().rfind(|name| name.starts_with("00000000000000000003.checkpoint."));
    let newest = format!("_delta_log/{}", newest.unwrap());
    let top = aged.table.get(&newest).await.unwrap();
    aged.table.put(&newest, b"{".to_vec()).await;
    aged.written_at(&newest, at_ms);
    let report = vacuum(&aged.table.store, &dry, &at(now_ms), &|_, _| ()).await.unwrap();
    assert_eq!(sidecars(&report), [""; 0]);
    aged.table.put(&newest, top).await;
    aged.written_at(&newest, at_ms);
    let mut expect = by_version[..2].to_vec();
    expect.push("_sidecars/old.parquet".to_owned());
    expect.sort();
    let report = clean(&aged, now_ms).await;
    assert_eq!(sidecars(&report), expect);
    let left = log_of(&aged.table.store).await;
    assert!(left.contains(&by_version[2]) && left.contains("_sidecars/young.parquet"), "{left:?}");
    assert!(!left.contains("00000000000000000002.json"), "{left:?}");
    assert_eq!(aged.table.snapshot().await.files.len(), 4);
    source.commit(&[add("e1")]).await;
    let did = sync(&source, &aged.table, &spec()).await.unwrap();
    assert_eq!(did.objects(), ["p=e/e1.parquet"]);
    // However short the retention of the log: a sync that runs may be about to name a sidecar.
    let properties = [("delta.logRetentionDuration".to_owned(), "interval 1 hour".to_owned())];
    let short = CloneSpec { properties: properties.into(), ..spec() };
    source.commit(&[add("f1")]).await;
    let at_ms = aged.sync(&source, &short).await;
    age_the_log(&aged, &log_of(&aged.table.store).await, at_ms);
    // For half of the table's retention.
    aged.put_at("_delta_log/_sidecars/young.parquet", at_ms + 73 * DAY / 2 + 1).await;
    let none = Some(Duration::ZERO);
    let short = VacuumOptions { retain: none, may_break_time_travel: true, ..dry };
    for (now_ms, expect) in [(at_ms + 40 * DAY, 0), (at_ms + 40 * DAY + 1, 1)] {
        let report = vacuum(&aged.table.store, &short, &at(now_ms), &|_, _| ()).await.unwrap();
        let gone = sidecars(&report);
        let young = gone.iter().filter(|name| name.ends_with("young.parquet")).count();
        assert_eq!(young, expect, "{gone:?}");
    }
}
