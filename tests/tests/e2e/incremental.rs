//! Real writers change the source between syncs: rows equal each time, exactly the new objects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepclone_tests::process;
use deepclone_tests::readers::Seen;
use deepclone_tests::writers::{self, spark};
use serde_json::json;

use crate::place::Place;
use crate::replica;
use crate::sync;
use crate::table;

/// A local source, its replica, and the objects that the source's last synced version named.
struct Pair {
    source: Place,
    folder: PathBuf,
    target: Place,
    live: BTreeSet<String>,
    version: u64,
}

impl Pair {
    fn new(folder: PathBuf, target: Place) -> Self {
        let source = Place::Local(folder.clone());
        Self { source, folder, target, live: BTreeSet::new(), version: 0 }
    }

    fn location(&self) -> &str {
        self.folder.to_str().expect("a plain name")
    }

    /// Syncs after `change`; the objects that are new to the replica's head are copied, no other.
    async fn sync(&mut self, change: &str) {
        let before = self.target.listing().await;
        let ended = sync::embedded(&self.source, &self.target, &[]).await.succeeded();
        assert_eq!(ended.json["up_to_date"], false, "after {change}");
        let after = self.target.listing().await;
        let live = table::live_objects(&self.folder).await;
        let had = replica::objects(&before);
        let expected: BTreeSet<_> = live.difference(&had).cloned().collect();
        let added: BTreeSet<_> = replica::objects(&after).difference(&had).cloned().collect();
        assert_eq!(added, expected, "objects that arrived after {change}");
        let new: BTreeSet<_> = live.difference(&self.live).collect();
        assert_eq!(
            ended.number("objects_copied") + ended.number("objects_skipped"),
            new.len() as u64,
            "{change}: {ended:?}"
        );
        for key in replica::objects(&before) {
            assert_eq!(before[&key], after[&key], "{key} was rewritten after {change}");
        }
        let version = ended.number("target_version");
        assert!(replica::commits(&after).len() == replica::commits(&before).len() + 1);
        assert!(version >= self.version, "{change}");
        let judges = replica::assert_equal(&self.source, &self.target).await;
        assert!(judges.contains(&"duckdb".to_owned()), "{judges:?} after {change}");
        self.live = live;
        self.version = version;
    }
}

