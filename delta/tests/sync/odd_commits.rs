//! Commits as real writers leave them: read as Spark reads them, with a notice, or refused by name.

use deepclone_core::reason::Reason;
use serde_json::{Value, json};

use crate::support::*;

fn table() -> [Value; 2] {
    [protocol(1, 2), metadata("source-id", json!({}))]
}

fn lines(lines: &[String]) -> String {
    lines.join("\n")
}

/// The text of a commit that adds c1 and has something odd, and a piece of the notice.
fn odd_commits() -> Vec<(String, &'static str)> {
    let file = add("c1").to_string();
    let [protocol, metadata] = table().map(|action| action.to_string());
    let odd = |line: &str| lines(&[line.to_owned(), file.clone()]);
    vec![
        (odd(r#"{"commitInfo":{"operation":"WRITE","x":1,"operation":"MERGE"}}"#), "twice"),
        (odd(r#"{"commitInfo":{"operation":"WRITE","operation":"WRITE"}}"#), "twice"),
        (odd("{}"), "no action"),
        (odd(r#"{"add":null}"#), "no action"),
        (odd(r#"{"future":{"a":1},"farther":{"b":2}}"#), "nobody knows"),
        (lines(&[metadata.clone(), metadata, file.clone()]), "repeats"),
        (lines(&[protocol.clone(), protocol, file.clone()]), "repeats"),
    ]
}

#[tokio::test]
async fn odd_lines_are_read_as_spark_reads_them() {
    for (text, notice) in odd_commits() {
        for first in [0, 1, 2] {
            let (mut source, target) = (Table::new("source"), Table::new("target"));
            source.commit(&[&table()[..], &[add("a1")]].concat()).await;
            if first == 0 {
                sync_equal(&source, &target, &spec()).await;
            }
            source.object("p=c/c1.parquet", 12).await;
            source.raw_commit(1, &text).await;
            if first < 2 {
                let did = sync_equal(&source, &target, &spec()).await;
                assert_notice(&did, notice);
                assert_notice(&did, "00000000000000000001.json");
                assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
            }
            source.commit(&[add("d1")]).await;
            let did = sync_equal(&source, &target, &spec()).await;
            // It is told by the sync that reads the commit.
            let told = notices(&did).iter().filter(|told| told.contains(notice)).count();
            assert_eq!(told, usize::from(first == 2), "{:?}", notices(&did));
            assert_eq!(live(&target).await, ["a1", "c1", "d1"], "{text}");
        }
    }
}

#[tokio::test]
async fn the_same_oddity_in_many_commits_is_told_once() {
    let mut source = small_source().await;
    let target = Table::new("target");
    for version in 1..=3 {
        source.raw_commit(version, "{}\n").await;
    }
    source.commit(&[add("c1")]).await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_notice(&did, "and 2 more");
}

#[tokio::test]
async fn two_different_descriptions_in_one_commit_are_refused() {
    let [protocol_then, metadata_then] = table();
    let other = metadata("source-id", json!({"a": "b"}));
    for (actions, name) in [
        ([metadata_then.clone(), other.clone()], "metaData"),
        ([other, metadata_then], "metaData"),
        ([protocol_then.clone(), protocol(1, 3)], "protocol"),
        ([protocol(1, 3), protocol_then], "protocol"),
    ] {
        let mut source = small_source().await;
        let target = Table::new("target");
        sync_equal(&source, &target, &spec()).await;
        source.commit(&actions).await;
        for target in [&target, &Table::new("other")] {
            let failure = failure(&source, target, &spec()).await;
            assert_eq!(failure.reason, Reason::DamagedLog);
            for piece in ["00000000000000000001.json", name] {
                assert!(failure.message.contains(piece), "{piece}: {failure}");
            }
        }
        // The checkpoint decides where it stands above.
        let rows = [&table()[..], &[add("a1"), add("b1")]].concat();
        source.checkpoint(1, &rows).await;
        sync_equal(&source, &target, &spec()).await;
    }
}

#[tokio::test]
async fn a_commit_of_no_bytes_is_a_version_without_changes() {
    for empty in ["", "\n"] {
        let mut source = small_source().await;
        let target = Table::new("target");
        source.raw_commit(1, empty).await;
        let did = sync_equal(&source, &target, &spec()).await;
        assert_notice(&did, "says nothing");
        assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
        source.commit(&[add("c1")]).await;
        sync_equal(&source, &target, &spec()).await;
        assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
        assert_eq!(live(&target).await, ["a1", "b1", "c1"]);
    }
}

#[tokio::test]
async fn a_commit_of_no_bytes_beside_its_checkpoint_changes_nothing() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("c1")]).await;
    let rows = [&table()[..], &[add("a1"), add("b1"), add("c1")]].concat();
    source.checkpoint(1, &rows).await;
    source.raw_commit(1, "").await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_notice(&did, "says nothing");
    assert_eq!(live(&target).await, ["a1", "b1", "c1"]);
    assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
    source.commit(&[add("d1")]).await;
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(live(&target).await, ["a1", "b1", "c1", "d1"]);
}

#[tokio::test]
async fn a_commit_that_is_filled_in_later_arrives_and_is_no_other_source() {
    let filled = |name: &str| lines(&[info("WRITE").to_string(), add(name).to_string()]);
    let replaced = lines(&[
        metadata("other-id", json!({})).to_string(),
        remove("a1").to_string(),
        add("c1").to_string(),
    ]);
    for (text, expect) in [
        (filled("c1"), &["a1", "b1", "c1"][..]),
        (info("WRITE").to_string(), &["a1", "b1"]),
        (remove("a1").to_string(), &["b1"]),
        (metadata("source-id", json!({"a": "b"})).to_string(), &["a1", "b1"]),
        (lines(&[remove("a1").to_string(), filled("c1")]), &["b1", "c1"]),
        // CREATE OR REPLACE gives the same table another id.
        (replaced, &["b1", "c1"]),
    ] {
        for later in [0, 1] {
            let mut source = small_source().await;
            let target = Table::new("target");
            source.object("p=c/c1.parquet", 12).await;
            source.raw_commit(1, "").await;
            for _ in 0..later {
                source.commit(&[info("WRITE")]).await;
            }
            sync_equal(&source, &target, &spec()).await;
            assert_eq!(live(&target).await, ["a1", "b1"]);
            source.raw_commit(1, &text).await;
            sync(&source, &target, &spec()).await.unwrap();
            assert_equal(&source, &target).await;
            assert_eq!(live(&target).await, expect, "{text}");
            let wanted = source.snapshot().await.metadata.configuration;
            assert_eq!(target.snapshot().await.metadata.configuration, wanted, "{text}");
            assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
            source.commit(&[add("d1")]).await;
            sync_equal(&source, &target, &spec()).await;
        }
    }
}

#[tokio::test]
async fn a_synced_commit_that_lost_its_bytes_beside_a_checkpoint_is_no_other_source() {
    let mut source = small_source().await;
    let target = Table::new("target");
    source.commit(&[add("c1")]).await;
    sync_equal(&source, &target, &spec()).await;
    let rows = [&table()[..], &[add("a1"), add("b1"), add("c1")]].concat();
    source.checkpoint(1, &rows).await;
    source.raw_commit(1, "").await;
    source.commit(&[metadata("other-id", json!({})), add("d1")]).await;
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(live(&target).await, ["a1", "b1", "c1", "d1"]);
}

#[tokio::test]
async fn a_commit_of_no_bytes_does_not_hide_another_source() {
    let (mut first, target) = (small_source().await, Table::new("target"));
    first.raw_commit(1, "").await;
    sync_equal(&first, &target, &spec()).await;
    let mut other = Table::new("source");
    other.commit(&[protocol(1, 2), metadata("other-id", json!({})), add("a1"), add("c1")]).await;
    for text in ["", "{\"commitInfo\":{}}"] {
        other.raw_commit(1, text).await;
        assert_eq!(failure(&other, &target, &spec()).await.reason, Reason::SourceReplaced);
    }
    first.commit(&[add("d1")]).await;
    sync_equal(&first, &target, &spec()).await;
}

#[tokio::test]
async fn somebody_elses_empty_commit_on_the_replica_may_yet_be_filled_in() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    target.raw_commit(1, "").await;
    source.commit(&[add("c1")]).await;
    let refused = failure(&source, &target, &spec()).await;
    assert_eq!(refused.reason, Reason::TargetDiverged);
    assert!(refused.message.contains("no bytes"), "{refused}");
    sync_equal(&source, &target, &overwrite()).await;
}

#[tokio::test]
async fn rows_of_a_checkpoint_without_an_action_are_passed_over() {
    let mut source = small_source().await;
    source.commit(&[add("c1")]).await;
    let rows = [&[json!({})][..], &table(), &[json!({}), add("a1"), add("b1"), add("c1")]];
    let name = source.checkpoint(1, &rows.concat()).await;
    source.delete("_delta_log/00000000000000000000.json").await;
    let target = Table::new("target");
    let did = sync_equal(&source, &target, &spec()).await;
    assert_notice(&did, "no action");
    assert_notice(&did, &name);
}
