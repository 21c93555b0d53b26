//! Names that are not unique: an object of another table or of a foreign writer, a replaced file.
//! The replica shows the source's bytes, or the sync refuses the key.
#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::fs;

use serde_json::{Value, json};

use crate::support::{Bench, Table, commits, data, files};

const KEY: &str = "day=1/data_0.parquet";
const OTHER: &str = "day=1/data_1.parquet";

/// A table of two files. All tables here have the same names and sizes, and different bytes.
fn table(bench: &Bench, name: &str, id: u32) -> Table {
    let table = Table::create(bench.path(name));
    table.commit(0, &[table.add(KEY, "1"), table.add(OTHER, "1")]);
    let log = table.root.join("_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("5fba94ed", &format!("{id:08}"))).unwrap();
    for key in [KEY, OTHER] {
        let bytes = fs::read(table.root.join(key)).unwrap();
        fs::write(table.root.join(key), vec![u8::try_from(id).unwrap(); bytes.len()]).unwrap();
    }
    table
}

/// Another `add` of a file, with more fields.
fn again(table: &Table, key: &str, more: Value) -> Value {
    let size = fs::metadata(table.root.join(key)).unwrap().len();
    let mut add = json!({"path": key, "partitionValues": {"day": "1"}, "size": size,
        "modificationTime": crate::support::FIRST_COMMIT_MS, "dataChange": true,
        "stats": "{\"numRecords\":1}"});
    for (name, value) in more.as_object().unwrap() {
        add[name] = value.clone();
    }
    json!({ "add": add })
}

fn refused(bench: &Bench, arguments: &[&str]) {
    let before = files(&bench.path("target"));
    let (exit, object) = bench.json(arguments);
    let error = &object["error"];
    assert_eq!((exit, &error["reason"]), (4, &json!("TARGET_CONFLICT")), "{object}");
    assert!(error["message"].as_str().unwrap().contains(KEY), "{object}");
    let mut after = files(&bench.path("target"));
    // What was copied beside the conflict stays for the next attempt.
    after.retain(|name, _| before.contains_key(name));
    assert_eq!(after, before, "the replica was changed");
}

/// A first sync of `a` that copies everything and fails before its commit: a file lies where the
/// ledger's folder should be.
fn fails_before_the_commit(bench: &Bench) {
    let target = bench.path("target");
    fs::create_dir_all(target.join("_deepclone")).unwrap();
    fs::write(target.join("_deepclone/ledger"), "").unwrap();
    let (exit, object) = bench.json(&["clone", "a", "target"]);
    assert_eq!((exit, &object["error"]["reason"]), (5, &json!("STORAGE_UNAVAILABLE")), "{object}");
    fs::remove_file(target.join("_deepclone/ledger")).unwrap();
    assert!(target.join(KEY).exists() && commits(&target) == 0);
}

#[test]
fn another_tables_leftover_is_never_shown() {
    let bench = Bench::new();
    let (_a, _b) = (table(&bench, "a", 1), table(&bench, "b", 2));
    fails_before_the_commit(&bench);
    refused(&bench, &["clone", "b", "target"]);
    assert_eq!(commits(&bench.path("target")), 0);
}

#[test]
fn a_table_goes_on_with_its_own_leftovers() {
    let bench = Bench::new();
    let a = table(&bench, "a", 1);
    fails_before_the_commit(&bench);
    let (exit, object) = bench.json(&["clone", "a", "target"]);
    assert_eq!(exit, 0, "{object}");
    let figures = ["objects_skipped", "objects_copied", "bytes_read"];
    assert_eq!(figures.map(|name| object[name].as_u64()), [Some(2), Some(0), Some(0)]);
    let proofs = json!({"length": 0, "earlier": 2, "stored_checksum": 0, "read_back": 0});
    assert_eq!(object["proofs"], proofs);
    assert_eq!(data(&bench.path("target")), data(&a.root));
}

#[test]
fn a_source_that_changed_under_an_unpublished_sync_is_copied_anew() {
    for keeps_time in [false, true] {
        let bench = Bench::new();
        let a = table(&bench, "a", 1);
        fails_before_the_commit(&bench);
        let file = a.root.join(KEY);
        let before = fs::metadata(&file).unwrap();
        let size = usize::try_from(before.len()).unwrap();
        fs::write(&file, vec![9; size]).unwrap();
        if keeps_time {
            let file = fs::File::options().write(true).open(&file).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
        }
        let (exit, object) = bench.json(&["clone", "a", "target"]);
        assert_eq!((exit, &object["objects_copied"]), (0, &json!(1)), "{object}");
        assert_eq!(data(&bench.path("target")), data(&a.root));
    }
}

#[test]
fn what_another_coordinator_published_is_never_replaced() {
    let bench = Bench::new();
    let a = table(&bench, "a", 1);
    fails_before_the_commit(&bench);
    let elsewhere = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.env("XDG_STATE_HOME", bench.path("elsewhere"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    elsewhere(&["clone", "a", "target"]);
    a.commit(1, &[a.remove(KEY, "1")]);
    elsewhere(&["clone", "a", "target"]);
    // The replica's version 0 still needs the object whose name comes back with other bytes.
    let size = fs::metadata(a.root.join(KEY)).unwrap().len();
    fs::write(a.root.join(KEY), vec![9; usize::try_from(size).unwrap()]).unwrap();
    a.commit(2, &[again(&a, KEY, json!({"modificationTime": 1}))]);
    refused(&bench, &["clone", "a", "target"]);
}

#[test]
fn a_new_lineage_takes_nothing_of_the_old_one() {
    let bench = Bench::new();
    let (_a, _b) = (table(&bench, "a", 1), table(&bench, "b", 2));
    assert_eq!(bench.json(&["clone", "a", "target"]).0, 0);
    let (exit, object) = bench.json(&["clone", "b", "target"]);
    assert_eq!((exit, &object["error"]["reason"]), (4, &json!("SOURCE_REPLACED")), "{object}");
    refused(&bench, &["clone", "b", "target", "--on-source-replaced", "reclone"]);
}

#[test]
fn a_foreign_object_is_never_taken_for_the_sources() {
    let bench = Bench::new();
    let a = table(&bench, "a", 1);
    let new = "day=1/data_0.parquet.new";
    assert_eq!(bench.json(&["clone", "a", "target"]).0, 0);
    // A foreign append of a name that the source adds later, with the same size.
    let target = Table { root: bench.path("target") };
    target.commit(1, &[target.add(new, "1")]);
    fs::write(a.root.join(new), vec![7; format!("bytes of {new}").len()]).unwrap();
    a.commit(1, &[again(&a, new, json!({}))]);
    let (exit, object) = bench.json(&["clone", "a", "target", "--on-divergence", "overwrite"]);
    assert_eq!((exit, &object["error"]["reason"]), (4, &json!("TARGET_CONFLICT")), "{object}");
    assert!(object["error"]["message"].as_str().unwrap().contains(new), "{object}");
}

#[test]
fn a_file_that_was_replaced_in_place_is_named() {
    for more in [json!({"modificationTime": 1}), json!({"stats": "{\"numRecords\":2}"})] {
        let bench = Bench::new();
        let a = table(&bench, "a", 1);
        assert_eq!(bench.json(&["clone", "a", "target"]).0, 0);
        let size = fs::metadata(a.root.join(KEY)).unwrap().len();
        fs::write(a.root.join(KEY), vec![9; usize::try_from(size).unwrap()]).unwrap();
        a.commit(1, &[again(&a, KEY, more.clone())]);
        refused(&bench, &["clone", "a", "target"]);

        // The same bytes are no conflict, and nothing is copied.
        fs::write(a.root.join(KEY), vec![1; usize::try_from(size).unwrap()]).unwrap();
        let (exit, object) = bench.json(&["clone", "a", "target"]);
        assert_eq!((exit, &object["objects_copied"]), (0, &json!(0)), "{more}: {object}");
    }
}

#[test]
fn verify_deep_finds_each_wrong_byte_that_sizes_hide() {
    let bench = Bench::new();
    let a = table(&bench, "a", 1);
    assert_eq!(bench.json(&["clone", "a", "target"]).0, 0);
    let size = fs::metadata(a.root.join(KEY)).unwrap().len();
    let (exit, object) = bench.json(&["verify", "a", "target", "--deep"]);
    assert_eq!((exit, &object["equal"]), (0, &json!(true)), "{object}");
    // The ledger tells the source's digests: only the target is read.
    let expect = json!({"objects": 2, "source_bytes_read": 0, "target_bytes_read": 2 * size,
        "bytes": 2 * size, "bytes_total": 2 * size});
    assert_eq!(object["deep"], expect, "{object}");

    // A sample of half of the bytes is one of the two, the same for the same number.
    let drawn = |seed: &str| {
        let (exit, object) =
            bench.json(&["verify", "a", "target", "--sample", "50%", "--seed", seed]);
        assert_eq!((exit, &object["deep"]["objects"]), (0, &json!(1)), "{object}");
        assert_eq!(object["deep"]["seed"], seed.parse::<u64>().unwrap());
        object["deep"]["bytes"].as_u64().unwrap()
    };
    assert_eq!((drawn("1"), drawn("2")), (size, size));
    let run = bench.run(&["verify", "a", "target", "--sample", "50%"]);
    assert!(run.stdout.contains("29 B of 58 B (--seed "), "{}", run.stdout);

    // Another table's bytes, a foreign writer's, or the old ones of a replaced file.
    fs::write(bench.path("target").join(KEY), vec![2; usize::try_from(size).unwrap()]).unwrap();
    let (exit, object) = bench.json(&["verify", "a", "target"]);
    assert_eq!((exit, &object["equal"]), (0, &json!(true)), "sizes hide it: {object}");
    let (exit, object) = bench.json(&["verify", "a", "target", "--deep"]);
    assert_eq!((exit, &object["differences"][0]["kind"]), (6, &json!("OBJECT_BYTES")), "{object}");
    assert_eq!(object["differences"][0]["subject"], KEY);
    let run = bench.run(&["verify", "a", "target", "--deep"]);
    assert_eq!(run.exit, 6);
    assert!(run.stdout.contains("2 objects compared, 0 B read at the source"), "{}", run.stdout);

    // The source's file is another one, under its old time: the ledger does not speak for it.
    let file = a.root.join(OTHER);
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, vec![9; usize::try_from(size).unwrap()]).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    let (_, object) = bench.json(&["verify", "a", "target", "--deep"]);
    assert_eq!(object["differences"][1]["subject"], OTHER, "{object}");

    // A dangling commit: the object is missing.
    fs::remove_file(bench.path("target").join(KEY)).unwrap();
    let (exit, object) = bench.json(&["verify", "a", "target", "--deep"]);
    assert_eq!(
        (exit, &object["differences"][0]["kind"]),
        (6, &json!("OBJECT_MISSING")),
        "{object}"
    );
}

const VECTOR: &str = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";

/// A deletion-vector file with one vector at offset 1; `flips` one bit of its checksum.
fn vector_file(flips: bool) -> Vec<u8> {
    let data = [7; 30];
    // CRC-32 of thirty sevens.
    let checksum = 0x2af4_c771_u32 ^ u32::from(flips);
    [&[1][..], &30_u32.to_be_bytes(), &data, &checksum.to_be_bytes()].concat()
}

#[test]
fn a_damaged_deletion_vector_is_refused_and_a_repaired_one_takes_its_place() {
    let bench = Bench::new();
    let a = table(&bench, "a", 1);
    let log = a.root.join("_delta_log/00000000000000000000.json");
    let features = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}});
    let text = fs::read_to_string(&log).unwrap();
    let legacy = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}).to_string();
    let text = text.replace(&legacy, &features.to_string());
    assert!(text.contains("deletionVectors"));
    fs::write(&log, text).unwrap();
    let vector = json!({"storageType": "u", "pathOrInlineDv": "^-aqEH.-t@S}K{vb[*k^", "offset": 1,
        "sizeInBytes": 30, "cardinality": 2});
    a.commit(1, &[a.remove(KEY, "1"), again(&a, KEY, json!({"deletionVector": vector}))]);
    fs::write(a.root.join(VECTOR), vector_file(true)).unwrap();
    let (exit, object) = bench.json(&["clone", "a", "target"]);
    assert_eq!((exit, &object["error"]["reason"]), (3, &json!("DAMAGED_LOG")), "{object}");
    let message = object["error"]["message"].as_str().unwrap();
    assert!(message.contains(VECTOR) && message.contains(KEY), "{message}");
    assert_eq!(commits(&bench.path("target")), 0);

    fs::write(a.root.join(VECTOR), vector_file(false)).unwrap();
    let (exit, object) = bench.json(&["clone", "a", "target"]);
    assert_eq!(exit, 0, "{object}");
    assert_eq!(data(&bench.path("target")), data(&a.root));
}