/// Syncs, and returns whether it read the newer commits alone.
async fn reads_only_newer(state: &Path, source: &Place, target: &Place) -> bool {
    let mut command = process::deepclone();
    command.args(["clone", &source.uri(), &target.uri(), "--output", "json"]);
    command.envs(source.settings("SOURCE_")).envs(target.settings("TARGET_"));
    command.env("XDG_STATE_HOME", state).env("DEEPCLONE_LOG", "deepclone_delta=debug");
    let ended = sync::finish(command).await.succeeded();
    !ended.stderr.contains("both tables are read whole")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_follows_reads_the_newer_commits_alone_in_every_store() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let state = scratch.path().join("state");
    let at = |name: &str| scratch.path().join(name);
    let replicas = [
        (Place::south("newer"), "of-s3"),
        (Place::azure("newer"), "of-azure"),
        (Place::Local(at("replica")), "of-disk"),
    ];
    for (replica, name) in replicas {
        let folder = at(&format!("{name}-source"));
        table::synthetic(&folder, 3, 10);
        let (source, further) = (Place::Local(folder.clone()), Place::Local(at(name)));
        for (from, to) in [(&source, &replica), (&replica, &further)] {
            assert!(!reads_only_newer(&state, from, to).await, "{name}: there was no sync before");
        }
        for version in 1..=2 {
            let file = format!("new-{version}.bin");
            std::fs::write(folder.join(&file), b"new").expect("a new file");
            let add = json!({"add": {"path": file, "partitionValues": {}, "size": 3,
                "modificationTime": 1, "dataChange": true}});
            let commit = folder.join(format!("_delta_log/{version:020}.json"));
            std::fs::write(commit, add.to_string()).expect("a new commit");
            for (from, to) in [(&source, &replica), (&replica, &further)] {
                assert!(reads_only_newer(&state, from, to).await, "{name}: version {version}");
                assert!(reads_only_newer(&state, from, to).await, "{name}: nothing to do");
                replica::assert_same_objects(from, to, version + 1).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_by_delta_rs() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let mut pair = Pair::new(folder.path().join("source"), Place::south("delta-rs"));
    let location = pair.location().to_owned();
    let write = |operation: &str, arguments| {
        writers::write(operation, &location, arguments);
    };
    write("append", json!({"start": 0, "count": 40}));
    pair.sync("a first append").await;
    write("append", json!({"start": 40, "count": 20}));
    pair.sync("an append").await;
    write("delete", json!({"predicate": "id < 10"}));
    pair.sync("a delete").await;
    write("optimize", json!({}));
    pair.sync("an optimize").await;
    write(
        "overwrite",
        json!({"start": 100, "count": 5, "predicate": "region = 'north'",
        "regions": ["north"]}),
    );
    pair.sync("a partition overwrite").await;
    write("append", json!({"start": 200, "count": 8, "wide": true}));
    pair.sync("a schema change").await;
    write("checkpoint", json!({}));
    write("delete", json!({"predicate": "region = 'south'"}));
    pair.sync("a delete after a checkpoint").await;
    write("restore", json!({"to": 1}));
    pair.sync("a restore").await;
    write("create", json!({}));
    pair.sync("create or replace").await;
    write("append", json!({"start": 300, "count": 12}));
    pair.sync("an append to the replaced table").await;
    write("restore", json!({"to": 3}));
    pair.sync("a restore of the table before").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_by_spark() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let mut pair =
        Pair::new(folder.path().join("source"), Place::Local(folder.path().join("replica")));
    let table = format!("delta.`{}`", pair.location());
    let run = |statement: &str| {
        spark(&[&statement.replace("TABLE_", &table)]);
    };
    run("CREATE TABLE TABLE_ (id BIGINT, part STRING, note STRING) USING DELTA \
         PARTITIONED BY (part) TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')");
    run("INSERT INTO TABLE_ SELECT id, concat('p', id % 3), repeat('x', id % 7) FROM range(60)");
    pair.sync("a first insert").await;
    run("DELETE FROM TABLE_ WHERE id % 10 = 3");
    pair.sync("a delete by deletion vector").await;
    run("UPDATE TABLE_ SET note = 'updated' WHERE id % 10 = 4");
    pair.sync("an update by deletion vector").await;
    run("DELETE FROM TABLE_ WHERE id % 10 = 5");
    pair.sync("a second vector of one file").await;
    run("OPTIMIZE TABLE_");
    pair.sync("an optimize").await;
    run("INSERT OVERWRITE TABLE_ PARTITION (part = 'p1') SELECT id, 'new' FROM range(500, 510)");
    pair.sync("a partition overwrite").await;
    run("ALTER TABLE TABLE_ ADD COLUMNS (score INT)");
    run("INSERT INTO TABLE_ SELECT id, 'p9', 'scored', 7 FROM range(600, 603)");
    pair.sync("a schema change").await;
    run("RESTORE TABLE TABLE_ TO VERSION AS OF 2");
    pair.sync("a restore").await;
    run("CREATE OR REPLACE TABLE TABLE_ USING DELTA PARTITIONED BY (b) \
         AS SELECT id AS a, concat('b', id % 2) AS b FROM range(9)");
    pair.sync("create or replace with another partition column").await;

    let (source, replica) = (
        writers::spark_read(&pair.source.uri(), None),
        writers::spark_read(&pair.target.uri(), None),
    );
    assert!(matches!(source, Seen::Rows { rows: 9, .. }), "{source:?}");
    assert_eq!(source, replica, "Spark sees another table in the replica");
}

/// delta-rs vacuums the replica and writes a checkpoint; a clean-up takes our own commit away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_delta_rs_vacuumed_and_cleaned_up_goes_on() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, target) =
        (Place::Local(folder.path().join("source")), Place::Local(folder.path().join("replica")));
    let only_south = ["--where", "region = 'south'"];
    writers::write("append", &source.uri(), json!({"start": 0, "count": 20}));
    sync::embedded(&source, &target, &only_south).await.succeeded();
    // VACUUM needs something to delete.
    writers::write("overwrite", &source.uri(), json!({"start": 50, "count": 20}));
    sync::embedded(&source, &target, &only_south).await.succeeded();
    writers::write("vacuum", &target.uri(), json!({}));
    writers::write("checkpoint", &target.uri(), json!({}));
    for version in 0..=3 {
        let commit = format!("_delta_log/{version:020}.json");
        std::fs::remove_file(PathBuf::from(target.uri()).join(commit)).expect("a commit");
    }

    let mut verify = deepclone_tests::process::deepclone();
    verify.args(["verify", &source.uri(), &target.uri(), "--output", "json"]);
    let report = sync::finish(verify).await.succeeded();
    assert_eq!(report.json["equal"], true, "{report:?}");
    writers::write("append", &source.uri(), json!({"start": 100, "count": 20}));
    let ended = sync::embedded(&source, &target, &only_south).await.succeeded();
    assert_eq!((ended.number("target_version"), ended.number("num_removed_files")), (4, 0));
    let again = sync::embedded(&source, &target, &only_south).await.succeeded();
    assert_eq!(again.json["up_to_date"], true);
}

/// A fact about delta-rs that operators are warned of: its full vacuum deletes live vectors.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_vacuum_by_delta_rs_deletes_live_vectors_and_verify_finds_it() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, target) =
        (Place::Local(folder.path().join("source")), Place::Local(folder.path().join("replica")));
    let table = format!("delta.`{}`", source.uri());
    spark(&[
        &format!(
            "CREATE TABLE {table} USING DELTA TBLPROPERTIES \
             ('delta.enableDeletionVectors' = 'true') AS SELECT id FROM range(0, 60, 1, 1)"
        ),
        &format!("DELETE FROM {table} WHERE id % 10 = 3"),
    ]);
    sync::embedded(&source, &target, &[]).await.succeeded();
    let is_vector = |key: &String| key.contains("deletion_vector_");
    let live: BTreeSet<String> = table::live_objects(&PathBuf::from(target.uri())).await;
    let vectors: Vec<&String> = live.iter().filter(|key| is_vector(key)).collect();
    assert_eq!(vectors.len(), 1, "{live:?}");

    let plain = writers::write("vacuum", &target.uri(), json!({}));
    assert_eq!(plain, json!([]));
    let full = writers::write("vacuum", &target.uri(), json!({"full": true}));
    assert_eq!(full, json!(vectors));
    let mut verify = deepclone_tests::process::deepclone();
    verify.args(["verify", &source.uri(), &target.uri(), "--output", "json"]);
    let report = sync::finish(verify).await;
    assert_eq!(report.code, 6, "{report:?}");
    assert_eq!(report.json["differences"][0]["kind"], "OBJECT_MISSING", "{report:?}");
}
