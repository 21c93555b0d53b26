//! Whether a replica and its source are what the last sync left, told by few requests.

use deepclone_delta::presence::{KnownReplica, ReplicaState, is_synced_source, replica_state};
use serde_json::Value;

use crate::support::*;

/// Newer commits that are read one by one.
const COMMITS_MAX: u64 = 16;

/// A source and its replica at version 1, both by two syncs.
async fn synced() -> (Table, Table) {
    let (mut source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("c1")]).await;
    sync_equal(&source, &target, &spec()).await;
    (source, target)
}

async fn look(target: &Table, version: u64) -> ReplicaState {
    replica_state(&target.store, KnownReplica { version, file: None }).await.unwrap()
}

/// The known replica after a look that finds it as it was.
async fn kept(target: &Table, version: u64) -> KnownReplica {
    match look(target, version).await {
        ReplicaState::Kept(known) => known,
        state => panic!("{state:?}"),
    }
}

fn commit_name(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

#[tokio::test]
async fn a_replica_is_as_it_was_below_commits_that_change_nothing() {
    let (_, mut target) = synced().await;
    let known = kept(&target, 1).await;
    assert_eq!(known.version, 1);
    assert!(known.file.is_some());
    let again = replica_state(&target.store, known).await.unwrap();
    assert_eq!(again, ReplicaState::Kept(known));
    for version in 2..=1 + COMMITS_MAX {
        target.commit(&[info("VACUUM END")]).await;
        assert_eq!(kept(&target, 1).await, KnownReplica { version, file: None });
    }
    // Of more commits none is read.
    target.commit(&[info("VACUUM END")]).await;
    assert_eq!(look(&target, 1).await, ReplicaState::Moved);
}

#[tokio::test]
async fn another_sync_is_told_from_another_writer() {
    type Write = Vec<Value>;
    let (vacuum, write): (Write, Write) = (vec![info("VACUUM END")], vec![add("x1")]);
    for (commits, expect) in [
        (vec![vec![info("WRITE"), add("x1")]], Some("version 2 is WRITE")),
        (vec![vacuum.clone(), write.clone()], Some("version 3 is an unnamed operation")),
        // One of our syncs, which overwrites.
        (vec![], None),
    ] {
        let (mut source, mut target) = synced().await;
        for commit in &commits {
            target.commit(commit).await;
        }
        if commits.is_empty() {
            source.commit(&[add("d1")]).await;
            sync_equal(&source, &target, &spec()).await;
        }
        match (look(&target, 1).await, expect) {
            (ReplicaState::Moved, None) => {}
            (ReplicaState::Changed(failure), Some(piece)) => {
                assert!(failure.message.contains(piece), "{failure}");
            }
            (state, _) => panic!("{commits:?}: {state:?}"),
        }
    }
    // A commit between that is cleaned up may have been anything.
    let (_, mut target) = synced().await;
    for _ in 0..2 {
        target.commit(&vacuum).await;
    }
    target.delete(&commit_name(2)).await;
    assert_eq!(look(&target, 1).await, ReplicaState::Moved);
}

#[tokio::test]
async fn another_table_in_the_place_of_a_replica_is_noticed() {
    let changed = |state: ReplicaState, piece: &str| {
        let ReplicaState::Changed(failure) = state else { panic!("{state:?}") };
        assert!(failure.message.contains(piece), "{failure}");
    };
    let (_, target) = synced().await;
    let ends = "ends at version 1, and the last sync left 2";
    changed(look(&target, 2).await, ends);
    // The file of the known version is another one: of a sync, or not.
    let known = kept(&target, 1).await;
    let mut ours = target.get(&commit_name(1)).await.unwrap();
    ours.push(b'\n');
    target.put(&commit_name(1), ours).await;
    assert_eq!(replica_state(&target.store, known).await.unwrap(), ReplicaState::Moved);
    target.raw_commit(1, &info("WRITE").to_string()).await;
    let state = replica_state(&target.store, known).await.unwrap();
    changed(state, "is another table than before");
    match look(&Table::new("empty"), 1).await {
        ReplicaState::Gone(failure) => {
            assert!(failure.message.contains("is not there any more"), "{failure}");
        }
        state => panic!("{state:?}"),
    }
}

#[tokio::test]
async fn a_source_is_known_by_the_commit_that_was_synced() {
    let (source, mut target) = synced().await;
    let is_synced = async |source: &Table, at: u64, target: &Table| {
        let head = target.head().await;
        is_synced_source((&source.store, at), (&target.store, head)).await.unwrap()
    };
    assert_eq!(is_synced(&source, 1, &target).await, Some(true));
    assert_eq!(is_synced(&source, 0, &target).await, Some(false));
    // The newest sync may lie below other commits, but not far.
    for _ in 0..COMMITS_MAX {
        target.commit(&[info("VACUUM END")]).await;
    }
    assert_eq!(is_synced(&source, 1, &target).await, Some(true));
    target.commit(&[info("VACUUM END")]).await;
    assert_eq!(is_synced(&source, 1, &target).await, None);
    let (source, target) = synced().await;
    for (text, expect) in [(info("WRITE").to_string(), Some(false)), (String::new(), None)] {
        source.raw_commit(1, &text).await;
        assert_eq!(is_synced(&source, 1, &target).await, expect, "{text}");
    }
    source.delete(&commit_name(1)).await;
    assert_eq!(is_synced(&source, 1, &target).await, None);
}

/// It may be filled in later.
#[tokio::test]
async fn a_synced_commit_of_no_bytes_identifies_no_source() {
    let (source, target) = (small_source().await, Table::new("target"));
    source.raw_commit(1, "").await;
    sync_equal(&source, &target, &spec()).await;
    let found = is_synced_source((&source.store, 1), (&target.store, 0)).await.unwrap();
    assert_eq!(found, None);
}
