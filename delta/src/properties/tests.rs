//! What each parser takes, as Spark's do, and what a table's maintenance makes of it.

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1000;

#[test]
fn booleans_are_true_or_false_in_any_case() {
    for (text, expect) in [
        ("true", Some(true)),
        ("TRUE", Some(true)),
        ("False", Some(false)),
        (" true", None),
        ("yes", None),
        ("1", None),
        ("", None),
    ] {
        assert_eq!(boolean(text), expect, "{text:?}");
    }
}

#[test]
fn numbers_are_whole_and_have_nothing_around_them() {
    for (text, expect) in [
        ("10", Some(10)),
        ("+10", Some(10)),
        ("-1", Some(-1)),
        (" 10", None),
        ("10.0", None),
        ("1e1", None),
        ("", None),
        ("9223372036854775808", None),
    ] {
        assert_eq!(number(text), expect, "{text:?}");
    }
}

#[test]
fn checkpoint_policies_and_mapping_modes_are_known_in_any_case() {
    for (text, expect) in [
        ("classic", Some(CheckpointPolicy::Classic)),
        ("v2", Some(CheckpointPolicy::V2)),
        ("V2", Some(CheckpointPolicy::V2)),
        ("v3", None),
        ("", None),
    ] {
        assert_eq!(checkpoint_policy(text), expect, "{text:?}");
    }
    for (mode, expect) in [("name", true), ("ID", true), ("none", false), ("NONE", false)] {
        assert_eq!(maps_columns(mode), expect, "{mode:?}");
    }
}

#[test]
fn durations_are_calendar_intervals_of_a_fixed_length() {
    for (text, expect) in [
        ("interval 7 days", Some(7 * DAY_MS)),
        ("INTERVAL 1 week 2 hours", Some(7 * DAY_MS + 2 * HOUR_MS)),
        ("inTERval 5 minutes", Some(300_000)),
        ("30 seconds", Some(30_000)),
        ("  30\tseconds ", Some(30_000)),
        ("1 DAY", Some(DAY_MS)),
        ("1.5 seconds", Some(1500)),
        (".25 second", Some(250)),
        ("0 microsecond", Some(0)),
        ("1999 microseconds", Some(1)),
        ("1 day -2 hours", Some(22 * HOUR_MS)),
        ("1 day - 2 hours", Some(22 * HOUR_MS)),
        ("-1 day 86400001 milliseconds", Some(1)),
        ("+1 day", Some(DAY_MS)),
        ("", None),
        ("interval", None),
        ("interval1 day", None),
        ("interval interval 1 day", None),
        ("7", None),
        ("7 days 3", None),
        ("7days", None),
        ("1 dayss", None),
        ("foo 1 day", None),
        ("1.5 days", None),
        ("1.5.5 seconds", None),
        ("1.012345678 seconds", Some(1012)),
        ("1.0123456789 seconds", None),
        (". seconds", None),
        ("--1 day", None),
        ("-1 day", None),
        ("1 day -86400001 milliseconds", None),
        ("interval 1 month", None),
        ("interval 1 year", None),
        ("9223372036854775807 days", None),
    ] {
        assert_eq!(duration_ms(text), expect, "{text:?}");
    }
}

#[test]
fn a_value_that_spark_cannot_parse_is_refused_with_what_it_should_be() {
    for (name, value, expect) in [
        ("delta.checkpointInterval", "0", Err("a number of at least 1")),
        ("delta.checkpointInterval", "1", Ok(())),
        ("delta.dataSkippingNumIndexedCols", "-1", Ok(())),
        ("delta.dataSkippingNumIndexedCols", "-2", Err("a number of at least -1")),
        ("delta.logRetentionDuration", "9", Err("a duration such as \"interval 7 days\"")),
        ("delta.setTransactionRetentionDuration", "9 days", Ok(())),
        ("delta.checkpointPolicy", "v3", Err("classic or v2")),
        ("delta.checkpointPolicy", "classic", Ok(())),
        ("delta.appendOnly", "maybe", Err("true or false")),
        ("delta.enableExpiredLogCleanup", "FALSE", Ok(())),
        ("delta.enableAnything", " true", Err("true or false")),
        ("delta.targetFileSize", "1g", Ok(())),
    ] {
        assert_eq!(check(name, value), expect, "{name} {value:?}");
    }
}

