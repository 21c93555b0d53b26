//! Refusals: one clear line, the right exit code, nothing written.

use std::path::Path;

use deepclone_tests::environment::environment;
use deepclone_tests::process;
use deepclone_tests::writers;
use serde_json::json;

use crate::place::Place;
use crate::sync::{self, Ended};
use crate::table;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_words_and_places_are_refused() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = Place::Local(folder.path().join("source"));
    writers::write("append", &source.uri(), json!({"start": 0, "count": 8}));
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--version", "7"], 2, "version"),
        (&["--timestamp", "1990-01-01T00:00:00Z"], 2, "1990"),
        (&["--timestamp", "yesterday"], 2, "yesterday"),
        (&["--where", "region ="], 2, "character 9"),
        (&["--where", "amount > 3"], 2, "amount"),
        (&["--mode", "mirror"], 2, "mirror"),
        (&["--property", "novalue"], 2, "novalue"),
    ];
    for (flags, code, word) in cases {
        let target = Place::Local(folder.path().join("target"));
        let ended = sync::embedded(&source, &target, flags).await;
        refused(&ended, code, word);
        assert!(target.listing().await.is_empty(), "{flags:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_no_table_is_refused() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    std::fs::create_dir_all(folder.path().join("plain/sub")).expect("a new folder");
    std::fs::write(folder.path().join("plain/data.parquet"), "x").expect("a new file");
    for source in ["plain", "absent"] {
        let source = Place::Local(folder.path().join(source));
        let target = Place::Local(folder.path().join("target"));
        refused(&sync::embedded(&source, &target, &[]).await, 3, "Delta table");
        assert!(target.listing().await.is_empty());
    }
    let (source, target) = (Place::north("absent"), Place::south("absent"));
    refused(&sync::embedded(&source, &target, &[]).await, 3, "Delta table");
    assert!(target.listing().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_table_is_never_touched() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    table::synthetic(&source, 2, 10);
    table::synthetic(&target, 3, 10);
    let (source, target) = (Place::Local(source), Place::Local(target));
    let before = target.listing().await;
    refused(&sync::embedded(&source, &target, &[]).await, 4, "target");
    let forced = sync::embedded(&source, &target, &["--on-divergence", "overwrite"]).await;
    refused(&forced, 4, "target");
    assert_eq!(target.listing().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_table_inside_the_other_is_refused() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let outer = folder.path().join("outer");
    table::synthetic(&outer, 2, 10);
    let before = Place::Local(outer.clone()).listing().await;
    let inside = Place::Local(outer.join("replica"));
    let outer = Place::Local(outer);
    refused(&sync::embedded(&outer, &inside, &[]).await, 2, "inside");
    refused(&sync::embedded(&outer, &outer, &[]).await, 2, "same");
    let above = Place::Local(folder.path().to_owned());
    refused(&sync::embedded(&outer, &above, &[]).await, 2, "inside");
    assert_eq!(outer.listing().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_buckets_and_wrong_credentials_are_named_on_either_side() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 2, 10);
    let local = folder.path().display().to_string();
    let good = environment().services.south.clone();
    let scratch = folder.path().join("target");
    let mut wrong = good.clone();
    wrong.secret_access_key = "not-the-secret-of-anyone".to_owned();
    let cases = [
        (&good, "s3://no-such-bucket/table", "no-such-bucket"),
        (&wrong, "s3://lake/bad-input", "lake"),
    ];
    for (cloud, uri, word) in cases {
        for (source, target, prefix) in
            [(local.as_str(), uri, "TARGET_"), (uri, scratch.to_str().expect("plain"), "SOURCE_")]
        {
            let mut command = process::deepclone();
            command.args(["clone", source, target, "--output", "json"]);
            command.envs(cloud.settings(prefix)).env("XDG_STATE_HOME", folder.path().join("s"));
            let ended = sync::finish(command).await;
            refused(&ended, 5, word);
            assert!(!format!("{ended:?}").contains(&cloud.secret_access_key), "a secret leaked");
            assert!(!Path::new(&scratch).exists());
        }
    }
}

/// One clear line, the right exit code, and the word that says what.
#[track_caller]
fn refused(ended: &Ended, code: i32, word: &str) {
    assert_eq!(ended.code, code, "{ended:?}");
    let message = ended.json["error"]["message"].as_str().unwrap_or_default();
    let text = if message.is_empty() { ended.stderr.trim() } else { message };
    assert!(text.to_lowercase().contains(&word.to_lowercase()), "no {word:?} in {ended:?}");
    let errors = ended.stderr.lines().filter(|line| line.starts_with("error")).count();
    assert_eq!(errors, 1, "{ended:?}");
}
