//! Which replication a replica belongs to: stamped by each sync, kept, taken over, refused.

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::ownership::{OwnerClaim, ReplicaOwner};
use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use deepclone_delta::changes::{ChangeSet, SyncPlan, Within, plan_sync_within};
use deepclone_delta::log;
use deepclone_delta::publish::{PublishResult, finish, publish};
use deepclone_delta::stamp;
use uuid::Uuid;

use crate::support::*;

const COMMIT: &str = "_delta_log/00000000000000000000.json";

fn claim(name: &str, id: u128, takes_over: &[&str]) -> OwnerClaim {
    let owner = ReplicaOwner { name: name.to_owned(), id: Uuid::from_u128(id) };
    OwnerClaim { owner, takes_over: takes_over.iter().map(|name| (*name).to_owned()).collect() }
}

async fn plan_as(
    (source, target): (&Table, &Table),
    spec: &CloneSpec,
    claim: &OwnerClaim,
) -> Result<Option<Box<ChangeSet>>, Failure> {
    let within = Within { claim: Some(claim), ..Within::default() };
    // Two coordinators may give two syncs the same id.
    let job = JobId(Uuid::from_u128(u128::from(log::head(&source.store).await.unwrap().unwrap())));
    let plan = plan_sync_within(&source.store, &target.store, spec, job, &within).await;
    match plan.map_err(|error| error.failure())? {
        SyncPlan::UpToDate(_) | SyncPlan::Published(_) => Ok(None),
        SyncPlan::Change(change_set) => Ok(Some(change_set)),
    }
}

/// Returns whether there was something to publish.
async fn sync_as(source: &Table, target: &Table, claim: &OwnerClaim) -> Result<bool, Failure> {
    let Some(change_set) = plan_as((source, target), &spec(), claim).await? else {
        return Ok(false);
    };
    copy(source, target, &change_set).await;
    let published = publish(&target.store, &change_set, tick()).await.unwrap();
    let PublishResult::Published(committed) = published else { panic!("nobody else was there") };
    finish(&target.store, &committed, Some(&change_set)).await.unwrap();
    assert_valid(target).await;
    Ok(true)
}

/// The name and the number of the replication that the replica belongs to.
async fn owner(target: &Table) -> Option<(String, u128)> {
    let owner = stamp::read(&target.store).await.unwrap().expect("there is no replica").owner;
    owner.map(|owner| (owner.name, owner.id.as_u128()))
}

async fn assert_refused(source: &Table, target: &Table, claim: &OwnerClaim) {
    let before = target.head().await;
    let failure = sync_as(source, target, claim).await.unwrap_err();
    assert_eq!(failure.reason, Reason::TargetOwned, "{failure}");
    assert_eq!(target.head().await, before, "a refusal writes nothing");
}

#[tokio::test]
async fn a_replica_keeps_its_owner_until_another_may_take_it() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    assert_eq!(stamp::read(&target.store).await.unwrap(), None);
    let (shop, store) = (claim("shop", 1, &[]), claim("store", 1, &[]));
    let (other, again) = (claim("other", 2, &["sales"]), claim("shop", 3, &[]));

    assert!(sync_as(&source, &target, &shop).await.unwrap());
    assert_eq!(owner(&target).await, Some(("shop".to_owned(), 1)));
    let recorded = stamp::read(&target.store).await.unwrap().unwrap().source_uri;
    assert_eq!(recorded, source.store.uri);
    assert!(!sync_as(&source, &target, &shop).await.unwrap(), "nothing is new");
    // Nothing to copy, or something: neither is for others.
    for version in 0..2 {
        assert_refused(&source, &target, &other).await;
        assert_refused(&source, &target, &again).await;
        // A new name alone is no commit.
        assert_eq!(sync_as(&source, &target, &store).await.unwrap(), version > 0);
        source.commit(&[add(&format!("n{version}"))]).await;
    }
    assert_eq!(owner(&target).await, Some(("store".to_owned(), 1)));

    // A sync by hand goes on, and keeps the owner.
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(owner(&target).await, Some(("store".to_owned(), 1)));

    let heir = claim("heir", 4, &["store"]);
    assert!(sync_as(&source, &target, &heir).await.unwrap(), "it is stamped at once");
    assert_eq!(owner(&target).await, Some(("heir".to_owned(), 4)));
    assert_eq!(target.snapshot().await.files.len(), source.snapshot().await.files.len());
    assert_refused(&source, &target, &store).await;
}

#[tokio::test]
async fn a_replica_without_an_owner_is_adopted() {
    let (source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(owner(&target).await, None);
    let adopts = claim("shop", 1, &[]);
    let change_set = plan_as((&source, &target), &spec(), &adopts).await.unwrap().unwrap();
    assert!(change_set.objects.is_empty(), "0 bytes");
    assert!(sync_as(&source, &target, &adopts).await.unwrap());
    assert_eq!(owner(&target).await, Some(("shop".to_owned(), 1)));
    assert_refused(&source, &target, &claim("other", 2, &[])).await;
}

#[tokio::test]
async fn of_two_that_plan_at_once_the_second_is_refused_by_the_head_that_it_meets() {
    let (source, target) = (small_source().await, Table::new("target"));
    let (one, two) = (claim("shop", 1, &[]), claim("shop", 2, &[]));
    let late = plan_as((&source, &target), &spec(), &two).await.unwrap().unwrap();
    assert!(sync_as(&source, &target, &one).await.unwrap());
    let published = publish(&target.store, &late, tick()).await.unwrap();
    assert_eq!(published, PublishResult::Rebase, "it is planned again");
    assert_refused(&source, &target, &two).await;
}

#[tokio::test]
async fn the_hint_beside_the_log_tells_the_owner_when_the_commit_is_gone() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    let shop = claim("shop", 1, &[]);
    sync_as(&source, &target, &shop).await.unwrap();
    let state = target.read(0).await.actions.iter().map(|action| action.to_json()).collect();
    let lines: Vec<String> = state;
    let actions: Vec<_> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    target.checkpoint(0, &actions[1..]).await;
    target.delete(COMMIT).await;
    assert_eq!(owner(&target).await, Some(("shop".to_owned(), 1)));
    source.commit(&[add("n1")]).await;
    assert_refused(&source, &target, &claim("shop", 2, &[])).await;
    assert!(sync_as(&source, &target, &shop).await.unwrap());
}
