//! Tables that come and go at the source: large new ones wait for approval, lost ones are held.

use deepclone_coordinator::state::Place;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::verdict::Readiness;

use crate::replications::{apply, get, lake, rounds, run, sales};
use crate::support::{Running, Worker};

async fn approve(running: &mut Running, paths: &[&str]) -> Result<v1::Replication, Failure> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = v1::ApproveTablesRequest { name: "replications/sales".to_owned(), paths };
    let answer = running.replications.approve_tables(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

fn waiting(found: &v1::Replication) -> Vec<(&str, i64)> {
    found.unapproved.iter().map(|table| (&*table.path, table.bytes)).collect()
}

fn paths(found: &v1::Replication) -> Vec<&str> {
    found.tables.iter().map(|table| &*table.path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_new_table_waits_until_somebody_approves_or_names_it() {
    let lake = lake();
    let large = |table: &str| lake.commit(table, 0, &[("a.parquet", &[0; 100])]);
    large("in/sales/first");
    let asking = v1::ReplicationSpec { ask_above_bytes: Some(50), ..sales() };
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, std::slice::from_ref(&asking), false).await.unwrap();
    run(&mut running, "sales").await;
    let first = rounds(&mut running, "sales", 1).await;
    assert_eq!(waiting(&first), [], "what the first round finds was meant");
    assert_eq!(lake.versions("out/sales/first").len(), 1);

    for table in ["in/sales/large", "in/sales/named", "in/sales/lost"] {
        large(table);
    }
    lake.commit("in/sales/small", 0, &[("a.parquet", &[0; 50])]);
    run(&mut running, "sales").await;
    let second = rounds(&mut running, "sales", 2).await;
    let all = [("sales/large", 100), ("sales/lost", 100), ("sales/named", 100)];
    assert_eq!(waiting(&second), all);
    assert_eq!(paths(&second), ["sales/first", "sales/items", "sales/orders", "sales/small"]);
    assert_eq!(second.verdict.as_ref().unwrap().readiness(), Readiness::Yes);
    assert!(lake.versions("out/sales/large").is_empty());
    drop(working);
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    assert_eq!(waiting(&get(&mut running, "sales").await.unwrap()), all);
    let refused = approve(&mut running, &["sales/large", "sales/larg"]).await.unwrap_err();
    assert_eq!(refused.reason, Reason::InvalidArgument, "{refused}");
    assert!(refused.message.contains("sales/larg\""), "{refused}");
    assert_eq!(approve(&mut running, &[]).await.unwrap_err().reason, Reason::InvalidArgument);
    assert_eq!(waiting(&get(&mut running, "sales").await.unwrap()), all, "all or none");
    for _twice in 0..2 {
        let approved = approve(&mut running, &["sales/large", "sales/first"]).await.unwrap();
        assert_eq!(waiting(&approved), all[1..]);
    }
    std::fs::remove_dir_all(lake.path("in/sales/lost")).unwrap();
    let include = vec!["sales/**".to_owned(), "sales/named".to_owned()];
    apply(&mut running, &[v1::ReplicationSpec { include, ..asking }], false).await.unwrap();
    run(&mut running, "sales").await;
    let third = rounds(&mut running, "sales", 3).await;
    assert_eq!(waiting(&third), [], "one is approved, one is named, one is gone");
    for table in ["out/sales/large", "out/sales/named"] {
        assert_eq!(lake.versions(table).len(), 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_gone_from_the_source_fails_and_its_replica_stays() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let include = vec!["sales/orders".to_owned(), "sales/i*".to_owned()];
    apply(&mut running, &[v1::ReplicationSpec { include, ..sales() }], false).await.unwrap();
    run(&mut running, "sales").await;
    rounds(&mut running, "sales", 1).await;
    for table in ["in/sales/orders", "in/sales/items"] {
        std::fs::remove_dir_all(lake.path(table).join("_delta_log")).unwrap();
    }
    run(&mut running, "sales").await;
    let found = rounds(&mut running, "sales", 2).await;
    assert_eq!(paths(&found), ["sales/items", "sales/orders"]);
    for table in &found.tables {
        let failure = table.failure.as_ref().unwrap();
        assert_eq!(failure.reason, "NOT_A_DELTA_TABLE", "{table:?}");
        assert_eq!(lake.versions(&format!("out/{}", table.path)).len(), 1, "{table:?}");
    }
}
