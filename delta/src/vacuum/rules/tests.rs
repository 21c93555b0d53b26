//! The decision about one object, by a table of cases.

use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const NOW: i64 = 1_000 * DAY;

fn rules(table_ms: i64, kept_ms: i64) -> VacuumRules {
    let ages = VacuumAges::of(table_ms, kept_ms, UNREFERENCED_KEPT_MIN);
    VacuumRules::at(NOW, ages, &["_p".to_owned(), "q".to_owned()])
}

#[test]
fn each_object_is_kept_or_deleted_for_one_reason() {
    use DeletedKind::{ChangeData, DataFile, DeletionVector, Unreferenced};
    use KeptBecause::{Needed, NotData, Young};
    use ObjectFate::{Deleted, Kept};
    let needed = Some(Referenced { removed_ms: None, is_vector: false });
    let removed = |age| Some(Referenced { removed_ms: Some(NOW - age), is_vector: false });
    let vector = |age| Some(Referenced { removed_ms: Some(NOW - age), is_vector: true });
    let week = rules(7 * DAY, 7 * DAY);
    let now = rules(7 * DAY, 0);
    let short = rules(HOUR, HOUR);
    let year = rules(7 * DAY, 365 * DAY);
    let cases = [
        // What a version needs is kept whatever its age and its name.
        (&week, "a.parquet", 900 * DAY, needed, Kept(Needed)),
        (&now, "_hidden/a.parquet", 900 * DAY, needed, Kept(Needed)),
        (&now, "_change_data/a.parquet", 900 * DAY, needed, Kept(Needed)),
        // What was removed is deleted, if it was there when it was removed.
        (&week, "a.parquet", 9 * DAY, removed(8 * DAY), Deleted(DataFile)),
        (&week, "deletion_vector_x.bin", 9 * DAY, vector(8 * DAY), Deleted(DeletionVector)),
        (&short, "a.parquet", 3 * HOUR, removed(2 * HOUR), Deleted(DataFile)),
        // Written again since: a sync that runs put it there.
        (&week, "a.parquet", 7 * DAY, removed(8 * DAY), Deleted(Unreferenced)),
        (&week, "a.parquet", 7 * DAY - 1, removed(8 * DAY), Kept(Young)),
        (&short, "a.parquet", HOUR, removed(2 * HOUR), Kept(Young)),
        (&now, "a.parquet", 0, removed(1), Kept(Young)),
        // Whatever is asked for, a sync may rely on what it wrote itself a short time ago.
        (&now, "a.parquet", 2 * DAY, removed(1), Deleted(DataFile)),
        (&now, "a.parquet", 2 * DAY - 1, removed(HOUR), Kept(Young)),
        (&rules(HOUR, 0), "a.parquet", HOUR, removed(1), Deleted(DataFile)),
        (&rules(HOUR, 0), "a.parquet", HOUR - 1, removed(1), Kept(Young)),
        // No commit names it.
        (&week, "a.parquet", 7 * DAY, None, Deleted(Unreferenced)),
        (&week, "a.parquet", 7 * DAY - 1, None, Kept(Young)),
        // Half of the table's own retention is what a sync may still rely on.
        (&now, "a.parquet", 7 * DAY / 2, None, Deleted(Unreferenced)),
        (&now, "a.parquet", 7 * DAY / 2 - 1, None, Kept(Young)),
        (&short, "a.parquet", 2 * DAY, None, Deleted(Unreferenced)),
        (&short, "a.parquet", 2 * DAY - 1, None, Kept(Young)),
        (&year, "a.parquet", 364 * DAY, None, Kept(Young)),
        // The change data feed.
        (&week, "_change_data/a.parquet", 7 * DAY, None, Deleted(ChangeData)),
        (&week, "_change_data/q=1/a.parquet", 8 * DAY, None, Deleted(ChangeData)),
        (&week, "_change_data/a.parquet", 7 * DAY - 1, None, Kept(Young)),
        (&week, "x/_change_data/a.parquet", 9 * DAY, None, Kept(NotData)),
        // Hidden names, the log, what is ours, and other engines' metadata.
        (&now, "_delta_log/00000000000000000000.json", 9 * DAY, None, Kept(NotData)),
        (&now, "_deepclone/replica.json", 9 * DAY, None, Kept(NotData)),
        (&now, "_other/a.parquet", 9 * DAY, removed(8 * DAY), Kept(NotData)),
        (&now, "x/.hidden", 9 * DAY, None, Kept(NotData)),
        (&now, "metadata/v1.metadata.json", 9 * DAY, None, Kept(NotData)),
        (&now, "_change_data", 9 * DAY, None, Kept(NotData)),
        // Folders of partitions are not hidden, whatever their names.
        (&week, "_p=1/a.parquet", 9 * DAY, removed(8 * DAY), Deleted(DataFile)),
        (&week, "_x=1/a.parquet", 9 * DAY, removed(8 * DAY), Kept(NotData)),
        (&week, "q=_1/a.parquet", 9 * DAY, removed(8 * DAY), Deleted(DataFile)),
        (&week, "_p=1/_x/a.parquet", 9 * DAY, removed(8 * DAY), Kept(NotData)),
    ];
    for (rules, key, age, said, expect) in cases {
        let object = ListedObject { key: key.to_owned(), size: 1, modified_ms: NOW - age };
        assert_eq!(rules.fate(&object, said), expect, "{key} {age} {said:?}");
    }
}

#[test]
fn a_table_below_this_one_is_known_by_its_log() {
    for (key, expect) in [
        ("_delta_log/00000000000000000000.json", None),
        ("a/_delta_log/00000000000000000000.json", Some("a")),
        ("a/b/_delta_log/x", Some("a/b")),
        ("a/b.parquet", None),
        ("a_delta_log/x", None),
    ] {
        assert_eq!(nested_table(key), expect, "{key}");
    }
}
