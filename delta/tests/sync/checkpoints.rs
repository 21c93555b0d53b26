//! Checkpoints of the source that contradict its commits, or themselves.

use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, SourceReplacedPolicy};
use serde_json::{Value, json};

use crate::support::*;

/// The rows of a checkpoint of a table with these file actions.
fn rows(files: &[Value]) -> Vec<Value> {
    [&[protocol(1, 2), metadata("source-id", json!({}))], files].concat()
}

#[tokio::test]
async fn of_an_add_and_a_remove_in_a_checkpoint_the_commits_decide() {
    let both: &[&[Value]] = &[&[add("a1"), remove("a1")], &[remove("a1"), add("a1")]];
    for pair in both {
        for (second, third, expect) in [
            (remove("a1"), info("WRITE"), &["b1", "c1"][..]),
            (info("WRITE"), remove("a1"), &["b1", "c1"]),
            (remove("a1"), add("a1"), &["a1", "b1", "c1"]),
            (info("WRITE"), info("WRITE"), &["a1", "b1", "c1"]),
        ] {
            let (mut source, target) = (small_source().await, Table::new("target"));
            sync_equal(&source, &target, &spec()).await;
            source.commit(std::slice::from_ref(&second)).await;
            source.commit(&[third.clone(), add("c1")]).await;
            let files = [pair, &[add("b1"), add("c1")][..]].concat();
            let name = source.checkpoint(2, &rows(&files)).await;
            let did = sync_equal(&source, &target, &spec()).await;
            assert_notice(&did, &name);
            assert_eq!(live(&target).await, expect, "{second} {third}");
            assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
            // From nothing, and on top of it.
            source.commit(&[add("d1")]).await;
            sync_equal(&source, &Table::new("other"), &spec()).await;
            sync_equal(&source, &target, &spec()).await;
        }
    }
}

#[tokio::test]
async fn of_an_add_and_a_remove_the_add_counts_where_the_commits_are_gone() {
    let mut source = small_source().await;
    source.commit(&[add("c1")]).await;
    let files = [remove("a1"), add("a1"), remove("c1"), add("c1"), remove("x1"), add("b1")];
    source.checkpoint(1, &rows(&files)).await;
    source.delete("_delta_log/00000000000000000000.json").await;
    let target = Table::new("target");
    let did = sync_equal(&source, &target, &spec()).await;
    assert_notice(&did, "(files of this kind: 2): the commits decide about 1");
    assert_eq!(live(&target).await, ["a1", "b1", "c1"]);
}

#[tokio::test]
async fn a_commit_that_adds_and_removes_one_file_decides_nothing() {
    let mut source = small_source().await;
    source.commit(&[add("a1"), remove("a1")]).await;
    source.checkpoint(1, &rows(&[add("a1"), remove("a1"), add("b1")])).await;
    let refused = failure(&source, &Table::new("target"), &spec()).await;
    assert_eq!(refused.reason, Reason::DamagedLog);
    assert!(refused.message.contains("00000000000000000001.json"), "{refused}");
}

/// A source and its replica at version 0 with a1 and b1.
async fn synced() -> (Table, Table) {
    let (source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    (source, target)
}

#[tokio::test]
async fn a_checkpoint_that_lost_a_live_file_is_refused_with_both_names() {
    for commits_after in 0..3 {
        let (mut source, target) = synced().await;
        source.commit(&[add("c1")]).await;
        let name = source.checkpoint(1, &rows(&[add("a1"), add("c1")])).await;
        for n in 0..commits_after {
            source.commit(&[add(&format!("d{n}")), remove("a1")]).await;
        }
        for spec in [spec(), overwrite()] {
            let refused = failure(&source, &target, &spec).await;
            assert_eq!(refused.reason, Reason::DamagedLog);
            for piece in [name.as_str(), "p=b/b1.parquet"] {
                assert!(refused.message.contains(piece), "{piece}: {refused}");
            }
        }
        // A right checkpoint in its place, and the replica goes on.
        source.checkpoint(1, &rows(&[add("a1"), add("b1"), add("c1")])).await;
        sync_equal(&source, &target, &spec()).await;
    }
}

#[tokio::test]
async fn a_file_that_left_and_came_back_before_the_last_sync_is_lost_as_any_other() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    source.commit(&[remove("b1")]).await;
    source.commit(&[add("b1")]).await;
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("c1")]).await;
    source.checkpoint(3, &rows(&[add("a1"), add("c1")])).await;
    let refused = failure(&source, &target, &spec()).await;
    assert!(refused.message.contains("p=b/b1.parquet"), "{refused}");
}

