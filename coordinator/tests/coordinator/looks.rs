//! What a look at the stores finds where no source has a new commit: replicas that somebody
//! deleted or changed, and sources that are other tables than before.

use std::fs;
use std::time::Duration;

use deepclone_coordinator::state::Place;
use deepclone_proto::v1::verdict::Readiness;
use deepclone_proto::v1::{self, replication_spec as wire};

use crate::replications::{apply, get, lake, rounds, run, sales, until};
use crate::support::{Lake, Running, Worker};

const OTHER_WRITE: &str = concat!(
    r#"{"commitInfo":{"timestamp":1700000000000,"operation":"DELETE","operationParameters":{}}}"#,
    "\n",
    r#"{"remove":{"path":"a.parquet","dataChange":true,"deletionTimestamp":1700000000000}}"#,
    "\n",
);
const VACUUM: &str = concat!(
    r#"{"commitInfo":{"timestamp":1700000000000,"operation":"VACUUM START","#,
    r#""operationParameters":{}}}"#,
    "\n",
);

fn log_file(lake: &Lake, table: &str, version: u64) -> std::path::PathBuf {
    lake.path(table).join(format!("_delta_log/{version:020}.json"))
}

fn table<'a>(found: &'a v1::Replication, path: &str) -> &'a v1::replication::Table {
    found.tables.iter().find(|table| table.path == path).unwrap()
}

fn reason(found: &v1::Replication, path: &str) -> Option<String> {
    table(found, path).failure.as_ref().map(|failure| failure.reason.clone())
}