#[test]
fn in_commit_timestamps_are_enabled_by_both_properties_or_from_the_start() {
    let enabled = |version: &str, time: &str| {
        in_commit_enablement(&Configuration::from([
            (ENABLEMENT_VERSION.to_owned(), version.to_owned()),
            (ENABLEMENT_TIMESTAMP.to_owned(), time.to_owned()),
        ]))
    };
    assert_eq!(enabled("3", "1700000000000"), Some((3, 1_700_000_000_000)));
    assert_eq!(enabled("-3", "1700000000000"), None);
    assert_eq!(enabled("3", "later"), None);
    assert_eq!(in_commit_enablement(&Configuration::new()), None);
}

#[test]
fn what_is_expired_is_dropped() {
    let set = |pairs: &[(&str, &str)]| {
        Maintenance::of(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    };
    let kept = set(&[
        (TOMBSTONE_RETENTION, "interval 1 day"),
        (TRANSACTION_RETENTION, "interval 1 hour"),
        (CHECKPOINT_INTERVAL, "3"),
    ]);
    assert_eq!(kept.checkpoint_interval, 3);
    let now_ms = 10 * DAY_MS;
    let remove = |at: Option<i64>| Remove {
        path: "a".into(),
        deletion_timestamp: at,
        data_change: true,
        extended_file_metadata: None,
        partition_values: None,
        size: None,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        unknown: Default::default(),
    };
    assert!(kept.keeps_remove(&remove(Some(now_ms - DAY_MS + 1)), now_ms));
    assert!(!kept.keeps_remove(&remove(Some(now_ms - DAY_MS)), now_ms));
    assert!(!kept.keeps_remove(&remove(None), now_ms));
    let txn = |last_updated: Option<i64>| Txn {
        app_id: "x".into(),
        version: 1,
        last_updated,
        unknown: Default::default(),
    };
    assert!(kept.keeps_txn(&txn(None), now_ms));
    assert!(kept.keeps_txn(&txn(Some(253_402_300_799_000)), now_ms));
    assert!(kept.keeps_txn(&txn(Some(now_ms - DAY_MS / 24 + 1)), now_ms));
    assert!(!kept.keeps_txn(&txn(Some(now_ms - DAY_MS / 24)), now_ms));
    // What cannot be parsed is not set.
    let defaults = set(&[]);
    assert_eq!((defaults.checkpoint_interval, defaults.tombstone_ms), (10, 7 * DAY_MS));
    for (name, value) in [
        (CHECKPOINT_INTERVAL, "0"),
        (CHECKPOINT_INTERVAL, "ten"),
        (TOMBSTONE_RETENTION, "interval 1 month"),
        (TRANSACTION_RETENTION, "for ever"),
    ] {
        assert_eq!(set(&[(name, value)]), defaults, "{name} {value:?}");
    }
}

#[test]
fn a_source_keeps_commits_and_removed_files_as_long_as_it_says() {
    const DAY_S: u64 = 24 * 60 * 60;
    for (set, days) in [
        (&[][..], (30, 7)),
        (&[(LOG_RETENTION, "interval 2 days")], (2, 7)),
        (&[(LOG_RETENTION, "interval 1 month"), (TOMBSTONE_RETENTION, "1 day")], (30, 1)),
    ] {
        let texts = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let kept = source_retention(&texts.collect());
        let seconds = (kept.commits.as_secs(), kept.removed_files.as_secs());
        assert_eq!(seconds, (days.0 * DAY_S, days.1 * DAY_S), "{set:?}");
    }
}