#[tokio::test]
async fn a_file_whose_new_deletion_vector_the_checkpoint_lost_is_no_removed_file() {
    let both = ["deletionVectors"];
    let first = [features(&both, &both), metadata("source-id", json!({}))];
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    source.commit(&[&first[..], &[add("a1"), add("b1")]].concat()).await;
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[remove("a1"), add_with("a1", json!({"deletionVector": vector(1)}))]).await;
    source.checkpoint(1, &[&first[..], &[add("b1")]].concat()).await;
    let refused = failure(&source, &target, &spec()).await;
    assert!(refused.message.contains("p=a/a1.parquet"), "{refused}");
    // All its rows are deleted, and then the file goes.
    source.commit(&[remove_with("a1", json!({"deletionVector": vector(1)}))]).await;
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(live(&target).await, ["b1"]);
}

#[tokio::test]
async fn a_log_that_lost_a_commits_content_drops_no_file() {
    // The synced commit has no bytes any more, and nothing else tells of its file.
    let (mut source, target) = synced().await;
    source.commit(&[add("c1")]).await;
    sync_equal(&source, &target, &spec()).await;
    source.raw_commit(1, "").await;
    source.commit(&[add("d1")]).await;
    let refused = failure(&source, &target, &spec()).await;
    assert_eq!(refused.reason, Reason::DamagedLog);
    assert!(refused.message.contains("p=c/c1.parquet"), "{refused}");
}

#[tokio::test]
async fn where_commits_are_gone_the_checkpoint_decides() {
    let (mut source, target) = synced().await;
    source.commit(&[remove("b1")]).await;
    source.commit(&[add("c1")]).await;
    source.checkpoint(2, &rows(&[add("a1"), add("c1")])).await;
    for version in 0..=1 {
        source.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(live(&target).await, ["a1", "c1"]);
}

#[tokio::test]
async fn where_a_commit_cannot_be_read_the_checkpoint_decides() {
    let (mut source, target) = synced().await;
    source.raw_commit(1, "{\"remove\":").await;
    source.commit(&[add("c1")]).await;
    source.checkpoint(2, &rows(&[add("a1"), add("c1")])).await;
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(live(&target).await, ["a1", "c1"]);
}

#[tokio::test]
async fn files_that_leave_for_a_reason_are_not_lost() {
    // RESTORE and overwrite remove by name, in any commit since the last sync.
    let (mut source, target) = synced().await;
    source.commit(&[add("c1"), remove("a1")]).await;
    source.commit(&[remove("b1")]).await;
    source.commit(&[info("RESTORE"), remove("c1"), add("a1")]).await;
    source.checkpoint(3, &rows(&[add("a1")])).await;
    sync(&source, &target, &spec()).await.unwrap();
    assert_eq!(live(&target).await, ["a1"]);
    // A partition leaves the part that is kept, and the file the partition.
    let (mut source, target) = synced().await;
    let only_a = CloneSpec { partition_filter: Some("p = 'a'".into()), ..spec() };
    sync(&source, &target, &only_a).await.unwrap();
    assert_eq!(live(&target).await, ["a1"]);
    source.commit(&[add_with("a1", json!({"partitionValues": {"p": "x"}}))]).await;
    sync(&source, &target, &only_a).await.unwrap();
    assert_eq!(live(&target).await, [""; 0]);
    // Files of another writer never were at the source.
    let (mut source, mut target) = synced().await;
    target.commit(&[info("WRITE"), add("x1"), remove("a1")]).await;
    source.commit(&[add("c1")]).await;
    source.checkpoint(1, &rows(&[add("a1"), add("b1"), add("c1")])).await;
    sync_equal(&source, &target, &overwrite()).await;
    // Ours were, also below a commit of another writer.
    target.commit(&[info("WRITE"), add("x1"), remove("a1")]).await;
    source.commit(&[add("d1")]).await;
    source.checkpoint(2, &rows(&[add("a1"), add("c1"), add("d1")])).await;
    assert_eq!(failure(&source, &target, &overwrite()).await.reason, Reason::DamagedLog);
    // Another table shares nothing.
    let (_, target) = synced().await;
    let mut other = Table::new("source");
    other.commit(&[protocol(1, 2), metadata("other-id", json!({})), add("c1")]).await;
    let reclone = CloneSpec { source_replaced_policy: SourceReplacedPolicy::Reclone, ..spec() };
    sync_equal(&other, &target, &reclone).await;
}

#[tokio::test]
async fn a_commit_that_was_filled_in_may_remove_files_of_the_synced_version() {
    for has_checkpoint in [false, true] {
        let (mut source, target) = synced().await;
        source.raw_commit(1, "").await;
        source.commit(&[add("c1")]).await;
        sync_equal(&source, &target, &spec()).await;
        source.raw_commit(1, &remove("b1").to_string()).await;
        source.commit(&[add("d1")]).await;
        if has_checkpoint {
            source.checkpoint(3, &rows(&[add("a1"), add("c1"), add("d1")])).await;
        }
        sync_equal(&source, &target, &spec()).await;
        assert_eq!(live(&target).await, ["a1", "c1", "d1"]);
    }
}
