//! What a first sync does while its plan is made: a source that is refused leaves nothing behind.

use deepclone_tests::stub_store::Kind;

use crate::bench::{Bench, SMALL};

const COMMIT: &str = "t/_delta_log/00000000000000000000.json";
const PROBE: &str = "/_deepclone/probe-";

#[test]
fn a_target_is_tried_once_and_then_holds_the_replica_alone() {
    let bench = Bench::new(&[("a.parquet", SMALL), ("b.parquet", SMALL)]);
    let ended = bench.clone_table();
    bench.is_copied(&ended, "a first sync");
    assert_eq!(bench.target.seen_of(Kind::Put, PROBE).len(), 2);
    assert!(!bench.target.keys().iter().any(|key| key.contains(PROBE)), "what tried it is left");
    // A replica is there already: the next sync reads what is new.
    bench.is_copied(&bench.clone_table(), "a second sync");
    assert_eq!(bench.target.seen_of(Kind::Put, PROBE).len(), 2);
}

#[test]
fn a_source_that_is_refused_leaves_nothing_at_the_target() {
    let bench = Bench::of(SMALL);
    let log = bench.source.get(COMMIT).unwrap();
    let log = String::from_utf8(log.to_vec()).unwrap();
    let strange = r#"{"protocol":{"minReaderVersion":9,"minWriterVersion":9}}"#;
    let actions = log.lines().map(|line| match line.contains("\"protocol\"") {
        true => strange,
        false => line,
    });
    bench.source.put(COMMIT, actions.collect::<Vec<_>>().join("\n"));
    bench.is_refused(&bench.clone_table(), &["9"], "an unknown protocol");
    // It was tried meanwhile.
    assert_eq!(bench.target.seen_of(Kind::Put, PROBE).len(), 2);
    assert_eq!(bench.target.keys().len(), 0, "{:?}", bench.target.keys());
}

#[test]
fn a_target_is_not_written_before_the_source_is_found() {
    let bench = Bench::of(SMALL);
    bench.source.remove(COMMIT);
    bench.is_refused(&bench.clone_table(), &["s3://lake/t"], "no log");
    assert_eq!(bench.target.seen_of(Kind::Put, "").len(), 0);
}

#[test]
fn a_target_inside_another_table_is_not_written() {
    let bench = Bench::of(SMALL);
    bench.target.put("_delta_log/00000000000000000000.json", "{}");
    bench.is_refused(&bench.clone_table(), &["lies inside the table"], "a table above");
    assert_eq!(bench.target.seen_of(Kind::Put, "").len(), 0);
}

#[test]
fn what_one_object_needs_is_all_that_is_connected() {
    let bench = Bench::of(SMALL);
    bench.is_copied(&bench.clone_table(), "one object");
    let connections = (bench.source.connections(), bench.target.connections());
    assert!(connections.0 <= 8 && connections.1 <= 10, "{connections:?}");
}
