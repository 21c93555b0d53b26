//! Standing orders: declared, run, paused, renamed, retired.

use std::sync::Arc;

use deepclone_coordinator::state::{Place, ReplicationRow, SqliteStore, Store};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1::replication::State;
use deepclone_proto::v1::replication_change::Kind;
use deepclone_proto::v1::verdict::Readiness;
use deepclone_proto::v1::{self, replication_spec as wire};

use crate::support::{Lake, Running, Worker};

/// A replication of everything below `sales`, due once a year.
pub(crate) fn sales() -> v1::ReplicationSpec {
    let every = prost_types::Duration { seconds: 366 * 86_400, nanos: 0 };
    let due = Some(wire::schedule::Due::Every(every));
    v1::ReplicationSpec {
        name: "sales".to_owned(),
        group: "dr".to_owned(),
        source: "in".to_owned(),
        target: "out".to_owned(),
        include: vec!["sales/**".to_owned()],
        exclude: vec!["**/tmp_*".to_owned()],
        schedule: Some(wire::Schedule { due, spread: None }),
        ..Default::default()
    }
}

/// A lake with the tables `in/sales/orders` and `in/sales/items`, and one that is left out.
pub(crate) fn lake() -> Lake {
    let lake = Lake::new();
    for table in ["in/sales/orders", "in/sales/items", "in/sales/tmp_x"] {
        lake.commit(table, 0, &[("a.parquet", b"a")]);
    }
    std::fs::create_dir_all(lake.path("out")).unwrap();
    lake
}

pub(crate) async fn apply(
    running: &mut Running,
    specs: &[v1::ReplicationSpec],
    validate_only: bool,
) -> Result<Vec<(String, Kind, Vec<String>)>, Failure> {
    let replications = specs.to_vec();
    let budgets = Vec::new();
    let request = v1::ApplyReplicationsRequest { replications, validate_only, budgets };
    let answer = running.replications.apply_replications(request).await;
    let changes = answer.map_err(|status| from_status(&status))?.into_inner().changes;
    Ok(changes.into_iter().map(|one| (one.name.clone(), one.kind(), one.changed_fields)).collect())
}

pub(crate) async fn get(running: &mut Running, name: &str) -> Result<v1::Replication, Failure> {
    let request = v1::GetReplicationRequest { name: format!("replications/{name}") };
    let answer = running.replications.get_replication(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

pub(crate) async fn run(running: &mut Running, name: &str) {
    let request = v1::RunReplicationRequest { name: format!("replications/{name}") };
    running.replications.run_replication(request).await.unwrap();
}

/// Waits until the replication has so many ended rounds, and none under way.
pub(crate) async fn rounds(running: &mut Running, name: &str, count: usize) -> v1::Replication {
    let have_ended = |found: &v1::Replication| {
        let ended = found.last_rounds.iter().filter(|round| round.end_time.is_some()).count();
        ended >= count && found.state() != State::Running
    };
    until(running, name, have_ended).await
}

/// Waits until the replication is so.
pub(crate) async fn until(
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
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), patient).await.expect("it is never so")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_set_is_kept_and_each_round_copies_what_is_behind() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let name = "replications/sales".to_owned();
    let created = [(name.clone(), Kind::Create, vec![])];
    for validate_only in [true, false] {
        assert_eq!(apply(&mut running, &[sales()], validate_only).await.unwrap(), created);
        assert_eq!(get(&mut running, "sales").await.is_ok(), !validate_only);
    }
    let unchanged = [(name, Kind::Unchanged, vec![])];
    assert_eq!(apply(&mut running, &[sales()], false).await.unwrap(), unchanged);

    let waiting = get(&mut running, "sales").await.unwrap();
    assert_eq!(waiting.state(), State::WaitingForSlot, "{waiting:?}");
    assert_eq!(waiting.next_slots.len(), 5);
    assert_eq!(waiting.verdict.unwrap().readiness(), Readiness::Unknown);

    run(&mut running, "sales").await;
    let first = rounds(&mut running, "sales", 1).await;
    let round = &first.last_rounds[0];
    assert_eq!((round.number, round.tables_done, round.tables_failed), (Some(1), 2, 0));
    let paths: Vec<&str> = first.tables.iter().map(|table| &*table.path).collect();
    assert_eq!(paths, ["sales/items", "sales/orders"]);
    assert_eq!(first.verdict.as_ref().unwrap().readiness(), Readiness::Yes, "{first:?}");
    for table in ["out/sales/orders", "out/sales/items"] {
        assert_eq!(lake.versions(table).len(), 1, "{table}");
    }
    assert!(lake.versions("out/sales/tmp_x").is_empty());

    // Only what changed gets a job; a table that is new is found.
    lake.commit("in/sales/orders", 1, &[("b.parquet", b"b")]);
    lake.commit("in/sales/new", 0, &[("a.parquet", b"a")]);
    lake.commit("in/sales/tmp_new", 0, &[("a.parquet", b"a")]);
    run(&mut running, "sales").await;
    let second = rounds(&mut running, "sales", 2).await;
    assert_eq!(second.last_rounds[0].tables_done, 2, "{second:?}");
    assert_eq!(lake.versions("out/sales/orders").len(), 2);
    assert_eq!(lake.versions("out/sales/items").len(), 1);
    assert_eq!(lake.versions("out/sales/new").len(), 1);
    assert!(lake.versions("out/sales/tmp_new").is_empty(), "new tables are left out, too");
    let versions: Vec<_> = second.tables.iter().map(|table| table.replicated_version).collect();
    assert_eq!(versions, [Some(0), Some(0), Some(1)]);
}

