//! Writes of whole objects whose answers are lost, late, early, or mean another thing.

use std::time::Duration;

use deepclone_tests::stub_store::{Kind, Lie, Rule, error};

use crate::bench::{Bench, FLOWING, MIB, SMALL, bytes_of};

const KEY: &str = "a.parquet";

/// The write of the object meets this once.
fn once(lie: impl Into<Lie>) -> Rule {
    Rule::once(Kind::Put, lie).on(KEY)
}

#[test]
fn a_write_whose_answer_is_lost_collides_with_nobody() {
    for size in [SMALL, FLOWING] {
        for (rule, case) in [
            (once(Lie::Close).though_done(), "closed after the write"),
            (once(Lie::Close), "closed before the write"),
            (once(error(500, "InternalError")).though_done(), "500 after the write"),
            (once(error(500, "InternalError")), "500"),
            (once(error(502, "")).though_done(), "a proxy's 502 after the write"),
            (once(error(503, "SlowDown")).though_done(), "503 after the write"),
            (once(Lie::Delay(Duration::from_millis(300))), "a late answer"),
        ] {
            let bench = Bench::of(size).target_lies([rule]);
            bench.is_copied(&bench.clone_table(), &format!("{case}, {size} bytes"));
        }
    }
}

#[test]
fn a_conflict_that_passes_is_no_object() {
    for size in [SMALL, FLOWING] {
        for code in ["ConditionalRequestConflict", "OperationAborted"] {
            let bench = Bench::of(size).target_lies([once(error(409, code))]);
            bench.is_copied(&bench.clone_table(), &format!("{code}, {size} bytes"));
            let puts = bench.target.seen_of(Kind::Put, KEY);
            assert_eq!(puts.len(), 2, "{code}: the write is sent again");
            let reads = bench.target.seen_of(Kind::Get, KEY);
            assert!(reads.is_empty(), "{code}: nothing says that an object is there");
        }
    }
}

#[test]
fn an_early_refusal_is_settled_by_what_is_there() {
    // The store answers once the head has come, and closes while bytes are still sent.
    for (size, is_there) in [(SMALL, true), (FLOWING, true), (12 * MIB, true), (12 * MIB, false)] {
        let refusal = Lie::EarlyError(error(412, "PreconditionFailed"));
        let bench = Bench::of(size).target_lies([once(refusal)]);
        if is_there {
            bench.target.put("r/a.parquet", bench.bytes(KEY).clone());
        }
        bench.is_copied(&bench.clone_table(), &format!("{size} bytes, there: {is_there}"));
    }
    let bench = Bench::of(FLOWING);
    let bench = bench.target_lies([once(Lie::EarlyError(error(412, "PreconditionFailed")))]);
    let other = bytes_of(FLOWING - 1);
    bench.target.put("r/a.parquet", other.clone());
    let ended = bench.clone_table();
    bench.is_refused(&ended, &["another object", KEY], "another object is there");
    assert_eq!(bench.target.get("r/a.parquet"), Some(other));
}

#[test]
fn what_the_store_says_it_took_is_compared() {
    const OTHER: Lie = Lie::Header("x-amz-checksum-crc64nvme", Some("AAAAAAAAAAA="));
    let bench = Bench::of(FLOWING).target_lies([once(OTHER)]);
    bench.is_copied(&bench.clone_table(), "another checksum in the answer");
    let reads = bench.target.seen_of(Kind::Get, KEY);
    assert_eq!(reads.len(), 1, "the object is read back");
}

#[test]
fn every_write_of_an_object_is_conditional_and_signed() {
    let bench = Bench::new(&[(KEY, SMALL), ("b.parquet", FLOWING), ("empty.parquet", 0)]);
    bench.is_copied(&bench.clone_table(), "no lies");
    let puts = bench.target.seen_of(Kind::Put, ".parquet");
    for put in puts.iter().filter(|put| !put.key.contains("/_deepclone/")) {
        assert_eq!(put.headers.get("if-none-match").map(String::as_str), Some("*"), "{put:?}");
    }
}
