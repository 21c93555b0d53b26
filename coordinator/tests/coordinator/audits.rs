//! Audits by the coordinator: one that cannot be made leaves the verdict, which survives a restart.

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
    let patient = async {
        loop {
            let found = get(running, "sales").await.unwrap();
            if is_so(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, patient).await.expect("it is never so")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_cannot_be_made_is_told_as_such_and_tried_again_over_a_restart() {
    let lake = lake();
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    let every = prost_types::Duration { seconds: 60, nanos: 0 };
    let due = Some(wire::schedule::Due::Every(every));
    let audit = wire::Audit {
        schedule: Some(wire::Schedule { due, spread: None }),
        sample_millionths: 0,
        proof_of_use: false,
    };
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
