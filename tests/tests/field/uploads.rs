//! Large objects: uploads by parts whose answers are lost, late or wrong.

use std::time::Duration;

use deepclone_tests::stub_store::{Kind, Lie, Manners, Rule, error};

use crate::bench::{Bench, FLOWING, LARGE, SMALL, bytes_of};

const KEY: &str = "a.parquet";

fn once(kind: Kind, lie: impl Into<Lie>) -> Rule {
    Rule::once(kind, lie).on(KEY)
}

/// Copies a large object to a target with these rules.
#[track_caller]
fn survives(rules: Vec<Rule>) -> Bench {
    let case = format!("{rules:?}");
    let bench = Bench::of(LARGE).target_lies(rules);
    bench.is_copied(&bench.clone_table(), &case);
    bench
}

#[test]
fn a_completion_whose_answer_is_lost_is_settled_by_the_object() {
    for lie in [Lie::Close, Lie::CutAt(40), error(500, "InternalError").into()] {
        let bench = survives(vec![once(Kind::Complete, lie).though_done()]);
        assert_eq!(bench.target.seen_of(Kind::CreateUpload, KEY).len(), 1, "no second copy");
        assert_eq!(bench.target.seen_of(Kind::Complete, KEY).len(), 2);
    }
}

#[test]
fn an_error_inside_a_success_is_an_error() {
    for code in ["SlowDown", "Unheard"] {
        let bench = survives(vec![once(Kind::Complete, Lie::ErrorInside(code))]);
        assert_eq!(bench.target.seen_of(Kind::CreateUpload, KEY).len(), 1, "{code}");
        assert_eq!(bench.target.seen_of(Kind::Complete, KEY).len(), 2, "{code}");
    }
}

#[test]
fn a_key_with_the_word_of_an_error_is_a_key() {
    let bench = Bench::new(&[("SlowDown/InternalError.parquet", LARGE)]);
    bench.is_copied(&bench.clone_table(), "words of errors");
    assert_eq!(bench.target.seen_of(Kind::Complete, "").len(), 1);
}

#[test]
fn an_upload_that_cannot_be_completed_is_begun_again() {
    // The number of completions that meet it: as many as one upload gets.
    for (status, code, times) in [(409, "ConditionalRequestConflict", 4), (400, "InvalidPart", 1)] {
        let rule = once(Kind::Complete, error(status, code)).times(times);
        let bench = survives(vec![rule]);
        assert_eq!(bench.target.seen_of(Kind::CreateUpload, KEY).len(), 2, "{code}");
    }
}

#[test]
fn a_part_that_fails_is_sent_again_alone() {
    for lie in [
        Lie::Close,
        error(400, "RequestTimeout").into(),
        Lie::Header("x-amz-checksum-crc64nvme", Some("AAAAAAAAAAA=")),
    ] {
        let bench = survives(vec![once(Kind::PutPart, lie.clone())]);
        assert_eq!(bench.target.seen_of(Kind::CreateUpload, KEY).len(), 1, "{lie:?}");
        assert_eq!(bench.target.seen_of(Kind::PutPart, KEY).len(), 4, "{lie:?}");
    }
}

#[test]
fn an_upload_that_a_lifecycle_rule_removed_is_begun_again() {
    let bench = survives(vec![once(Kind::PutPart, error(404, "NoSuchUpload"))]);
    assert_eq!(bench.target.seen_of(Kind::CreateUpload, KEY).len(), 2);
}

#[test]
fn a_completion_does_not_overwrite() {
    let other = bytes_of(SMALL);
    let bench = Bench::of(LARGE);
    bench.target.put("r/a.parquet", other.clone());
    let ended = bench.clone_table();
    bench.is_refused(&ended, &["another object", KEY], "another object is there");
    assert_eq!(bench.target.get("r/a.parquet"), Some(other));
    let completions = bench.target.seen_of(Kind::Complete, KEY);
    let is_conditional = |headers: &std::collections::BTreeMap<String, String>| {
        headers.get("if-none-match").is_some_and(|tag| tag == "*")
    };
    assert!(completions.iter().all(|seen| is_conditional(&seen.headers)), "{completions:?}");
}

#[test]
fn ranges_are_of_one_object() {
    let slow = Lie::Delay(Duration::from_millis(100));
    let bench = Bench::of(LARGE).source_lies([Rule::always(Kind::Get, slow).on(KEY)]);
    bench.is_copied(&bench.clone_table(), "no lies");
    let reads = bench.source.seen_of(Kind::Get, KEY);
    assert_eq!(reads.len(), 3);
    assert!(reads[1..].iter().all(|read| read.headers.contains_key("if-match")), "{reads:?}");

    let other = Lie::Header("etag", Some("\"other\""));
    let bench = Bench::of(LARGE).source_lies([Rule::once(Kind::Get, other).on(KEY).after(1)]);
    bench.is_refused(&bench.clone_table(), &[KEY, "was replaced while it was read"], "a swap");
    assert!(bench.data().is_empty());
}

#[test]
fn a_store_that_says_checksums_is_believed_and_compared() {
    let manners = Manners { has_checksums: true, ..Manners::default() };
    let bench = Bench::with(&[(KEY, LARGE)], manners.clone(), manners);
    bench.is_copied(&bench.clone_table(), "checksums");
    assert!(bench.target.seen_of(Kind::Get, KEY).is_empty(), "nothing is read back");
}

#[test]
fn a_bucket_with_object_lock_gets_a_checksum_with_each_write() {
    let manners = Manners { demands_checksums: true, ..Manners::default() };
    let objects = [(KEY, LARGE), ("b.parquet", FLOWING), ("c.parquet", SMALL)];
    let bench = Bench::with(&objects, Manners::default(), manners);
    bench.is_copied(&bench.clone_table(), "Object Lock");
    let parts = bench.target.seen_of(Kind::PutPart, KEY);
    let is_checked = |headers: &std::collections::BTreeMap<String, String>| {
        headers.contains_key("x-amz-checksum-crc64nvme")
    };
    assert_eq!(parts.iter().filter(|part| is_checked(&part.headers)).count(), 3);
}
