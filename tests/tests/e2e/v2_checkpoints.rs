//! V2 checkpoints: those of Spark in sources, and ours in replicas, which every reader begins with
//! once the commits below them are gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use deepclone_tests::process;
use deepclone_tests::readers::{self, Seen};
use deepclone_tests::writers::{spark, spark_read};
use serde_json::{Value, json};

use crate::place::Place;
use crate::replica;
use crate::sync::{self, Ended};

/// A source of Spark's, its replica, and the replica of that.
struct Chain {
    folder: tempfile::TempDir,
}

impl Chain {
    /// A table that asks for V2 checkpoints, one each second version.
    fn new(columns: &str, more: &str) -> Self {
        let chain = Self { folder: tempfile::tempdir().expect("a scratch folder") };
        chain.run(&format!(
            "CREATE TABLE TABLE_ ({columns}) USING DELTA PARTITIONED BY (part) TBLPROPERTIES \
             ('delta.feature.v2Checkpoint' = 'supported', 'delta.checkpointPolicy' = 'v2', \
             'delta.checkpointInterval' = '2'{more})"
        ));
        chain
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn place(&self, name: &str) -> Place {
        Place::Local(self.path(name))
    }

    fn run(&self, statement: &str) {
        let table = format!("delta.`{}`", self.place("source").uri());
        spark(&[&statement.replace("TABLE_", &table)]);
    }

    async fn sync(&self) {
        let (source, replica) = (self.place("source"), self.place("replica"));
        sync::embedded(&source, &replica, &[]).await.succeeded();
    }

    async fn looked_at(&self, words: &[&str], tables: &[&str]) -> Ended {
        let mut command = process::deepclone();
        command.args(words).args(tables.iter().map(|name| self.place(name).uri()));
        sync::finish({
            command.args(["--output", "json"]);
            command
        })
        .await
    }
}

/// The names of a table's log, sidecars by their folder.
fn log(table: &Path) -> BTreeSet<String> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into()).collect()
    };
    let folder = table.join("_delta_log");
    let sidecars = names(&folder.join("_sidecars"));
    let sidecars = sidecars.into_iter().map(|name| format!("_sidecars/{name}"));
    names(&folder).into_iter().chain(sidecars).filter(|name| !name.starts_with('.')).collect()
}

/// Removes the commits below the newest checkpoint, which is of the V2 form, and gives its version.
/// Spark wants the commit of that version itself.
fn leave_the_checkpoint(table: &Path) -> u64 {
    let names = log(table);
    let hint = fs::read(table.join("_delta_log/_last_checkpoint")).expect("a hint");
    let hint: Value = serde_json::from_slice(&hint).expect("JSON");
    let top = hint["v2Checkpoint"]["path"].as_str().expect("the file that names the sidecars");
    assert!(names.contains(top), "{top}: {names:?}");
    let version: u64 = top[..20].parse().expect("a version");
    assert_eq!(hint["version"], version);
    assert!(!names.iter().any(|name| name.ends_with(".checkpoint.parquet")), "{names:?}");
    assert!(version > 1, "{names:?}");
    for below in 0..version {
        fs::remove_file(table.join(format!("_delta_log/{below:020}.json"))).expect("a commit");
    }
    version
}

/// What every reader sees of a table.
fn seen(table: &Path) -> Vec<(String, Seen)> {
    let uri = Place::Local(table.to_owned()).uri();
    let mut seen: Vec<_> = readers::read(&uri, None).into_iter().collect();
    seen.push(("spark".to_owned(), spark_read(&uri, None)));
    seen
}

fn judges(seen: &[(String, Seen)]) -> Vec<&str> {
    let rows = seen.iter().filter(|(_, seen)| matches!(seen, Seen::Rows { .. }));
    rows.map(|(reader, _)| reader.as_str()).collect()
}

