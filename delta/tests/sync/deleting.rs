//! What is told of a deletion: when it arrived, what is left, what can still be read.

use deepclone_core::reason::Reason;
use deepclone_delta::deletion::{DeletionProof, DeletionVerdict, prove};
use deepclone_delta::history::history;
use serde_json::json;

use crate::support::*;
use crate::vacuuming::{Aged, DAY, run};

async fn proof(aged: &Aged, before_ms: i64) -> DeletionProof {
    prove(&aged.table.store, None, before_ms, &[], NOW_MS).await.unwrap()
}

/// The time of the source's newest commit.
async fn source_ms(source: &Table) -> i64 {
    source.snapshot().await.commit_ms
}

#[tokio::test]
async fn a_deletion_is_followed_until_its_bytes_are_gone() {
    let (aged, mut source) = (Aged::new(), small_source().await);
    aged.sync(&source, &spec()).await;
    source.commit(&[add("c1"), remove("a1")]).await;
    let deleted_ms = source_ms(&source).await;
    // The replica was paused while its source deleted.
    let found = proof(&aged, deleted_ms).await;
    assert_eq!((found.verdict(), found.readable), (DeletionVerdict::NotArrived, None));
    assert_eq!(found.newest.unwrap().source_version, 0);

    let arrived_ms = aged.sync(&source, &spec()).await;
    source.commit(&[add("d1"), remove("b1")]).await;
    let last_ms = aged.sync(&source, &spec()).await;
    let found = proof(&aged, deleted_ms).await;
    assert_eq!(found.verdict(), DeletionVerdict::Readable);
    let arrived = found.arrived.clone().unwrap();
    assert_eq!((arrived.record.version, arrived.record.timestamp_ms), (1, arrived_ms));
    assert!(arrived.is_first);
    assert_eq!((&*found.removed.keys, found.removed.bytes), (&["p=a/a1.parquet".into()][..], 12));
    let readable = found.readable.unwrap();
    assert_eq!((readable.first, readable.last, readable.versions), (0, 0, 1));
    assert_eq!(readable.until_ms, Some(arrived_ms + 7 * DAY));

    // A day later the source's own log tells that it has committed nothing since.
    let later_ms = source_ms(&source).await + DAY;
    assert_eq!(proof(&aged, later_ms).await.verdict(), DeletionVerdict::NotArrived);
    let told = prove(&aged.table.store, Some(&source.store), later_ms, &[], NOW_MS).await.unwrap();
    assert_eq!(told.arrived.unwrap().record.version, 2);
    let other = small_source().await;
    let refused = prove(&aged.table.store, Some(&other.store), later_ms, &[], NOW_MS).await;
    assert_eq!(refused.unwrap_err().failure().reason, Reason::SourceReplaced);

    // A vacuum before that deletes nothing; one after it does.
    assert_eq!(run(&aged.table.store, arrived_ms + 7 * DAY - 1).await.objects.len(), 0);
    assert_eq!(proof(&aged, deleted_ms).await, found);
    assert_eq!(run(&aged.table.store, arrived_ms + 7 * DAY).await.objects.len(), 1);
    let found = proof(&aged, deleted_ms).await;
    assert_eq!((found.verdict(), found.readable), (DeletionVerdict::Gone, None));
    // Of the later deletion something is left: two versions, of which one can be read.
    let found = proof(&aged, source_ms(&source).await).await;
    assert_eq!(found.verdict(), DeletionVerdict::Readable);
    let readable = found.readable.unwrap();
    assert_eq!((readable.first, readable.last, readable.until_ms), (1, 1, Some(last_ms + 7 * DAY)));
}

#[tokio::test]
async fn rows_behind_vectors_are_left_until_their_files_are_rewritten() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let list = ["deletionVectors"];
    let with = json!({"deletionVector": vector(1)});
    source.commit(&[features(&list, &list), metadata("source-id", json!({})), add("f1")]).await;
    aged.sync(&source, &spec()).await;
    source.commit(&[remove("f1"), add_with("f1", with.clone()), add("g1")]).await;
    let deleted_ms = source_ms(&source).await;
    let arrived_ms = aged.sync(&source, &spec()).await;
    let found = proof(&aged, deleted_ms).await;
    assert_eq!(found.verdict(), DeletionVerdict::Readable);
    assert_eq!((found.hidden.rows, &*found.hidden.files.keys), (2, &["p=f/f1.parquet".into()][..]));
    assert_eq!((found.removed.objects, found.readable.unwrap().until_ms), (0, None));
    // No version goes with a vacuum, for no object does: the file itself is live.
    assert_eq!(run(&aged.table.store, arrived_ms + 8 * DAY).await.objects.len(), 0);
    assert_eq!(proof(&aged, deleted_ms).await.verdict(), DeletionVerdict::Readable);

    source.commit(&[remove_with("f1", with), add("h1")]).await;
    let rewritten_ms = aged.sync(&source, &spec()).await;
    assert_eq!(proof(&aged, deleted_ms).await.hidden.rows, 2);
    run(&aged.table.store, rewritten_ms + 8 * DAY).await;
    let found = proof(&aged, deleted_ms).await;
    assert_eq!((found.verdict(), found.hidden.rows), (DeletionVerdict::Gone, 0));
}

#[tokio::test]
async fn what_nobody_names_is_told_and_another_writers_word_is_not_believed() {
    let (aged, mut source) = (Aged::new(), small_source().await);
    aged.sync(&source, &spec()).await;
    let deleted_ms = source_ms(&source).await;
    assert_eq!(proof(&aged, deleted_ms).await.verdict(), DeletionVerdict::Gone);
    let below = ["below/_delta_log/00000000000000000000.json", "below/x.parquet"];
    for key in ["left.parquet", "_deepclone/tmp/x", "_hidden/x"].iter().chain(&below) {
        aged.put_at(key, NOW_MS).await;
    }
    let found = proof(&aged, deleted_ms).await;
    assert_eq!(found.verdict(), DeletionVerdict::BytesLeft);
    let mut keys = found.unreferenced.keys;
    keys.sort();
    assert_eq!(keys, ["_deepclone/tmp/x", "left.parquet"]);

    aged.table.raw_commit(1, &add("x1").to_string()).await;
    aged.put_at("p=x/x1.parquet", NOW_MS).await;
    let found = proof(&aged, deleted_ms).await;
    assert_eq!((found.verdict(), found.notices.len()), (DeletionVerdict::Diverged, 1));
    source.commit(&[add("y1")]).await;
    sync_equal(&source, &aged.table, &overwrite()).await;
    assert_eq!(history(&aged.table.store).await.unwrap().len(), 2);
    // Without its marker it is none of ours, as for every command.
    let theirs = small_source().await;
    assert!(prove(&theirs.store, None, 0, &[], NOW_MS).await.is_err());
}
