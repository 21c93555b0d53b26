//! What counts as present at the target, and that new deletion vectors are whole.

use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, SourceReplacedPolicy};
use deepclone_delta::changes::{ChangeSet, SyncPlan, plan_sync};
use deepclone_delta::publish::check_vectors;
use serde_json::json;

use crate::support::*;

async fn planned(source: &Table, target: &Table, spec: &CloneSpec) -> ChangeSet {
    let job = deepclone_core::ids::JobId(uuid::Uuid::new_v4());
    match plan_sync(&source.store, &target.store, spec, job).await.unwrap() {
        SyncPlan::Change(change_set) => *change_set,
        plan => panic!("{plan:?}"),
    }
}

/// The keys that are to be proved or copied; a star marks those that the replica's head refers to.
fn keys(change_set: &ChangeSet) -> Vec<String> {
    let marked = |object: deepclone_delta::sync::CopyObject<'_>| {
        let star = if object.in_use { "*" } else { "" };
        format!("{}{star}", object.target_path)
    };
    change_set.objects.iter().map(marked).collect()
}

#[tokio::test]
async fn a_file_that_was_replaced_in_place_is_proved_again() {
    let rows = |rows: u32| json!(format!("{{\"numRecords\":{rows}}}"));
    for (again, proved) in [
        (json!({"modificationTime": 8}), true),
        (json!({"stats": rows(4)}), true),
        // Statistics that say more or less of the same rows, a row id, tags: the bytes stay.
        (json!({"stats": rows(3)}), false),
        (json!({"stats": "{\"numRecords\":3,\"nullCount\":{\"id\":0}}"}), false),
        (json!({"baseRowId": 5, "defaultRowCommitVersion": 1}), false),
        (json!({"tags": {"a": "b"}}), false),
        // The vector changes the logical file, not its data object.
        (json!({"deletionVector": vector(1), "modificationTime": 8}), true),
        (json!({"deletionVector": vector(1)}), false),
    ] {
        let mut source = small_source().await;
        let target = Table::new("target");
        sync_equal(&source, &target, &spec()).await;
        source.commit(&[add_with("a1", again.clone())]).await;
        if again.get("deletionVector").is_some() {
            source.commit(&[remove("a1")]).await;
        }
        let change_set = planned(&source, &target, &spec()).await;
        let mut found = keys(&change_set);
        found.retain(|key| !key.starts_with("ab/"));
        let expect: &[&str] = if proved { &["p=a/a1.parquet*"] } else { &[] };
        assert_eq!(found, expect, "{again}");
    }
}

#[tokio::test]
async fn after_a_divergence_only_what_our_last_sync_had_counts() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let mut foreign = target;
    foreign.commit(&[info("WRITE"), add("c1")]).await;
    source.commit(&[add("c1"), add("c2")]).await;
    let change_set = planned(&source, &foreign, &overwrite()).await;
    assert_eq!(keys(&change_set), ["p=c/c1.parquet*", "p=c/c2.parquet"]);

    // Another writer replaced the log: its versions prove nothing about our last sync.
    let id = foreign.snapshot().await.metadata.id;
    foreign.delete("_delta_log/00000000000000000001.json").await;
    let rewritten = [protocol(1, 2), metadata(&id, json!({})), add("a1"), add("c1")];
    let lines: Vec<String> = rewritten.iter().map(ToString::to_string).collect();
    foreign.put("_delta_log/00000000000000000000.json", lines.join("\n").into_bytes()).await;
    let change_set = planned(&source, &foreign, &overwrite()).await;
    assert_eq!(
        keys(&change_set),
        ["p=a/a1.parquet*", "p=b/b1.parquet", "p=c/c1.parquet*", "p=c/c2.parquet"]
    );
}

#[tokio::test]
async fn a_key_that_left_the_replica_for_a_while_is_proved_again() {
    for (commits, proved) in [
        (vec![vec![remove("a1")], vec![add("a1")]], true),
        (vec![vec![remove("a1")], vec![info("VACUUM END")], vec![add("a1"), add("x1")]], true),
        (vec![vec![remove("a1"), add_with("a1", json!({"path": "p=a/%611.parquet"}))]], true),
        // It stayed live: nobody vacuums it.
        (vec![vec![add("a1")], vec![add("x1")]], false),
        (vec![vec![remove("a1"), add_with("a1", json!({"deletionVector": vector(1)}))]], false),
    ] {
        let source = small_source().await;
        let target = Table::new("target");
        sync_equal(&source, &target, &spec()).await;
        let mut foreign = target;
        for commit in &commits {
            foreign.commit(commit).await;
        }
        let change_set = planned(&source, &foreign, &overwrite()).await;
        let expect: &[&str] = if proved { &["p=a/a1.parquet*"] } else { &[] };
        assert_eq!(keys(&change_set), expect, "{commits:?}");
    }
}

