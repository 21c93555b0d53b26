//! A damaged replica is found damaged, repaired by one commit, and read again by every reader.

use std::path::PathBuf;

use deepclone_tests::process;
use deepclone_tests::writers::spark;

use crate::place::Place;
use crate::replica;
use crate::sync::{self, Deployment, Ended};
use crate::table;

/// A source with files and a deletion vector, written by Spark.
fn source(folder: PathBuf) -> Place {
    let source = Place::Local(folder);
    let table = format!("delta.`{}`", source.uri());
    spark(&[
        &format!(
            "CREATE TABLE {table} USING DELTA TBLPROPERTIES \
             ('delta.enableDeletionVectors' = 'true') AS SELECT id FROM range(0, 60, 1, 4)"
        ),
        &format!("DELETE FROM {table} WHERE id % 15 = 3"),
    ]);
    source
}

/// Deletes an object of the replica, cuts one, changes one, and changes a deletion vector; returns
/// their keys.
async fn damage(target: &Place) -> Vec<String> {
    let copy = target.local_copy().await;
    let live = table::live_objects(&copy.folder).await;
    let bytes = |key: &String| std::fs::read(copy.folder.join(key)).expect("an object");
    let (vectors, files): (Vec<String>, Vec<String>) =
        live.into_iter().partition(|key| key.contains("deletion_vector_"));
    let flipped = |key: &String| {
        let mut bytes = bytes(key);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(bytes)
    };
    let damaged = vec![files[0].clone(), files[1].clone(), files[2].clone(), vectors[0].clone()];
    target.replace(&damaged[0], None).await;
    target.replace(&damaged[1], Some(bytes(&damaged[1])[..9].to_vec())).await;
    target.replace(&damaged[2], flipped(&damaged[2])).await;
    target.replace(&damaged[3], flipped(&damaged[3])).await;
    damaged
}

