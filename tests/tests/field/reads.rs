//! Reads that are slow, cut, changed, or not what was asked for.

use std::time::Duration;

use deepclone_tests::stub_store::{Kind, Lie, Manners, Rule};

use crate::bench::{Bench, FLOWING, KIB, MIB, SMALL};

const KEY: &str = "a.parquet";

/// The read of the object meets this once.
fn once(lie: Lie) -> Rule {
    Rule::once(Kind::Get, lie).on(KEY)
}

#[test]
fn an_answer_that_ends_early_is_resumed() {
    for size in [SMALL, FLOWING] {
        for (lie, case) in [
            (Lie::Close, "no answer"),
            (Lie::CutAt(0), "no bytes"),
            (Lie::CutAt(50 * KIB), "some bytes"),
            (Lie::CutAt(size - 1), "all but one"),
        ] {
            let bench = Bench::of(size).source_lies([once(lie)]);
            bench.is_copied(&bench.clone_table(), &format!("{case} of {size}"));
            let puts = bench.target.seen_of(Kind::Put, KEY);
            assert_eq!(puts.len(), 1, "{case} of {size}: the write waits for the rest");
            let reads = bench.source.seen_of(Kind::Get, KEY);
            assert!(reads.len() == 2 || reads[1].headers.contains_key("if-match"), "{case}");
        }
    }
}

#[test]
fn a_slow_read_is_waited_for() {
    let slow = Lie::Drip(MIB / 4, Duration::from_millis(300));
    let bench = Bench::of(FLOWING).source_lies([once(slow)]);
    let ended = bench.clone_table();
    bench.is_copied(&ended, "a steady drip");
    assert_eq!(bench.source.seen_of(Kind::Get, KEY).len(), 1);
    assert!(ended.took >= Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn another_object_than_the_planned_one_is_refused() {
    for size in [SMALL, FLOWING] {
        for (rules, part) in [
            (vec![once(Lie::Shorter(1))], "the table's log says"),
            (vec![once(Lie::Longer(1))], "the table's log says"),
            (
                vec![once(Lie::CutAt(10)), once(Lie::Header("etag", Some("\"other\"")))],
                "was replaced while it was read",
            ),
            (vec![once(Lie::CutAt(10)), once(Lie::WholeForRange)], "range"),
        ] {
            let case = format!("{rules:?} of {size}");
            let bench = Bench::of(size).source_lies(rules);
            let ended = bench.clone_table();
            match part {
                // Asked again, the store keeps to the range.
                "range" => bench.is_copied(&ended, &case),
                _ => {
                    bench.is_refused(&ended, &[KEY, part], &case);
                    assert!(bench.data().is_empty(), "{case}");
                }
            }
        }
    }
}

#[test]
fn wrong_bytes_are_noticed_where_the_source_keeps_checksums() {
    let manners = Manners { has_checksums: true, ..Manners::default() };
    for size in [SMALL, FLOWING] {
        let objects = [(KEY, size)];
        let bench = Bench::with(&objects, manners.clone(), Manners::default());
        let bench = bench.source_lies([once(Lie::FlipBit)]);
        bench.is_copied(&bench.clone_table(), &format!("{size} bytes"));
        assert_eq!(bench.source.seen_of(Kind::Get, KEY).len(), 2, "{size} bytes");
    }
}

#[test]
fn a_store_without_tags_is_read_from_the_start_again() {
    let untagged = Manners { has_no_tags: true, ..Manners::default() };
    for (rules, reads) in [(vec![], 1), (vec![once(Lie::CutAt(10))], 2)] {
        let bench = Bench::with(&[(KEY, FLOWING)], untagged.clone(), Manners::default());
        let bench = bench.source_lies(rules);
        bench.is_copied(&bench.clone_table(), &format!("{reads} reads"));
        let seen = bench.source.seen_of(Kind::Get, KEY);
        assert_eq!(seen.len(), reads);
        assert!(seen.iter().all(|read| !read.headers.contains_key("range")), "{seen:?}");
    }
}

#[test]
fn bytes_that_a_store_unpacks_are_not_copied() {
    for (lie, part) in [(Lie::Longer(300), "log says"), (Lie::Unmeasured, "content-encoding")] {
        let bench = Bench::of(SMALL).source_lies([Rule::always(Kind::Get, lie).on(KEY)]);
        let ended = bench.clone_table();
        bench.is_refused(&ended, &[KEY, part], part);
        assert!(ended.took < Duration::from_secs(30), "{part}: {:?}", ended.took);
    }
}

#[test]
fn odd_keys_beside_the_log_do_no_harm() {
    let bench = Bench::of(SMALL);
    for key in ["t/", "t/_delta_log/", "t/_delta_log//x", "t/_delta_log/a/../b", "t//a.parquet"] {
        bench.source.put(key, "x");
    }
    bench.is_copied(&bench.clone_table(), "odd keys");
}