#[tokio::test]
async fn what_the_checkpoint_of_our_last_sync_has_needs_no_commit_of_it() {
    let (mut source, mut target) = (Table::new("source"), Table::new("target"));
    let each = metadata("source-id", json!({"delta.checkpointInterval": "1"}));
    source.commit(&[protocol(1, 2), each, add("a1"), add("b1")]).await;
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("c1")]).await;
    sync_equal(&source, &target, &spec()).await;
    target.delete("_delta_log/00000000000000000000.json").await;
    target.delete("_delta_log/00000000000000000001.json").await;
    target.commit(&[info("WRITE"), remove("b1")]).await;
    assert_eq!(keys(&planned(&source, &target, &overwrite()).await), ["p=b/b1.parquet"]);
}

#[tokio::test]
async fn a_replaced_source_makes_every_key_of_the_replica_unproven() {
    let source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let mut other = Table::new("source");
    other.commit(&[protocol(1, 2), metadata("other-id", json!({})), add("a1"), add("z1")]).await;
    let reclone = CloneSpec { source_replaced_policy: SourceReplacedPolicy::Reclone, ..spec() };
    let change_set = planned(&other, &target, &reclone).await;
    assert_eq!(keys(&change_set), ["p=a/a1.parquet*", "p=z/z1.parquet"]);
    assert_eq!(change_set.lineage(), "other-id");
}

#[tokio::test]
async fn the_target_keeps_unreferenced_objects_as_long_as_its_property_says() {
    const HOUR_MS: i64 = 3_600_000;
    for (property, hours) in [(None, 7 * 24), (Some("interval 1 hour"), 1)] {
        let mut source = Table::new("source");
        let configuration = match property {
            Some(text) => json!({"delta.deletedFileRetentionDuration": text}),
            None => json!({}),
        };
        source.commit(&[protocol(1, 2), metadata("source-id", configuration), add("a1")]).await;
        let target = Table::new("target");
        assert_eq!(planned(&source, &target, &spec()).await.retention_ms, hours * HOUR_MS);
    }
}

/// Bytes of a deletion-vector file: a version byte, then a frame for each `(offset, data)`.
fn vector_file(frames: &[(usize, &[u8])]) -> Vec<u8> {
    let mut file = vec![1];
    for (offset, data) in frames {
        // What lies between two frames is nobody's.
        file.resize(*offset, 0xee);
        file.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        file.extend_from_slice(data);
        file.extend_from_slice(
            &crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, data).to_be_bytes()[4..],
        );
    }
    file.extend_from_slice(&[0; 7]);
    file
}

#[tokio::test]
async fn a_new_vector_that_is_not_whole_is_refused_with_its_object_and_its_file() {
    let whole = vector_file(&[(1, &[7; 30]), (50, &[8; 30])]);
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (bytes, problem) in [
        (whole.clone(), None),
        // Padding before, between and behind the frames is not looked at.
        (flipped(0), None),
        (flipped(45), None),
        (flipped(whole.len() - 1), None),
        (flipped(53), Some("size")),
        (flipped(60), Some("checksum")),
        (flipped(50 + 4 + 30), Some("checksum")),
        (whole[..80].to_vec(), Some("ends inside the vector")),
    ] {
        let mut source = Table::new("source");
        let table = features(&["deletionVectors"], &["deletionVectors"]);
        let with = |offset| json!({"deletionVector": vector(offset)});
        let adds = [add_with("a1", with(1)), add_with("b1", with(50))];
        source.commit(&[&[table, metadata("source-id", json!({}))][..], &adds].concat()).await;
        let target = Table::new("target");
        let change_set = planned(&source, &target, &spec()).await;
        target.put(VECTOR_OBJECT, bytes).await;
        let checked = check_vectors(&target.store, &change_set).await;
        match (checked, problem) {
            (Ok(()), None) => {}
            (Err(error), Some(problem)) => {
                let failure = error.failure();
                assert_eq!(failure.reason, Reason::DamagedLog);
                for word in [problem, VECTOR_OBJECT, "p=b/b1.parquet"] {
                    assert!(failure.message.contains(word), "no {word} in {failure}");
                }
            }
            (checked, problem) => panic!("{checked:?}, expected {problem:?}"),
        }
    }
}

#[tokio::test]
async fn a_vector_that_the_replica_had_before_is_not_the_sources_fault() {
    let mut source = Table::new("source");
    let table = features(&["deletionVectors"], &["deletionVectors"]);
    let with = |offset| json!({"deletionVector": vector(offset)});
    source.commit(&[table, metadata("source-id", json!({})), add_with("a1", with(1))]).await;
    let target = Table::new("target");
    sync(&source, &target, &spec()).await.unwrap();
    source.commit(&[add_with("b1", with(1))]).await;
    let change_set = planned(&source, &target, &spec()).await;
    target.put(VECTOR_OBJECT, vec![1, 0]).await;
    let failure = check_vectors(&target.store, &change_set).await.unwrap_err().failure();
    assert_eq!(failure.reason, Reason::TargetConflict);
    for word in ["the replica's deletion vector", VECTOR_OBJECT, "deepclone repair --deep"] {
        assert!(failure.message.contains(word), "no {word} in {failure}");
    }
}
