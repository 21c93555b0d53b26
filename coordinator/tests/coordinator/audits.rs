//! Audits and vacuums by the coordinator: one that cannot be made leaves the verdict, which
//! survives a restart.

use std::fs;
use std::time::Duration;

use deepclone_coordinator::state::Place;
use deepclone_proto::v1::{self, replication as view, replication_spec as wire};

use crate::replications::{apply, get, lake, rounds, run, sales};
use crate::support::{Running, Worker};

/// Audits begin with a minute; what fails is tried again after one.
const PATIENCE: Duration = Duration::from_secs(150);

fn audit_of<'a>(found: &'a v1::Replication, path: &str) -> Option<&'a view::AuditState> {
    found.tables.iter().find(|table| table.path == path)?.audit.as_ref()
}

fn verdict_of<'a>(found: &'a v1::Replication, path: &str) -> Option<&'a view::AuditVerdict> {
    audit_of(found, path)?.verdict.as_ref()
}

async fn until(running: &mut Running, is_so: impl Fn(&v1::Replication) -> bool) -> v1::Replication {
    until_of(running, "sales", is_so).await
}

async fn until_of(
    running: &mut Running,
    name: &str,
    is_so: impl Fn(&v1::Replication) -> bool,
) -> v1::Replication {
    let patient = async {
        loop {
            let found = get(running, name).await.unwrap();
            if is_so(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, patient).await.expect("it is never so")
}

fn every_minute() -> Option<wire::Schedule> {
    let every = prost_types::Duration { seconds: 60, nanos: 0 };
    Some(wire::Schedule { due: Some(wire::schedule::Due::Every(every)), spread: None })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_vacuums_its_replicas_and_tells_what_it_may_not() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let vacuumed = |name: &str, path: &str, days: Option<i64>| {
        let retention = days.map(|days| prost_types::Duration { seconds: days * 86_400, nanos: 0 });
        let vacuum = wire::Vacuum { schedule: every_minute(), retention, with_log: false };
        let (name, include) = (name.to_owned(), vec![path.to_owned()]);
        v1::ReplicationSpec { name, include, vacuum: Some(vacuum), ..sales() }
    };
    let too_short = vacuumed("short", "sales/items", Some(1));
    let specs = [vacuumed("sales", "sales/orders", None), too_short];
    apply(&mut running, &specs, false).await.unwrap();
    for name in ["sales", "short"] {
        run(&mut running, name).await;
        rounds(&mut running, name, 1).await;
    }
    // What a failed sync left a month ago; and what one may be about to commit.
    let (old, new) = (lake.path("out/sales/orders/old"), lake.path("out/sales/orders/new"));
    for file in [&old, &new] {
        fs::write(file, [0; 7]).unwrap();
    }
    let month = Duration::from_secs(30 * 86_400);
    let file = fs::File::options().append(true).open(&old).unwrap();
    file.set_modified(std::time::SystemTime::now() - month).unwrap();
    let state = |found: &v1::Replication| found.tables[0].vacuum.clone().unwrap_or_default();
    let found = until(&mut running, |found| state(found).time.is_some()).await;
    assert_eq!((state(&found).objects, state(&found).bytes), (1, 7), "{found:?}");
    assert!(!old.exists() && new.exists() && lake.path("out/sales/orders/a.parquet").exists());
    let refused = until_of(&mut running, "short", |found| state(found).failure.is_some()).await;
    let failure = state(&refused).failure.unwrap();
    assert_eq!(failure.reason, "INVALID_ARGUMENT", "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_cannot_be_made_is_told_as_such_and_tried_again_over_a_restart() {
    let lake = lake();
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    let audit = wire::Audit { schedule: every_minute(), sample_millionths: 0, proof_of_use: false };
    let audited = v1::ReplicationSpec { audit: Some(audit), ..sales() };
    apply(&mut running, std::slice::from_ref(&audited), false).await.unwrap();
    run(&mut running, "sales").await;
    let synced = rounds(&mut running, "sales", 1).await;
    assert!(audit_of(&synced, "sales/orders").is_some_and(|audit| audit.next_time.is_some()));
    // A folder that is a link to itself is one that the disk does not open.
    let log = lake.path("out/sales/items/_delta_log");
    fs::rename(&log, lake.path("kept")).unwrap();
    std::os::unix::fs::symlink(&log, &log).unwrap();
    let found = until(&mut running, |found| {
        verdict_of(found, "sales/orders").is_some()
            && audit_of(found, "sales/items").is_some_and(|audit| audit.failure.is_some())
    });
    let found = found.await;
    let clean = verdict_of(&found, "sales/orders").unwrap();
    // The model of a worker tells no digests.
    assert_eq!((clean.differences_total, clean.objects), (0, 1), "{clean:?}");
    assert!(verdict_of(&found, "sales/items").is_none(), "{found:?}");
    let failure = audit_of(&found, "sales/items").unwrap().failure.clone().unwrap();
    assert_eq!(failure.reason, "STORAGE_UNAVAILABLE", "{failure:?}");
    drop(working);
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let kept = get(&mut running, "sales").await.unwrap();
    assert_eq!(audit_of(&kept, "sales/items").unwrap().failure, Some(failure));
    assert!(verdict_of(&kept, "sales/orders").is_some_and(|found| found.time.is_some()));
    fs::remove_file(&log).unwrap();
    fs::rename(lake.path("kept"), &log).unwrap();
    let mended = until(&mut running, |found| verdict_of(found, "sales/items").is_some()).await;
    let audit = audit_of(&mended, "sales/items").unwrap();
    assert_eq!(
        (audit.failure.clone(), audit.verdict.clone().unwrap().differences_total),
        (None, 0)
    );
}