/// Syncs `sales/orders` twice, so that its replica has two versions, and then looks once more.
async fn synced(lake: &Lake, running: &mut Running) {
    apply(running, &[sales()], false).await.unwrap();
    run(running, "sales").await;
    rounds(running, "sales", 1).await;
    lake.commit("in/sales/orders", 1, &[("b.parquet", b"b")]);
    for count in [2, 3] {
        run(running, "sales").await;
        let found = rounds(running, "sales", count).await;
        assert_eq!(found.verdict.unwrap().readiness(), Readiness::Yes);
    }
    assert_eq!(lake.versions("out/sales/orders").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_somebody_deleted_or_changed_is_not_current() {
    type Change = fn(&Lake);
    let cases: [(&str, Change, bool, Option<&str>, usize); 5] = [
        ("nobody touched it", |_| {}, false, None, 2),
        (
            "its folder was deleted",
            |lake| fs::remove_dir_all(lake.path("out/sales/orders")).unwrap(),
            true,
            None,
            1,
        ),
        (
            "its newest commit was deleted",
            |lake| fs::remove_file(log_file(lake, "out/sales/orders", 1)).unwrap(),
            true,
            None,
            2,
        ),
        (
            "another writer committed",
            |lake| fs::write(log_file(lake, "out/sales/orders", 2), OTHER_WRITE).unwrap(),
            true,
            Some("TARGET_DIVERGED"),
            3,
        ),
        (
            "files that it does not need were cleaned up",
            |lake| fs::write(log_file(lake, "out/sales/orders", 2), VACUUM).unwrap(),
            false,
            None,
            3,
        ),
    ];
    for (case, change, has_job, failure, versions) in cases {
        let lake = lake();
        let mut running = Running::start(&lake, &Place::Private).await;
        let _working = Worker::register(&running, &lake, "w").await.work();
        synced(&lake, &mut running).await;
        change(&lake);
        for count in [4, 5] {
            run(&mut running, "sales").await;
            let found = rounds(&mut running, "sales", count).await;
            let round = &found.last_rounds[0];
            let jobs = round.tables_done + round.tables_failed;
            let expected = i32::from(has_job && (count == 4 || failure.is_some()));
            assert_eq!(jobs, expected, "{case}: {found:?}");
            assert_eq!(reason(&found, "sales/orders").as_deref(), failure, "{case}: {found:?}");
            let ready = if failure.is_some() { Readiness::Unknown } else { Readiness::Yes };
            assert_eq!(found.verdict.unwrap().readiness(), ready, "{case}");
            assert_eq!(lake.versions("out/sales/orders").len(), versions, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_gone_is_not_ready_while_it_is_copied_anew() {
    let lake = lake();
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    synced(&lake, &mut running).await;
    // Without a worker its job waits.
    working.abort();
    fs::remove_dir_all(lake.path("out/sales/orders")).unwrap();
    run(&mut running, "sales").await;
    let is_seen = |found: &v1::Replication| !table(found, "sales/orders").job.is_empty();
    let found = until(&mut running, "sales", is_seen).await;
    assert_eq!(found.verdict.unwrap().readiness(), Readiness::No, "a replica that is gone");
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let found = get(&mut running, "sales").await.unwrap();
    assert_eq!(found.verdict.unwrap().readiness(), Readiness::No, "also after a restart");
}

/// Makes the table anew with as many versions: another table.
fn recreate(lake: &Lake, table: &str) {
    let file = log_file(lake, table, 0);
    let text = fs::read_to_string(&file).unwrap();
    let id = "5b6c9f7c-6a53-4f9d-8d1b-0f4e0f1c2d3e";
    let other = text.replace(id, &uuid::Uuid::nil().to_string());
    assert_ne!(text, other);
    fs::write(file, other).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_made_anew_before_the_first_look_is_told() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[sales()], false).await.unwrap();
    run(&mut running, "sales").await;
    rounds(&mut running, "sales", 1).await;
    recreate(&lake, "in/sales/orders");
    for count in [2, 3] {
        run(&mut running, "sales").await;
        let found = rounds(&mut running, "sales", count).await;
        assert_eq!(reason(&found, "sales/orders").as_deref(), Some("SOURCE_REPLACED"), "{found:?}");
        assert_eq!(reason(&found, "sales/items"), None);
    }
    assert_eq!(lake.versions("out/sales/orders").len(), 1);
}

/// `sales`, which asks its source each second.
fn following() -> v1::ReplicationSpec {
    let second = || Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let polls = wire::OnCommit { poll_min: second(), poll_max: second() };
    let due = Some(wire::schedule::Due::OnCommit(polls));
    v1::ReplicationSpec { schedule: Some(wire::Schedule { due, spread: None }), ..sales() }
}

type TableTimes = (Option<(i64, i32)>, Option<(i64, i32)>);

/// When the source and the replica of `sales/orders` were looked at last.
fn looked_at(found: &v1::Replication) -> TableTimes {
    let Some(table) = found.tables.iter().find(|table| table.path == "sales/orders") else {
        return Default::default();
    };
    let time = |time: prost_types::Timestamp| (time.seconds, time.nanos);
    let checked = table.lag.as_ref().and_then(|lag| lag.check_time);
    (checked.map(time), table.target_check_time.map(time))
}

/// Waits for an answer of the source after this one.
async fn next_poll(running: &mut Running, found: &v1::Replication) -> v1::Replication {
    let (before, _) = looked_at(found);
    until(running, "sales", |found| {
        let (asked, _) = looked_at(found);
        found.state() == v1::replication::State::WaitingForSlot
            && asked.is_some()
            && asked != before
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_ask_the_replica_once_in_a_while_and_always_after_a_start_or_by_hand() {
    let lake = lake();
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[following()], false).await.unwrap();
    // The first look after a sync sees both sides, those after it the source alone.
    let is_seen = |table: &v1::replication::Table| {
        table.sync_time.is_some() && table.target_check_time != table.sync_time
    };
    let are_seen =
        |found: &v1::Replication| found.tables.len() == 2 && found.tables.iter().all(is_seen);
    let seen = until(&mut running, "sales", are_seen).await;
    let mut polled = next_poll(&mut running, &seen).await;
    assert_eq!(looked_at(&polled).1, looked_at(&seen).1, "{polled:?}");
    fs::remove_dir_all(lake.path("out/sales/orders")).unwrap();
    for _ in 0..2 {
        polled = next_poll(&mut running, &polled).await;
        assert_eq!(looked_at(&polled).1, looked_at(&seen).1, "{polled:?}");
    }
    assert!(lake.versions("out/sales/orders").is_empty());
    // What somebody asks for is looked at whole.
    run(&mut running, "sales").await;
    until(&mut running, "sales", |_| lake.versions("out/sales/orders").len() == 1).await;

    drop(working);
    running.embedded.stop().await.unwrap();
    // What follows on the commit may still be written.
    while fs::remove_dir_all(lake.path("out/sales/orders")).is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut running = Running::start(&lake, &place).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    until(&mut running, "sales", |_| lake.versions("out/sales/orders").len() == 1).await;
}
