//! Vacuums of replicas beside readers and syncs, and what is told of a deletion.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use deepclone_tests::listing::Listing;
use deepclone_tests::process;
use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};
use deepclone_tests::readers::{self, Seen};
use deepclone_tests::writers::{self, spark};
use serde_json::{Value, json};

use crate::place::Place;
use crate::replica;
use crate::sync::{self, Ended};
use crate::table;

/// How long a replica in a store keeps what was removed.
const SHORT: &str = "interval 1 second";
/// A time after which a store's replica keeps nothing of what was removed.
const SOON: Duration = Duration::from_millis(2_500);
/// What lies between the last version that is not kept and the first that is replaced.
const APART: Duration = Duration::from_secs(6);
/// How long a local one does, for Spark counts in hours. The files of these are made older.
const HOUR: &str = "interval 1 hour";

/// A command that names replicas alone.
async fn command(words: &[&str], target: &Place, flags: &[&str]) -> Ended {
    let mut command = process::deepclone();
    command.args(words).args([&target.uri(), "--output", "json"]).args(flags);
    command.envs(target.settings("TARGET_"));
    sync::finish(command).await
}

async fn vacuum(target: &Place, flags: &[&str]) -> Ended {
    command(&["vacuum"], target, flags).await.succeeded()
}

/// Vacuums so that only what the newest version needs is left.
async fn vacuum_all(target: &Place) -> Ended {
    match target {
        Place::Local(folder) => {
            age(folder, 3 * 3_600).await;
            vacuum(target, &["--retain", "0s", "--break-time-travel"]).await
        }
        Place::Cloud(..) | Place::Azure(..) => {
            tokio::time::sleep(SOON).await;
            vacuum(target, &[]).await
        }
    }
}

/// Makes the objects of a local replica older.
async fn age(folder: &Path, seconds: u64) {
    for key in replica::objects(&Place::Local(folder.to_owned()).listing().await) {
        let file = std::fs::File::options().write(true).open(folder.join(key));
        let then = SystemTime::now() - Duration::from_secs(seconds);
        file.expect("an object").set_modified(then).expect("a time of the past");
    }
}

async fn synced(source: &Place, target: &Place) -> u64 {
    synced_at(source, target, target).await
}

/// Syncs to a place that `target` names, too.
async fn synced_at(source: &Place, target: &Place, place: &Place) -> u64 {
    let flags = ["--property", &property(target)];
    sync::embedded(source, place, &flags).await.succeeded().number("target_version")
}

fn property(target: &Place) -> String {
    let kept = if matches!(target, Place::Local(_)) { HOUR } else { SHORT };
    format!("delta.deletedFileRetentionDuration={kept}")
}

/// How long versions must be kept, so that the one before `version` is the oldest of them.
async fn retain_before(target: &Place, version: u64) -> String {
    let history = command(&["history"], target, &[]).await.succeeded();
    let syncs = history.json["syncs"].as_array().expect("a list").clone();
    let found = syncs.iter().find(|sync| sync["target_version"] == version).expect("the sync");
    let time = DateTime::parse_from_rfc3339(found["time"].as_str().expect("a time"));
    let now = DateTime::<chrono::Utc>::from(SystemTime::now());
    let age = now.signed_duration_since(time.expect("RFC 3339")).num_milliseconds();
    // Stores tell the times of commits in whole seconds, and the command takes a moment.
    format!("{}ms", age + 3_000)
}

/// What each reader sees of each version.
async fn views(target: &Place, versions: &[u64]) -> BTreeMap<(u64, String), Seen> {
    let copy = target.local_copy().await;
    let mut seen = BTreeMap::new();
    for version in versions {
        for (reader, view) in readers::read(copy.location(), Some(*version)) {
            seen.insert((*version, reader), view);
        }
        if matches!(target, Place::Local(_)) {
            let view = writers::spark_read(copy.location(), Some(*version));
            seen.insert((*version, "spark".to_owned()), view);
        }
    }
    seen
}

fn log(listing: &Listing) -> Listing {
    let log = listing.iter().filter(|(key, _)| key.starts_with("_delta_log/"));
    log.map(|(key, bytes)| (key.clone(), *bytes)).collect()
}

