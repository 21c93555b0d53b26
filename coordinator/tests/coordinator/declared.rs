//! What a declaration would do, said before it is done: kinds, tables, bytes.

use deepclone_coordinator::state::Place;
use deepclone_proto::v1;
use deepclone_proto::v1::replication_change::Kind;

use crate::replications::{apply, get, lake, rounds, run, sales};
use crate::support::{Running, Worker};

async fn diff(running: &mut Running, spec: &v1::ReplicationSpec) -> v1::ReplicationChange {
    let replications = vec![spec.clone()];
    let request =
        v1::ApplyReplicationsRequest { replications, validate_only: true, budgets: vec![] };
    let answer = running.replications.apply_replications(request).await.unwrap().into_inner();
    answer.changes.into_iter().next().unwrap()
}

/// The kind, the tables, those that are new, replicas, bytes, and whether there are more.
type Said = (Kind, Option<i64>, Option<i64>, Option<i64>, Option<i64>, bool);

fn said(change: &v1::ReplicationChange) -> Said {
    let v1::ReplicationChange { tables, new_tables, replicas, bytes, bytes_at_least, .. } = *change;
    (change.kind(), tables, new_tables, replicas, bytes, bytes_at_least)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_says_what_it_finds_and_would_copy() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let created = diff(&mut running, &sales()).await;
    let expect = (Kind::Create, Some(2), Some(2), Some(0), Some(2), false);
    assert_eq!(said(&created), expect);
    // What stays on one machine costs nothing.
    let nothing = v1::Money { micros: 0, currency: "USD".to_owned() };
    assert_eq!((created.notices, created.cost), (vec![], Some(nothing)));
    assert!(get(&mut running, "sales").await.is_err(), "nothing is changed");

    // One replica was cloned by hand, and one target is no replica.
    let cloned = running.create(lake.spec("in/sales/orders", "out/sales/orders")).await.unwrap();
    running.finish(&cloned.name).await;
    let adopted = diff(&mut running, &sales()).await;
    assert_eq!(said(&adopted), (Kind::Adopt, Some(2), Some(2), Some(1), Some(1), false));
    lake.commit("out/sales/items", 0, &[("x.parquet", b"x")]);
    let refused = diff(&mut running, &sales()).await;
    assert_eq!(said(&refused), (Kind::Adopt, Some(2), Some(2), Some(1), Some(0), true));
    assert!(refused.notices[0].starts_with("sales/items: "), "{:?}", refused.notices);
    assert!(refused.notices[0].contains("never wrote"), "{:?}", refused.notices);
    std::fs::remove_dir_all(lake.path("out/sales/items")).unwrap();

    apply(&mut running, &[sales()], false).await.unwrap();
    run(&mut running, "sales").await;
    rounds(&mut running, "sales", 1).await;
    let same = diff(&mut running, &sales()).await;
    assert_eq!(said(&same), (Kind::Unchanged, None, None, None, None, false));

    // What is copied already is not counted; at another place it is.
    let more = v1::ReplicationSpec { exclude: vec![], ..sales() };
    let changed = diff(&mut running, &more).await;
    assert_eq!(said(&changed), (Kind::Change, Some(3), Some(1), Some(2), Some(1), false));
    let moved = v1::ReplicationSpec {
        target: "lake".to_owned(),
        include: vec!["sales/orders".to_owned()],
        ..sales()
    };
    let changed = diff(&mut running, &moved).await;
    assert_eq!(said(&changed), (Kind::Change, Some(1), Some(1), Some(0), Some(1), false));
    let renamed = v1::ReplicationSpec {
        name: "shop".to_owned(),
        renamed_from: vec!["sales".to_owned()],
        ..sales()
    };
    let renamed = diff(&mut running, &renamed).await;
    assert_eq!(said(&renamed), (Kind::Rename, None, None, None, None, false));
}