async fn run(source: &Place, target: &Place, words: &[&str]) -> Ended {
    let mut command = process::deepclone();
    command.args([words[0], &source.uri(), &target.uri(), "--output", "json"]).args(&words[1..]);
    command.envs(source.settings("SOURCE_")).envs(target.settings("TARGET_"));
    let state = tempfile::tempdir().expect("a scratch folder");
    command.env("XDG_STATE_HOME", state.path());
    sync::finish(command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_replica_is_repaired_by_one_commit_and_syncs_go_on() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let local = Place::Local(folder.path().join("replica"));
    for (at, target) in [local, Place::north("repair"), Place::azure("repair")].iter().enumerate() {
        let source = source(folder.path().join(format!("source-{at}")));
        sync::embedded(&source, target, &[]).await.succeeded();
        let damaged = damage(target).await;
        let before = target.listing().await;

        let found = run(&source, target, &["verify", "--deep"]).await;
        assert_eq!(found.code, 6, "{found:?}");
        let told = found.json["differences"].to_string();
        assert!(damaged.iter().all(|key| told.contains(key)), "{told}");
        let planned = run(&source, target, &["repair", "--deep", "--dry-run"]).await.succeeded();
        assert_eq!(planned.json["notices"].as_array().map(Vec::len), Some(4), "{planned:?}");
        assert_eq!(target.listing().await, before, "a dry run wrote something");

        let repaired = run(&source, target, &["repair", "--deep"]).await.succeeded();
        let repairs = repaired.json["repairs"].to_string();
        assert!(damaged.iter().all(|key| repairs.contains(key)), "{repaired:?}");
        assert_eq!(repaired.number("objects_copied"), 4, "{repaired:?}");
        let after = target.listing().await;
        let commits = replica::commits(&after).len();
        assert_eq!(commits, replica::commits(&before).len() + 1);
        for key in replica::objects(&before) {
            assert_eq!(after[&key], before[&key], "{key} was overwritten");
        }
        let clean = run(&source, target, &["verify", "--deep"]).await.succeeded();
        assert_eq!(clean.json["equal"], true, "{clean:?}");
        replica::assert_equal(&source, target).await;
        let again = run(&source, target, &["repair", "--deep"]).await.succeeded();
        assert_eq!(again.json["up_to_date"], true, "{again:?}");
        assert_eq!(again.json["repairs"], serde_json::json!([]), "{again:?}");
        target.replace("_deepclone/replica.json", None).await;
        let hint = run(&source, target, &["repair"]).await.succeeded();
        assert!(hint.json["repairs"].to_string().contains("replica.json"), "{hint:?}");
        assert!(target.listing().await.contains_key("_deepclone/replica.json"));

        let table = format!("delta.`{}`", source.uri());
        spark(&[
            &format!("DELETE FROM {table} WHERE id % 15 = 4"),
            &format!("INSERT INTO {table} SELECT id FROM range(100, 110, 1, 1)"),
        ]);
        sync::embedded(&source, target, &[]).await.succeeded();
        replica::assert_equal(&source, target).await;
        run(&source, target, &["verify", "--deep"]).await.succeeded();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinators_workers_repair() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, target) = (Place::Local(folder.path().join("source")), Place::south("repair"));
    table::synthetic(&folder.path().join("source"), 8, 64 << 10);
    let deployment = Deployment::start(&source, &target);
    let _worker = deployment.worker("one");
    deployment.clone(&[]).await.succeeded();
    let key = table::name(3);
    target.replace(&key, Some(vec![1; 64 << 10])).await;
    let repair = |flags: &[&str]| {
        let mut command = process::deepclone();
        command.args(["repair", &source.server_uri(), &target.server_uri()]);
        command.args(["--source-connection", "source", "--target-connection", "target"]);
        command.args(["--coordinator", &deployment.coordinator.url(), "--output", "json"]);
        command.args(flags);
        sync::finish(command)
    };
    let shallow = repair(&[]).await.succeeded();
    assert_eq!(shallow.json["up_to_date"], true, "{shallow:?}");
    let done = repair(&["--deep"]).await.succeeded();
    assert_eq!(done.number("objects_copied"), 1, "{done:?}");
    let whole = run(&source, &target, &["verify", "--deep"]).await.succeeded();
    assert_eq!(whole.json["equal"], true, "{whole:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_syncs_a_repair_and_a_vacuum_at_once_lose_nothing() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let local = Place::Local(folder.path().join("replica"));
    for (at, target) in [local, Place::south("at-once")].iter().enumerate() {
        let source = source(folder.path().join(format!("source-{at}")));
        sync::embedded(&source, target, &[]).await.succeeded();
        damage(target).await;
        let table = format!("delta.`{}`", source.uri());
        spark(&[
            &format!("DELETE FROM {table} WHERE id % 15 = 4"),
            &format!("INSERT INTO {table} SELECT id FROM range(100, 110, 1, 1)"),
        ]);
        let vacuum = async {
            let mut command = process::deepclone();
            command.args(["vacuum", &target.uri(), "--retain", "0s", "--break-time-travel"]);
            command.args(["--output", "json"]).envs(target.settings("TARGET_"));
            sync::finish(command).await
        };
        let (one, two, repair, vacuum) = tokio::join!(
            run(&source, target, &["clone"]),
            run(&source, target, &["clone"]),
            run(&source, target, &["repair", "--deep"]),
            vacuum,
        );
        vacuum.succeeded();
        // Who is overtaken says so, and has changed nothing.
        for ended in [&one, &two, &repair] {
            assert!([0, 4].contains(&ended.code), "{ended:?}");
        }
        assert!(one.code == 0 || two.code == 0, "{one:?} {two:?}");
        run(&source, target, &["clone"]).await.succeeded();
        run(&source, target, &["repair", "--deep"]).await.succeeded();
        let clean = run(&source, target, &["verify", "--deep"]).await.succeeded();
        assert_eq!(clean.json["equal"], true, "{clean:?}");
        replica::assert_equal(&source, target).await;
    }
}