/// Vacuums so that `kept` is the oldest version, and compares what all readers see of it and of
/// newer ones before and after. Returns the kinds of what went.
async fn vacuum_and_read(target: &Place, kept: u64, newest: u64) -> Value {
    let versions: Vec<u64> = (kept..=newest).collect();
    if let Place::Local(folder) = target {
        age(folder, 3 * 3_600).await;
    }
    let (before, seen) = (target.listing().await, views(target, &versions).await);
    let rows = seen.values().filter(|view| matches!(view, Seen::Rows { .. })).count();
    assert!(rows >= versions.len() * 3, "{seen:?}");

    let retain = retain_before(target, kept + 1).await;
    let flags = ["--retain", &retain, "--break-time-travel"];
    let dry = vacuum(target, &[&flags[..], &["--dry-run"]].concat()).await;
    assert_eq!(target.listing().await, before, "a dry run deletes nothing");
    let ended = vacuum(target, &flags).await;
    assert_eq!(ended.json["oldest_kept_version"], kept, "{ended:?}");
    assert_eq!(ended.json["keys"], dry.json["keys"]);
    let after = target.listing().await;
    let gone: Vec<&String> = before.keys().filter(|key| !after.contains_key(*key)).collect();
    let keys = ended.json["keys"].as_array().expect("a list");
    let told: Vec<&str> = keys.iter().filter_map(|key| key["key"].as_str()).collect();
    assert_eq!(gone, told);
    assert!(!gone.is_empty() && gone.len() as u64 == ended.number("objects"), "{ended:?}");
    assert_eq!(log(&after), log(&before), "the log is not written");
    assert_eq!(views(target, &versions).await, seen, "the versions {versions:?}");
    ended.json["kinds"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_read_every_version_within_the_retention_in_every_store() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let replicas = [
        Place::Local(folder.path().join("replica")),
        Place::south("vacuum"),
        Place::azure("vacuum"),
    ];
    for (number, target) in replicas.into_iter().enumerate() {
        let source = Place::Local(folder.path().join(format!("source-{number}")));
        let write = |operation: &str, arguments| {
            writers::write(operation, &source.uri(), arguments);
        };
        write("append", json!({"start": 0, "count": 40}));
        synced(&source, &target).await;
        write("delete", json!({"predicate": "id < 10"}));
        synced(&source, &target).await;
        tokio::time::sleep(APART).await;
        write("optimize", json!({}));
        write("append", json!({"start": 40, "count": 20}));
        synced(&source, &target).await;
        write("delete", json!({"predicate": "region = 'south'"}));
        assert_eq!(synced(&source, &target).await, 3);

        let kinds = vacuum_and_read(&target, 1, 3).await;
        assert!(kinds["DATA_FILE"]["objects"].as_u64() > Some(0), "{kinds}");
        let all = vacuum_all(&target).await;
        assert_eq!(all.json["uploads"].is_null(), !matches!(target, Place::Cloud(..)), "{all:?}");
        let live = table::live_objects(&target.local_copy().await.folder).await;
        assert_eq!(replica::objects(&target.listing().await), live);
        assert_eq!(vacuum_all(&target).await.number("objects"), 0);
        write("restore", json!({"to": 1}));
        assert_eq!(synced(&source, &target).await, 4);
        replica::assert_equal(&source, &target).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_vectors_of_spark_are_kept_as_long_as_a_version_needs_them() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| Place::Local(folder.path().join(name));
    let (source, target) = (at("source"), at("replica"));
    let run = |statement: &str| {
        spark(&[&statement.replace("TABLE_", &format!("delta.`{}`", source.uri()))]);
    };
    run("CREATE TABLE TABLE_ (id BIGINT, part STRING) USING DELTA \
         TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')");
    run("INSERT INTO TABLE_ SELECT /*+ COALESCE(1) */ id, 'x' FROM range(60)");
    synced(&source, &target).await;
    for tens in [3, 4] {
        run(&format!("DELETE FROM TABLE_ WHERE id % 10 = {tens}"));
        synced(&source, &target).await;
    }
    tokio::time::sleep(APART).await;
    run("DELETE FROM TABLE_ WHERE id % 10 = 5");
    let deleted = DateTime::<chrono::Utc>::from(SystemTime::now()).to_rfc3339();
    synced(&source, &target).await;
    run("INSERT INTO TABLE_ VALUES (100, 'y')");
    assert_eq!(synced(&source, &target).await, 4);
    // The first vector is of version 1 alone.
    let kinds = vacuum_and_read(&target, 2, 4).await;
    assert_eq!(
        kinds,
        json!({"DELETION_VECTOR": {"objects": 1, "bytes": kinds["DELETION_VECTOR"]["bytes"]}})
    );

    // The rows are there until the source rewrites the file.
    let told = command(&["deleted"], &target, &["--before", &deleted]).await;
    assert_eq!((told.code, &told.json["gone"]), (6, &json!(false)), "{told:?}");
    assert_eq!(told.json["replicas"][0]["hidden_rows"], 18, "{told:?}");
    run("REORG TABLE TABLE_ APPLY (PURGE)");
    synced(&source, &target).await;
    vacuum_all(&target).await;
    let told = command(&["deleted"], &target, &["--before", &deleted]).await;
    assert_eq!((told.code, &told.json["replicas"][0]["verdict"]), (0, &json!("GONE")), "{told:?}");
    replica::assert_equal(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacuum_beside_a_sync_leaves_what_the_sync_has_copied() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = Place::Local(folder.path().join("source"));
    writers::write("append", &source.uri(), json!({"start": 0, "count": 40}));
    for target in [Place::south("vacuum-beside"), Place::azure("vacuum-beside")] {
        synced(&source, &target).await;
        writers::write("overwrite", &source.uri(), json!({"start": 50, "count": 40}));
        let proxy = Proxy::start(target.endpoint()).await;
        let proxied = target.at(&proxy.endpoint(target.endpoint()));
        let gate = Gate::default();
        let commit = "_delta_log/00000000000000000001.json";
        proxy.add(Rule::new(Fault::Hold(gate.clone())).method("PUT").containing(commit));
        let beside = async {
            gate.arrived(1).await;
            let before = target.listing().await;
            let ended = vacuum_all(&target).await;
            gate.open();
            (before, ended)
        };
        let (version, (before, vacuumed)) =
            tokio::join!(synced_at(&source, &target, &proxied), beside);
        assert_eq!(version, 1);
        assert_eq!(vacuumed.number("objects"), 0, "{vacuumed:?} of {:?}", before.keys());
        replica::assert_equal(&source, &target).await;
        // Once it is published, what it replaced goes.
        assert!(vacuum_all(&target).await.number("objects") > 0);
        replica::assert_equal(&source, &target).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_cleaned_up_is_read_by_all() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, replica) = (folder.path().join("source"), folder.path().join("replica"));
    let (source, target) = (Place::Local(source), Place::Local(replica.clone()));
    let flags = ["--property", "delta.checkpointInterval=1"];
    for start in 0..4 {
        writers::write("append", &source.uri(), json!({"start": start * 10, "count": 10}));
        sync::embedded(&source, &target, &flags).await.succeeded();
    }
    // Forty days and less ago, each version an hour after the one before.
    for version in 0..4_u64 {
        let then = SystemTime::now() - Duration::from_secs((40 * 24 - version) * 3_600);
        for end in ["json", "checkpoint.parquet"] {
            let name = format!("_delta_log/{version:020}.{end}");
            let file = std::fs::File::options().write(true).open(replica.join(name));
            // The first version has no checkpoint.
            file.ok().inspect(|file| file.set_modified(then).expect("a time of the past"));
        }
    }
    assert_eq!(vacuum(&target, &[]).await.number("objects"), 0);
    let seen = readers::read(&target.uri(), Some(3));
    let ended = vacuum(&target, &["--log"]).await;
    assert_eq!(ended.json["kinds"]["LOG"]["objects"], 5, "{ended:?}");
    let log: Vec<String> = log(&target.listing().await).into_keys().collect();
    let left = ["00000000000000000003.checkpoint.parquet", "00000000000000000003.json"];
    let left = [left[0], left[1], "_last_checkpoint"].map(|name| format!("_delta_log/{name}"));
    assert_eq!(log, left);
    assert_eq!(readers::read(&target.uri(), Some(3)), seen);
    writers::write("delete", &source.uri(), json!({"predicate": "id < 10"}));
    let version = sync::embedded(&source, &target, &flags).await.succeeded();
    assert_eq!(version.number("target_version"), 4);
    let spark = |place: &Place| writers::spark_read(&place.uri(), None);
    assert_eq!(spark(&target), spark(&source));
    let rows = readers::assert_same_rows(&source.uri(), &target.uri());
    assert!(rows.len() >= 3, "{rows:?}");
}

/// What a sync that failed long ago left is found by a sync while a vacuum is about to delete it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sync_finds_is_kept_or_copied_again() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| Place::Local(folder.path().join(name));
    let (source, target) = (at("source"), at("replica"));
    writers::write("append", &source.uri(), json!({"start": 0, "count": 4}));
    synced(&source, &target).await;
    let (mut deleted, mut kept) = (0, 0);
    for round in 1..=8_u64 {
        writers::write("append", &source.uri(), json!({"start": round * 100, "count": 40}));
        leave_old(&folder.path().join("source"), &folder.path().join("replica")).await;
        // Each time the vacuum begins a little later.
        let later = async {
            tokio::time::sleep(Duration::from_millis(25 * (round - 1))).await;
            vacuum(&target, &[]).await
        };
        let (version, vacuumed) = tokio::join!(synced(&source, &target), later);
        assert_eq!(version, round);
        match vacuumed.number("objects") {
            0 => kept += 1,
            _ => deleted += 1,
        }
        replica::assert_equal(&source, &target).await;
    }
    assert_eq!(deleted + kept, 8);
}

/// Puts the objects that the replica lacks there, as written nine days ago.
async fn leave_old(source: &Path, replica: &Path) {
    let (wanted, has) = (table::live_objects(source).await, table::live_objects(replica).await);
    let old = SystemTime::now() - Duration::from_secs(9 * 24 * 3_600);
    for key in wanted.difference(&has) {
        std::fs::copy(source.join(key), replica.join(key)).expect("a writable folder");
        let file = std::fs::File::options().write(true).open(replica.join(key));
        file.expect("the new file").set_modified(old).expect("a time of the past");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_proved_once_it_is_everywhere() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = Place::Local(folder.path().join("source"));
    writers::write("append", &source.uri(), json!({"start": 0, "count": 40}));
    let targets = [Place::Local(folder.path().join("replica")), Place::south("deleted")];
    for target in &targets {
        synced(&source, target).await;
    }
    writers::write("delete", &source.uri(), json!({"predicate": "id < 10"}));
    let history =
        std::fs::metadata(folder.path().join("source/_delta_log/00000000000000000001.json"));
    let deleted = history.expect("the commit").modified().expect("a time of its own");
    let date = DateTime::<chrono::Utc>::from(deleted);
    let date = date.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let told = async |target: &Place| {
        let told = command(&["deleted"], target, &["--before", &date]).await;
        let replica = told.json["replicas"][0].clone();
        (told.code, replica["verdict"].as_str().expect("a verdict").to_owned(), replica)
    };
    // One was paused while the source deleted.
    synced(&source, &targets[0]).await;
    let (code, verdict, replica) = told(&targets[0]).await;
    assert_eq!((code, &*verdict), (6, "READABLE"), "{replica}");
    assert_eq!(replica["arrived"]["target_version"], 1, "{replica}");
    assert_eq!(
        (&replica["readable"]["first_version"], &replica["readable"]["versions"]),
        (&json!(0), &json!(1))
    );
    assert!(replica["readable"]["until_time"].is_string(), "{replica}");
    let (code, verdict, replica) = told(&targets[1]).await;
    assert_eq!((code, &*verdict, &replica["arrived"]), (6, "NOT_ARRIVED", &Value::Null));
    synced(&source, &targets[1]).await;
    for target in &targets {
        assert_eq!(vacuum(target, &["--retain", "7d"]).await.number("objects"), 0);
        assert_eq!(told(target).await.1, "READABLE");
        assert!(vacuum_all(target).await.number("objects") > 0);
        let (code, verdict, replica) = told(target).await;
        assert_eq!((code, &*verdict, &replica["readable"]), (0, "GONE", &Value::Null), "{replica}");
        replica::assert_equal(&source, target).await;
    }
    let refused = command(&["vacuum"], &targets[0], &["--retain", "0s"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--break-time-travel"), "{refused:?}");
    let theirs = command(&["vacuum"], &source, &[]).await;
    assert_eq!((theirs.code, &theirs.json["error"]["reason"]), (4, &json!("TARGET_NOT_OURS")));
    let all = command(&["deleted", &source.uri()], &targets[0], &["--before", &date]).await;
    assert_eq!((all.code, &all.json["replicas"][0]["verdict"]), (4, &json!("FAILED")), "{all:?}");
    assert_eq!(all.json["replicas"][1]["verdict"], "GONE");
}
