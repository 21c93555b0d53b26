//! What goes wrong with standing orders elsewhere: sources that fail, come back or are other ones,
//! jobs that are held, limits that are shared.

use std::collections::BTreeMap;
use std::fs;

use deepclone_coordinator::state::Place;
use deepclone_proto::v1::replication::State;
use deepclone_proto::v1::verdict::Readiness;
use deepclone_proto::v1::{self, replication_spec as wire};

use crate::replications::{apply, get, lake, rounds, run, sales, until};
use crate::support::{Lake, Running, Worker};

fn log_file(lake: &Lake, table: &str, version: u64) -> std::path::PathBuf {
    lake.path(table).join(format!("_delta_log/{version:020}.json"))
}

fn reason(found: &v1::Replication, path: &str) -> Option<String> {
    let table = found.tables.iter().find(|table| table.path == path).unwrap();
    table.failure.as_ref().map(|failure| failure.reason.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_can_be_read_again_is_caught_up_by_the_next_round() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let file = log_file(&lake, "in/sales/orders", 0);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, "{\"metaData\":").unwrap();
    apply(&mut running, &[sales()], false).await.unwrap();
    run(&mut running, "sales").await;
    let failed = rounds(&mut running, "sales", 1).await;
    assert_eq!(failed.last_rounds[0].tables_failed, 1, "{failed:?}");
    assert_eq!(reason(&failed, "sales/orders").as_deref(), Some("DAMAGED_LOG"));
    assert_eq!(failed.verdict.unwrap().readiness(), Readiness::No);
    // The others are not held up.
    assert_eq!(lake.versions("out/sales/items").len(), 1);

    fs::write(&file, whole).unwrap();
    run(&mut running, "sales").await;
    let well = rounds(&mut running, "sales", 2).await;
    assert_eq!(reason(&well, "sales/orders"), None, "an old failure is over");
    assert_eq!(well.verdict.unwrap().readiness(), Readiness::Yes);
    assert_eq!(lake.versions("out/sales/orders").len(), 1);
}

/// Makes the table anew: another table, with as many versions.
fn recreate(lake: &Lake, table: &str) {
    let file = log_file(lake, table, 0);
    let text = fs::read_to_string(&file).unwrap();
    let other =
        text.replace("5b6c9f7c-6a53-4f9d-8d1b-0f4e0f1c2d3e", &uuid::Uuid::nil().to_string());
    assert_ne!(text, other);
    fs::remove_dir_all(lake.path(table)).unwrap();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(lake.path(table).join("a.parquet"), b"z").unwrap();
    fs::write(file, other + "\n").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_made_anew_is_told_and_its_replica_stays() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[sales()], false).await.unwrap();
    // The second round sees the file of the version that was synced.
    for count in [1, 2] {
        run(&mut running, "sales").await;
        rounds(&mut running, "sales", count).await;
    }
    recreate(&lake, "in/sales/orders");
    for count in [3, 4] {
        run(&mut running, "sales").await;
        let found = rounds(&mut running, "sales", count).await;
        assert_eq!(reason(&found, "sales/orders").as_deref(), Some("SOURCE_REPLACED"), "{found:?}");
    }
    assert_eq!(lake.versions("out/sales/orders").len(), 1);
    assert_eq!(fs::read(lake.path("out/sales/orders/a.parquet")).unwrap(), b"a");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_budget_holds_holds_up_no_other_table() {
    let lake = lake();
    lake.commit("in/sales/big", 0, &[("a.parquet", &[0; 100_000])]);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    let with = |bytes| {
        let limit = Some(wire::budget::Limit::Bytes(bytes));
        let budget = Some(wire::Budget { limit, ..Default::default() });
        v1::ReplicationSpec { budget, ..sales() }
    };
    apply(&mut running, &[with(50_000)], false).await.unwrap();
    let is_held = |found: &v1::Replication| found.state() == State::WaitingForBudget;
    run(&mut running, "sales").await;
    let held = until(&mut running, "sales", is_held).await;
    let job = held.tables.iter().find(|table| table.path == "sales/big").unwrap().job.clone();

    lake.commit("in/sales/orders", 1, &[("b.parquet", b"b")]);
    run(&mut running, "sales").await;
    let next = until(&mut running, "sales", |found| {
        is_held(found) && found.last_rounds[0].number == Some(2)
    });
    let next = next.await;
    assert_eq!(lake.versions("out/sales/orders").len(), 2);
    assert_eq!(next.tables[0].job, job, "its job goes on");
    assert_eq!(next.last_rounds[1].tables_done, 2);
    assert!(next.last_rounds[1].cause.ends_with("; 1 held by a budget"), "{next:?}");
    drop(working);
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[with(1_000_000)], false).await.unwrap();
    let last = rounds(&mut running, "sales", 2).await;
    assert_eq!(last.last_rounds[0].number, Some(2), "{last:?}");
    assert_eq!(lake.versions("out/sales/big").len(), 1);
    let jobs = running.jobs.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner();
    assert_eq!(jobs.jobs.len(), 4, "no job is made twice");
}

/// The rates that the jobs of the tables have, by path.
async fn rates(running: &mut Running) -> BTreeMap<String, Option<i64>> {
    let found = get(running, "sales").await.unwrap();
    let mut rates = BTreeMap::new();
    for table in found.tables.into_iter().filter(|table| !table.job.is_empty()) {
        let request = v1::GetJobRequest { name: table.job };
        let job = running.jobs.get_job(request).await.unwrap().into_inner();
        let limits = job.spec.unwrap().limits.unwrap_or_default();
        rates.insert(table.path, limits.bytes_per_second);
    }
    rates
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_share_the_limit_of_their_replication() {
    const LIMIT: i64 = 1_000_001;
    let lake = lake();
    lake.commit("in/sales/third", 0, &[("a.parquet", b"a")]);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let limit = wire::Bandwidth { bytes_per_second: LIMIT, ..Default::default() };
    let limited = v1::ReplicationSpec { bandwidth: vec![limit], ..sales() };
    apply(&mut running, std::slice::from_ref(&limited), false).await.unwrap();
    run(&mut running, "sales").await;
    // Without a worker its jobs wait.
    let are_known = |found: &v1::Replication| {
        found.tables.len() == 3 && found.tables.iter().all(|table| !table.job.is_empty())
    };
    let found = until(&mut running, "sales", are_known).await;
    let third: Vec<_> = rates(&mut running).await.into_values().collect();
    assert_eq!(third, [Some(LIMIT / 3); 3]);
    // One ends, and the others share what it had; also after a restart.
    let cancel = v1::CancelJobRequest { name: found.tables[0].job.clone() };
    running.jobs.cancel_job(cancel).await.unwrap();
    until(&mut running, "sales", |found| found.tables[0].job.is_empty()).await;
    let half = BTreeMap::from(
        ["sales/orders", "sales/third"].map(|path| (path.to_owned(), Some(LIMIT / 2))),
    );
    assert_eq!(rates(&mut running).await, half);
    running.embedded.stop().await.unwrap();
    let mut running = Running::start(&lake, &place).await;
    assert_eq!(rates(&mut running).await, half);
    // Without the limit each has any number again.
    apply(&mut running, &[sales()], false).await.unwrap();
    assert!(rates(&mut running).await.into_values().all(|rate| rate.is_none()));
}
