//! Evidence of earlier copies: which jobs it serves, for how long, and what is described again
//! before a commit.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use deepclone_coordinator::state::Place;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;
use deepclone_proto::v1::task_outcome::Outcome;

use crate::support::{Lake, Running, Worker, objects};

const HOUR_MS: u64 = 3_600_000;

/// More than one task holds.
const FILES: usize = 300;

fn names() -> Vec<String> {
    (0..FILES).map(|number| format!("data_{number:03}.parquet")).collect()
}

/// A table whose files have the names and sizes of every other table here, but bytes of their own.
fn commit(lake: &Lake, table: &str, byte: u8) {
    let names = names();
    let files: Vec<(&str, &[u8])> = Vec::new();
    let bytes = [byte; 8];
    let files = names.iter().map(|name| (name.as_str(), &bytes[..])).chain(files);
    lake.commit(table, 0, &files.collect::<Vec<_>>());
}

/// The objects of some grants, with what the grant says of the target.
fn priors(grants: &[v1::Grant]) -> BTreeMap<String, Option<v1::Prior>> {
    let batches = grants.iter().map(|grant| match &grant.spec.as_ref().unwrap().work {
        Some(v1::task_spec::Work::Batch(batch)) => batch.objects.clone(),
        _ => vec![],
    });
    batches.flatten().map(|object| (object.target_path, object.prior)).collect()
}

/// Returns every task of the job.
async fn all_tasks(worker: &mut Worker) -> Vec<v1::Grant> {
    let mut grants: Vec<v1::Grant> = Vec::new();
    while grants.iter().map(objects).sum::<usize>() < FILES {
        grants.extend(worker.acquire().await.unwrap());
    }
    grants
}

