//! The memory that plans ask for before they read a table.

use std::sync::Mutex;

use deepclone_core::ids::JobId;
use deepclone_delta::changes::{Within, plan_sync_within};
use deepclone_delta::sync::PlanRoom;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::ObjectStoreExt as _;
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use crate::support::*;

/// Lends all that is asked for, and remembers it.
#[derive(Debug, Default)]
struct Lent(Mutex<Vec<u64>>);

impl PlanRoom for Lent {
    fn take(&self, bytes: u64) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().push(bytes);
        futures::future::ready(()).boxed()
    }
}

/// What a plan asks for, one after another.
async fn asked(source: &Table, target: &Table, reads_whole: bool) -> Vec<u64> {
    let lent = Lent::default();
    let within = Within { reads_whole, room: Some(&lent), ..Within::default() };
    let job = JobId(Uuid::new_v4());
    plan_sync_within(&source.store, &target.store, &spec(), job, &within).await.unwrap();
    lent.0.into_inner().unwrap()
}

async fn size(table: &Table, name: &str) -> u64 {
    table.store.store.head(&table.path(&format!("_delta_log/{name}"))).await.unwrap().size
}

#[tokio::test]
async fn a_plan_asks_for_the_memory_of_what_it_reads() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    let commit = |version: u64| format!("{version:020}.json");
    let first = size(&source, &commit(0)).await;
    // Without a checkpoint it cannot be planned while it is read.
    assert_eq!(asked(&source, &target, false).await, [first * 6, first * 6]);

    sync_equal(&source, &target, &spec()).await;
    assert_eq!(asked(&source, &target, false).await, [] as [u64; 0], "nothing is new");
    source.commit(&[add("c1")]).await;
    let newer = size(&source, &commit(1)).await;
    assert_eq!(asked(&source, &target, false).await, [newer * 6]);
    let replica = size(&target, &commit(0)).await;
    assert_eq!(asked(&source, &target, true).await, [(first + newer + replica) * 6]);

    let files = [add("a1"), add("b1"), add("c1")];
    let rows = [&[protocol(1, 2), metadata("source-id", json!({}))][..], &files].concat();
    let name = source.checkpoint(1, &rows).await;
    let checkpoint = size(&source, name.strip_prefix("_delta_log/").unwrap()).await;
    let other = Table::new("other");
    assert_eq!(asked(&source, &other, false).await, [checkpoint * 3]);
    assert_eq!(asked(&source, &other, true).await, [checkpoint * 20]);
}

/// What a plan tells of a first sync.
async fn told(source: &Table, target: &Table) -> u64 {
    let (first_sync, told) = watch::channel(0);
    let within = Within { first_sync: Some(&first_sync), ..Within::default() };
    let job = JobId(Uuid::new_v4());
    let _plan = plan_sync_within(&source.store, &target.store, &spec(), job, &within).await;
    *told.borrow()
}

#[tokio::test]
async fn a_first_sync_is_told_by_the_bytes_of_a_log_that_is_there() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    let commit = "00000000000000000000.json";
    assert_eq!(told(&Table::new("nothing"), &target).await, 0);
    assert_eq!(told(&source, &target).await, size(&source, commit).await);
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("c1")]).await;
    assert_eq!(told(&source, &target).await, 0, "the replica is there");
    // A source that will be refused is there, too.
    let bad = Table::new("bad");
    bad.put(&format!("_delta_log/{commit}"), b"no action".to_vec()).await;
    assert_eq!(told(&bad, &Table::new("empty")).await, 9);
}