/// The samples of the lag that are kept: seconds since 1970, and of the lag where it was known.
async fn lags(store: &dyn Store) -> Vec<(u32, Option<u32>)> {
    let rows = store.replication_rows().await.unwrap();
    let of_lag = rows.iter().filter(|row| row.key.kind == "lag");
    let samples = |row: &ReplicationRow| -> Vec<_> { serde_json::from_slice(&row.body).unwrap() };
    of_lag.flat_map(samples).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_round_tells_the_lag_and_a_round_right_after_it_does_not() {
    let lake = lake();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&Place::Private).await.unwrap());
    let mut running = Running::over(&lake, Arc::clone(&store)).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[sales()], false).await.unwrap();
    for count in 1..=2 {
        run(&mut running, "sales").await;
        rounds(&mut running, "sales", count).await;
        let found = lags(&*store).await;
        assert!(matches!(found[..], [(1_700_000_000.., Some(0))]), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_outlives_a_restart_also_in_the_middle_of_a_round() {
    let lake = lake();
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    apply(&mut running, &[sales()], false).await.unwrap();
    run(&mut running, "sales").await;
    // Without a worker its jobs wait.
    let both = async {
        while get(&mut running, "sales")
            .await
            .unwrap()
            .tables
            .iter()
            .any(|table| table.job.is_empty())
            || get(&mut running, "sales").await.unwrap().tables.len() < 2
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), both).await.expect("no jobs");
    let before = get(&mut running, "sales").await.unwrap();
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let after = rounds(&mut running, "sales", 1).await;
    assert_eq!(after.last_rounds[0].number, Some(1), "the same round goes on");
    assert_eq!(after.last_rounds[0].tables_done, 2);
    assert_eq!(after.create_time, before.create_time);
    let jobs = running.jobs.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner();
    let names: std::collections::BTreeSet<String> =
        jobs.jobs.into_iter().map(|job| job.name).collect();
    let asked = before.tables.into_iter().map(|table| table.job).collect();
    assert_eq!(names, asked, "no job is made twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_replication_waits_and_a_renamed_one_goes_on_and_a_retired_one_keeps_its_data() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[sales()], false).await.unwrap();
    let name = "replications/sales".to_owned();
    let pause = v1::PauseReplicationRequest { name: name.clone(), until_time: None };
    let paused = running.replications.pause_replication(pause).await.unwrap().into_inner();
    assert_eq!(paused.state(), State::Paused);
    run(&mut running, "sales").await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(lake.versions("out/sales/orders").is_empty());
    let resume = v1::ResumeReplicationRequest { name };
    running.replications.resume_replication(resume).await.unwrap();
    rounds(&mut running, "sales", 1).await;
    assert_eq!(lake.versions("out/sales/orders").len(), 1);

    let renamed = v1::ReplicationSpec {
        name: "orders-dr".to_owned(),
        renamed_from: vec!["sales".to_owned()],
        owner: "finance".to_owned(),
        ..sales()
    };
    let changes = apply(&mut running, &[renamed], false).await.unwrap();
    let fields = ["renamed_from", "owner"].map(str::to_owned).to_vec();
    assert_eq!(changes, [("replications/orders-dr".to_owned(), Kind::Rename, fields)]);
    let found = get(&mut running, "orders-dr").await.unwrap();
    assert_eq!(found.tables.iter().filter(|table| table.replicated_version.is_some()).count(), 2);

    let other = v1::ReplicationSpec {
        name: "other".to_owned(),
        include: vec!["other/x".to_owned()],
        ..sales()
    };
    let changes = apply(&mut running, &[other], false).await.unwrap();
    let kinds: Vec<_> = changes.iter().map(|(name, kind, _)| (name.as_str(), *kind)).collect();
    let retired = ("replications/orders-dr", Kind::Retire);
    assert_eq!(kinds, [("replications/other", Kind::Create), retired]);
    assert_eq!(
        get(&mut running, "orders-dr").await.unwrap_err().reason,
        Reason::ReplicationNotFound
    );
    assert_eq!(lake.versions("out/sales/orders").len(), 1, "data is never touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_with_a_mistake_changes_nothing_and_names_the_field() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    apply(&mut running, &[sales()], false).await.unwrap();
    let changed = |change: fn(&mut v1::ReplicationSpec)| {
        let mut spec = sales();
        change(&mut spec);
        vec![spec]
    };
    for (specs, field, part) in [
        (vec![], "replication", "there is none"),
        (changed(|spec| spec.source = "nowhere".to_owned()), "source", "nowhere"),
        (changed(|spec| spec.target = "in".to_owned()), "target", "source"),
        (changed(|spec| spec.include = vec![]), "include", "empty"),
        (changed(|spec| spec.time_zone = "Mars/Olympus".to_owned()), "time_zone", "Mars/Olympus"),
        (
            changed(|spec| {
                let due = Some(wire::schedule::Due::Cron("61 * * * *".to_owned()));
                spec.schedule = Some(wire::Schedule { due, spread: None });
            }),
            "schedule",
            "61",
        ),
        (vec![sales(), sales()], "name", "sales"),
    ] {
        let failure = apply(&mut running, &specs, false).await.unwrap_err();
        assert_eq!(failure.reason, Reason::InvalidArgument, "{failure}");
        assert!(failure.details["field"].starts_with(field), "{field}: {failure:?}");
        assert!(failure.message.contains(part), "{part}: {failure}");
        let kept = get(&mut running, "sales").await.unwrap();
        assert_eq!(kept.spec.unwrap().include, sales().include);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_is_named_and_nothing_turns_green_by_it() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let named = v1::ReplicationSpec {
        include: vec!["sales/orders".to_owned(), "sales/absent".to_owned()],
        ..sales()
    };
    apply(&mut running, &[named], false).await.unwrap();
    run(&mut running, "sales").await;
    let found = rounds(&mut running, "sales", 1).await;
    let absent = &found.tables[0];
    assert_eq!(absent.path, "sales/absent");
    assert_eq!(absent.failure.as_ref().unwrap().reason, "NOT_A_DELTA_TABLE");
    assert_eq!(found.verdict.as_ref().unwrap().readiness(), Readiness::No);
    assert_eq!(found.tables[1].replicated_version, Some(0));
    assert!(found.lag.unwrap().initial_copy);
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_windows_let_nothing_begin_and_their_end_is_shown() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    // An hour ago until in two hours.
    let minutes = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 60 + 24 * 60;
    let clock = |minutes: u64| format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
    let deny = wire::Window {
        kind: wire::window::Kind::Deny.into(),
        days: "daily".to_owned(),
        from: clock(minutes - 60),
        to: clock(minutes + 120),
    };
    let closed = v1::ReplicationSpec { windows: vec![deny], ..sales() };
    apply(&mut running, &[closed], false).await.unwrap();
    run(&mut running, "sales").await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let found = get(&mut running, "sales").await.unwrap();
    assert_eq!(found.state(), State::WaitingForWindow, "{found:?}");
    assert!(found.until_time.is_some(), "{found:?}");
    assert!(lake.versions("out/sales/orders").is_empty());
    // The file is changed: what waited begins at once.
    apply(&mut running, &[sales()], false).await.unwrap();
    rounds(&mut running, "sales", 1).await;
    assert_eq!(lake.versions("out/sales/orders").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_what_does_not_fit_until_it_is_raised_and_outlives_a_restart() {
    let lake = lake();
    lake.commit("in/sales/big", 0, &[("a.parquet", &[0; 100_000])]);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let with = |bytes| {
        let limit = Some(wire::budget::Limit::Bytes(bytes));
        v1::ReplicationSpec {
            budget: Some(wire::Budget { limit, ..Default::default() }),
            ..sales()
        }
    };
    let working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[with(50_000)], false).await.unwrap();
    run(&mut running, "sales").await;
    let held = until(&mut running, "sales", |found| found.state() == State::WaitingForBudget).await;
    assert_eq!(held.reason, "a copy needs more than the budget of a month");
    assert_eq!(lake.versions("out/sales/orders").len(), 1, "what fits is copied");
    assert!(lake.versions("out/sales/big").is_empty());
    let spent = |found: &v1::Replication| found.budgets[0].spent.clone().unwrap().unit.unwrap();
    // Logs count, too; that of the table that waits is booked when it goes on.
    let log = |table: &str| {
        let commit = lake.path(table).join("_delta_log/00000000000000000000.json");
        i64::try_from(std::fs::metadata(commit).unwrap().len()).unwrap()
    };
    let copied = 2 + log("in/sales/orders") + log("in/sales/items");
    assert_eq!(spent(&held), v1::replication::amount::Unit::Bytes(copied));
    drop(working);
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let found = get(&mut running, "sales").await.unwrap();
    assert_eq!(found.state(), State::WaitingForBudget, "{found:?}");
    assert!(lake.versions("out/sales/big").is_empty());
    apply(&mut running, &[with(1_000_000)], false).await.unwrap();
    let found = rounds(&mut running, "sales", 1).await;
    assert_eq!(found.last_rounds[0].tables_done, 3, "{found:?}");
    // It was planned once more after the restart.
    let all = copied + 100_000 + 2 * log("in/sales/big");
    assert_eq!(spent(&found), v1::replication::amount::Unit::Bytes(all));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_that_moves_to_another_target_knows_nothing_of_it_also_after_a_restart() {
    let lake = lake();
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    let named = v1::ReplicationSpec { include: vec!["sales/orders".to_owned()], ..sales() };
    apply(&mut running, std::slice::from_ref(&named), false).await.unwrap();
    run(&mut running, "sales").await;
    rounds(&mut running, "sales", 1).await;
    let moved = v1::ReplicationSpec { target: "lake".to_owned(), ..named };
    apply(&mut running, &[moved], false).await.unwrap();
    drop(working);
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let found = get(&mut running, "sales").await.unwrap();
    assert_eq!(found.tables[0].replicated_version, None, "{found:?}");
    assert_eq!(found.verdict.unwrap().readiness(), Readiness::No);
    run(&mut running, "sales").await;
    rounds(&mut running, "sales", 2).await;
    assert_eq!(lake.versions("sales/orders").len(), 1);
}