/// Copies the first task of `source` to `target`, and cancels the job.
async fn copy_a_part(running: &mut Running, lake: &Lake, worker: &mut Worker, source: &str) {
    let job = running.create(lake.spec(source, "target")).await.unwrap();
    let grants = all_tasks(worker).await;
    let mut outcome = worker.copy(&grants[0]);
    if let Some(Outcome::Receipt(receipt)) = &mut outcome.outcome {
        for (number, object) in receipt.objects.iter_mut().enumerate() {
            object.crc64nvme = number as u64;
            object.source_etag = "s".to_owned();
            object.target_etag = "t".to_owned();
        }
    }
    worker.report(vec![outcome]).await;
    let cancel = v1::CancelJobRequest { name: job.name.clone() };
    running.jobs.cancel_job(cancel).await.unwrap();
    assert_eq!(running.finish(&job.name).await.state(), State::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_copy_serves_its_own_source_and_lineage_alone() {
    let lake = Lake::new();
    for (table, byte) in [("a", 1), ("b", 2)] {
        commit(&lake, table, byte);
    }
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    copy_a_part(&mut running, &lake, &mut worker, "a").await;

    // Another table with the same names and sizes: nothing is known of its objects.
    let job = running.create(lake.spec("b", "target")).await.unwrap();
    let seen = priors(&all_tasks(&mut worker).await);
    assert_eq!((seen.len(), seen.values().flatten().count()), (FILES, 0));
    running.jobs.cancel_job(v1::CancelJobRequest { name: job.name }).await.unwrap();

    // The same table: every object is still a task's, and the copied ones say what is known.
    let job = running.create(lake.spec("a", "target")).await.unwrap();
    let seen = priors(&all_tasks(&mut worker).await);
    assert_eq!((seen.len(), seen.values().flatten().count()), (FILES, 256));
    let copy = seen["data_007.parquet"].as_ref().unwrap().copy.as_ref().unwrap();
    let expect = v1::PriorCopy {
        crc64nvme: 7,
        source_etag: "s".to_owned(),
        target_etag: "t".to_owned(),
        replaceable: true,
    };
    assert_eq!(copy, &expect);
    running.jobs.cancel_job(v1::CancelJobRequest { name: job.name }).await.unwrap();

    // Another table was put in its place: its id tells.
    let log = lake.path("a").join("_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("5b6c9f7c-6a53", "00000000-6a53")).unwrap();
    running.create(lake.spec("a", "target")).await.unwrap();
    let seen = priors(&all_tasks(&mut worker).await);
    assert_eq!((seen.len(), seen.values().flatten().count()), (FILES, 0));
}

/// Sets how long the source keeps unreferenced objects, and with it the replica.
fn keep_for_an_hour(lake: &Lake, table: &str) {
    let log = lake.path(table).join("_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&log).unwrap();
    let property = r#""configuration":{"delta.deletedFileRetentionDuration":"interval 1 hour"}"#;
    fs::write(&log, text.replace(r#""configuration":{}"#, property)).unwrap();
}

/// Writes the notice of a vacuum that runs, before a batch of deletions.
fn announce(lake: &Lake, batch: u64) {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let id = "5b6c9f7c-6a53-4000-8000-000000000000";
    let notice = format!(r#"{{"id":"{id}","batch":{batch},"time":{now}}}"#);
    fs::create_dir_all(lake.path("target").join("_deepclone")).unwrap();
    fs::write(lake.path("target").join("_deepclone/vacuum.json"), notice).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_looked_at_after_the_batch_of_a_vacuum_that_runs() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("x.parquet", b"bytes")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire().await.unwrap();
    let mut outcome = worker.copy(&grants[0]);
    if let Some(Outcome::Receipt(receipt)) = &mut outcome.outcome {
        receipt.objects[0].existed = true;
    }
    announce(&lake, 1);
    worker.report(vec![outcome]).await;
    // The ledger of the sync is there, and the vacuum has not seen it.
    let ledgers = lake.path("target").join("_deepclone/ledger");
    while !ledgers.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(lake.versions("target").is_empty(), "it was committed before the batch was over");
    fs::remove_file(lake.path("target").join("x.parquet")).unwrap();
    let working = worker.work();
    announce(&lake, 2);
    let ended = running.finish(&job.name).await;
    assert_eq!(ended.state(), State::Succeeded, "{ended:?}");
    running.embedded.stop().await.unwrap();
    assert_eq!(working.await.unwrap(), 1);
    assert!(lake.path("target").join("x.parquet").exists());
}

/// Runs one sync whose first copy is reported as `elapsed_ms` old and as found or written, and is
/// vacuumed before the report. Returns how often the object was copied.
async fn vacuumed(elapsed_ms: u64, existed: bool) -> usize {
    let lake = Lake::new();
    lake.commit("source", 0, &[("x.parquet", b"bytes")]);
    keep_for_an_hour(&lake, "source");
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire().await.unwrap();
    let mut outcome = worker.copy(&grants[0]);
    if let Some(Outcome::Receipt(receipt)) = &mut outcome.outcome {
        receipt.elapsed_ms = elapsed_ms;
        receipt.objects[0].existed = existed;
    }
    fs::remove_file(lake.path("target").join("x.parquet")).unwrap();
    worker.report(vec![outcome]).await;
    let working = worker.work();
    let ended = running.finish(&job.name).await;
    assert_eq!(ended.state(), State::Succeeded, "{ended:?}");
    assert_eq!(lake.versions("target").len(), 1);
    running.embedded.stop().await.unwrap();
    let copied = working.await.unwrap();
    let there = lake.path("target").join("x.parquet").exists();
    assert!(there || copied == 0, "a commit refers to an object that is gone");
    copied
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vacuum_may_have_deleted_is_looked_at_before_the_commit() {
    // A sync of three hours, and a target that keeps unreferenced objects for one.
    assert_eq!(vacuumed(3 * HOUR_MS, false).await, 1);
    // A leftover that was found: its own age is not known.
    assert_eq!(vacuumed(0, true).await, 1);
    // Just written: nobody deletes that, and nobody looks.
    assert_eq!(vacuumed(0, false).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_replaced_since_is_copied_again() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("x.parquet", b"bytes")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire().await.unwrap();
    let mut outcome = worker.copy(&grants[0]);
    if let Some(Outcome::Receipt(receipt)) = &mut outcome.outcome {
        receipt.objects[0].existed = true;
        receipt.objects[0].target_etag = "the one that was compared".to_owned();
    }
    worker.report(vec![outcome]).await;
    let working = worker.work();
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
    running.embedded.stop().await.unwrap();
    assert_eq!(working.await.unwrap(), 1, "the object at the target is another one");
}