/// Spark's own V2 checkpoints in the source, and ours in a replica that is synced version by
/// version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_reads_a_replica_from_its_v2_checkpoint() {
    for (vectors, expect) in [
        ("", &["delta-rs", "duckdb", "polars", "spark"][..]),
        (", 'delta.enableDeletionVectors' = 'true'", &["delta-rs", "duckdb", "polars", "spark"]),
    ] {
        let chain = Chain::new("id BIGINT, name STRING, part STRING", vectors);
        for statement in [
            "INSERT INTO TABLE_ SELECT id, concat('n', id), concat('p ', id % 3) FROM range(90)",
            "DELETE FROM TABLE_ WHERE id % 10 = 3",
            "INSERT INTO TABLE_ SELECT id, null, 'q/ü' FROM range(100, 120)",
            "UPDATE TABLE_ SET name = 'x' WHERE id < 5",
            "MERGE INTO TABLE_ AS t USING (SELECT id FROM range(80, 130)) AS s ON t.id = s.id \
             WHEN MATCHED THEN UPDATE SET name = 'm' \
             WHEN NOT MATCHED THEN INSERT (id, name, part) VALUES (s.id, 'i', 'r')",
            "DELETE FROM TABLE_ WHERE part = 'p 1'",
        ] {
            chain.run(statement);
            chain.sync().await;
        }
        let (source, replica) = (chain.path("source"), chain.path("replica"));
        let names = log(&source);
        assert!(names.iter().any(|name| name.starts_with("_sidecars/")), "{names:?}");
        let whole = seen(&source);
        assert_eq!(seen(&replica), whole);
        let version = leave_the_checkpoint(&replica);
        assert!(version >= 4, "{version}");
        assert_eq!(judges(&whole), expect, "{whole:?}");
        assert_eq!(seen(&replica), whole);
        // Our own commands, and a first sync that plans while it reads the checkpoint.
        let verified = chain.looked_at(&["verify"], &["source", "replica"]).await.succeeded();
        assert_eq!(verified.json["differences"], json!([]), "{verified:?}");
        for words in [&["describe"][..], &["history"]] {
            chain.looked_at(words, &["replica"]).await.succeeded();
        }
        let (middle, further) = (chain.place("replica"), chain.place("further"));
        sync::embedded(&middle, &further, &[]).await.succeeded();
        replica::assert_equal(&middle, &further).await;
        // On top of the checkpoint; the replica of the replica follows.
        chain.run("INSERT INTO TABLE_ VALUES (1000, 'last', 'p 0')");
        chain.run("DELETE FROM TABLE_ WHERE id = 85");
        chain.sync().await;
        assert_eq!(seen(&replica), seen(&source));
        sync::embedded(&middle, &further, &[]).await.succeeded();
        replica::assert_equal(&chain.place("source"), &further).await;
    }
}

/// A checkpoint without a file needs no sidecar.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_reads_a_v2_checkpoint_of_an_empty_table() {
    let chain = Chain::new("id BIGINT, part STRING", "");
    for version in 1..=3 {
        chain.sync().await;
        chain.run(&format!("ALTER TABLE TABLE_ SET TBLPROPERTIES ('user.v' = '{version}')"));
    }
    let replica = chain.path("replica");
    leave_the_checkpoint(&replica);
    let names = log(&replica);
    assert!(!names.iter().any(|name| name.starts_with("_sidecars/")), "{names:?}");
    let found = seen(&replica);
    assert_eq!(judges(&found), ["delta-rs", "duckdb", "polars", "spark"], "{found:?}");
    assert_eq!(found, seen(&chain.path("source")));
    chain.run("INSERT INTO TABLE_ VALUES (1, 'a')");
    chain.sync().await;
    replica::assert_equal(&chain.place("source"), &chain.place("replica")).await;
}

/// Stores that list by prefix see the sidecars among the files of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_in_a_store_goes_on_over_its_v2_checkpoints() {
    let chain = Chain::new("id BIGINT, part STRING", "");
    let targets = [Place::south("v2-checkpoints"), Place::azure("v2-checkpoints")];
    let source = chain.place("source");
    for version in 1..=5 {
        chain.run(&format!("INSERT INTO TABLE_ VALUES ({version}, 'p')"));
        for target in &targets {
            sync::embedded(&source, target, &[]).await.succeeded();
        }
    }
    for target in &targets {
        let listing = target.listing().await;
        let count = |piece: &str, end: &str| {
            listing.keys().filter(|key| key.contains(piece) && key.ends_with(end)).count()
        };
        // Of the versions 2 and 4.
        let (tops, sidecars) = (count(".checkpoint.", ".json"), count("/_sidecars/", ".parquet"));
        assert_eq!((tops, sidecars), (2, 2), "{listing:?}");
        let below = replica::commits(&listing).into_iter().take(4);
        let copy = target.local_copy().await;
        below.for_each(|key| fs::remove_file(copy.folder.join(key)).expect("a commit"));
        assert_eq!(seen(&copy.folder), seen(&chain.path("source")));
    }
}
