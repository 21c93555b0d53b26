//! What a result says: nothing is complete that is not, and what was sent twice counts once.

use deepclone_tests::stub_store::{Kind, Rule, error};

use crate::bench::{Bench, FLOWING, SMALL};

#[test]
fn one_object_that_is_not_taken_fails_the_whole() {
    let names = ["a.parquet", "b.parquet", "c.parquet", "d.parquet", "e.parquet"];
    let bench = Bench::new(&names.map(|name| (name, SMALL)));
    let denied = error(403, "AccessDenied");
    let bench = bench.target_lies([Rule::always(Kind::Put, denied).on("c.parquet")]);
    let ended = bench.clone_table();
    bench.is_refused(&ended, &["c.parquet", "to the target", "AccessDenied"], "one of five");
    assert!(!bench.data().contains(&"c.parquet".to_owned()));
    assert!(ended.object.get("num_copied_files").is_none(), "{}", ended.object);
}

#[test]
fn what_was_sent_twice_counts_once() {
    let bench = Bench::new(&[("a.parquet", SMALL), ("b.parquet", FLOWING)]);
    let fails = |key| Rule::once(Kind::Put, error(500, "InternalError")).on(key);
    let bench = bench.target_lies([fails("a.parquet"), fails("b.parquet")]);
    let ended = bench.clone_table();
    bench.is_copied(&ended, "two writes fail once");
    for key in ["a.parquet", "b.parquet"] {
        assert_eq!(bench.target.seen_of(Kind::Put, key).len(), 2, "{key}");
    }
    let bytes = (SMALL + FLOWING) as u64;
    for (name, expected) in [
        ("num_copied_files", 2),
        ("copied_files_size", bytes),
        ("objects_copied", 2),
        ("objects_skipped", 0),
        ("bytes_written", bytes),
        // The second object was not sent before the store said that it wants it.
        ("bytes_read", bytes),
    ] {
        assert_eq!(ended.object[name], expected, "{name}: {}", ended.object);
    }
    assert_eq!(bench.source.seen_of(Kind::Get, "parquet").len(), 2, "each is read once");
}

#[test]
fn an_empty_table_is_a_table_and_an_empty_folder_is_none() {
    let bench = Bench::new(&[]);
    let ended = bench.clone_table();
    bench.is_copied(&ended, "a table without files");
    assert_eq!((&ended.object["num_copied_files"], &ended.object["tasks"]), (&0.into(), &0.into()));

    let bench = Bench::of(SMALL);
    bench.source.remove("t/_delta_log/00000000000000000000.json");
    bench.is_refused(&bench.clone_table(), &["s3://lake/t"], "objects without a log");
    assert!(bench.data().is_empty());
}
