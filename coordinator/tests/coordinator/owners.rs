//! Whose a replica is: two coordinators at one target, and two replications of one.

use std::sync::Arc;

use deepclone_coordinator::state::{MemoryStore, Place, RowChange, Store};
use deepclone_core::ids::Epoch;
use deepclone_core::reason::Reason;
use deepclone_proto::v1;
use deepclone_proto::v1::replication_change::Kind;

use crate::replications::{apply, get, lake, rounds, run, sales};
use crate::support::{Lake, Running, Worker};

/// Its tables that fail, each with the reason.
fn failures(found: &v1::Replication) -> Vec<String> {
    let failing = found.tables.iter().filter_map(|table| Some((table, table.failure.as_ref()?)));
    failing.map(|(table, failure)| format!("{} {}", table.path, failure.reason)).collect()
}

const OWNED: [&str; 2] = ["sales/items TARGET_OWNED", "sales/orders TARGET_OWNED"];

fn logs(lake: &Lake) -> Vec<usize> {
    let tables = ["out/sales/items", "out/sales/orders"];
    tables.iter().map(|table| lake.versions(table).len()).collect()
}

fn taking(name: &str) -> v1::ReplicationSpec {
    v1::ReplicationSpec { takes_over: vec![name.to_owned()], ..sales() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replicas_of_another_coordinator_are_refused_before_anything_is_kept() {
    let lake = lake();
    let mut one = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&one, &lake, "w").await.work();
    apply(&mut one, &[sales()], false).await.unwrap();
    run(&mut one, "sales").await;
    rounds(&mut one, "sales", 1).await;

    // The same file at a coordinator with another state.
    let mut two = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&two, &lake, "w").await.work();
    for (specs, validate_only) in [
        (vec![sales()], true),
        (vec![sales()], false),
        (vec![taking("other")], false),
        (vec![v1::ReplicationSpec { include: vec!["sales/orders".into()], ..sales() }], false),
    ] {
        let failure = apply(&mut two, &specs, validate_only).await.unwrap_err();
        assert_eq!(failure.reason, Reason::TargetOwned, "{failure}");
        assert!(failure.message.contains("takes_over = [\"sales\"]"), "{failure}");
        let details = [&failure.details["replication"], &failure.details["field"]];
        assert_eq!(details, ["sales", "target"]);
        assert!(get(&mut two, "sales").await.is_err(), "nothing is kept");
    }

    // Others at the same target are no matter.
    let elsewhere = v1::ReplicationSpec { include: vec!["other/**".into()], ..sales() };
    apply(&mut two, &[elsewhere], false).await.unwrap();
    let changed = apply(&mut two, &[sales()], false).await.unwrap_err();
    assert_eq!(changed.reason, Reason::TargetOwned, "a change meets them, too");

    apply(&mut two, &[taking("sales")], false).await.unwrap();
    run(&mut two, "sales").await;
    let taken = rounds(&mut two, "sales", 1).await;
    assert_eq!(failures(&taken), [""; 0]);
    assert_eq!(logs(&lake), [2, 2], "a commit says whose they are now");

    // Also where the source has nothing new.
    lake.commit("in/sales/orders", 1, &[("b.parquet", b"b")]);
    run(&mut one, "sales").await;
    let lost = rounds(&mut one, "sales", 2).await;
    assert_eq!(failures(&lost), OWNED);
    assert_eq!(logs(&lake), [2, 2], "the replicas are unchanged");
    assert_eq!(lost.last_rounds[0].tables_failed, 2, "they are not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_apply_could_not_know_is_refused_by_the_sync() {
    let lake = lake();
    let mut one = Running::start(&lake, &Place::Private).await;
    let mut two = Running::start(&lake, &Place::Private).await;
    for running in [&mut one, &mut two] {
        apply(running, &[sales()], false).await.unwrap();
    }
    let _working = Worker::register(&one, &lake, "w").await.work();
    let _working = Worker::register(&two, &lake, "w").await.work();
    run(&mut one, "sales").await;
    assert_eq!(failures(&rounds(&mut one, "sales", 1).await), [""; 0]);
    run(&mut two, "sales").await;
    assert_eq!(failures(&rounds(&mut two, "sales", 1).await), OWNED);
    assert_eq!(logs(&lake), [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_keeps_its_replicas_over_a_rename_a_restart_and_a_retirement() {
    let lake = lake();
    // A state of before replicas had owners: its first start gives the replication an identity.
    let store = Arc::new(MemoryStore::default());
    let mut running = Running::over(&lake, store.clone()).await;
    apply(&mut running, &[sales()], false).await.unwrap();
    running.embedded.stop().await.unwrap();
    let rows = store.replication_rows().await.unwrap();
    let owners = rows.into_iter().filter(|row| row.key.kind == "owner");
    let dropped: Vec<_> = owners.map(|row| RowChange { key: row.key, body: None }).collect();
    assert_eq!(dropped.len(), 1);
    let epoch = store.lead(Epoch(0)).await.unwrap();
    store.change_rows(epoch, &dropped).await.unwrap();

    let renamed = v1::ReplicationSpec {
        name: "shop".to_owned(),
        renamed_from: vec!["sales".to_owned()],
        ..sales()
    };
    let other =
        v1::ReplicationSpec { name: "other".to_owned(), include: vec!["x".to_owned()], ..sales() };
    for (version, (name, sets)) in [
        ("sales", vec![]),
        ("shop", vec![renamed.clone()]),
        ("shop", vec![other, v1::ReplicationSpec { renamed_from: vec![], ..renamed }]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut running = Running::over(&lake, store.clone()).await;
        let _working = Worker::register(&running, &lake, "w").await.work();
        for set in sets {
            apply(&mut running, &[set], false).await.unwrap();
        }
        if version > 0 {
            lake.commit("in/sales/orders", version as u64, &[("n.parquet", b"b")]);
        }
        run(&mut running, name).await;
        let found = rounds(&mut running, name, version + 1).await;
        assert_eq!(failures(&found), [""; 0], "{name}");
        assert_eq!(lake.versions("out/sales/orders").len(), version + 1, "{name}");
        running.embedded.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replications_whose_patterns_meet_the_second_fails_at_that_table() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let named = |name: &str, include: &str| v1::ReplicationSpec {
        name: name.to_owned(),
        include: vec![include.to_owned()],
        ..sales()
    };
    let both = [named("a", "sales/**"), named("b", "*/orders")];
    let changes = apply(&mut running, &both, false).await.unwrap();
    assert!(changes.iter().all(|(_, kind, _)| *kind == Kind::Create), "{changes:?}");
    // Both at once.
    for name in ["a", "b"] {
        run(&mut running, name).await;
    }
    let mut failed = Vec::new();
    for name in ["a", "b"] {
        let found = rounds(&mut running, name, 1).await;
        failed.extend(failures(&found));
        let total: i64 = found.last_rounds.iter().map(|round| round.bytes_read).sum();
        assert!(total <= 2, "nothing is copied twice: {found:?}");
    }
    assert_eq!(failed, OWNED[1..]);
    assert_eq!(logs(&lake), [1, 1]);
}
