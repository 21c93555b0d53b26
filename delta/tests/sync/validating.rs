//! The strict validator of logs, which judges every replica of these tests: it sees what is wrong
//! in a whole table, its objects included, and after a clean-up.

use deepclone_delta::validate::validate_table;
use serde_json::{Value, json};

use crate::support::*;

async fn violations(table: &Table) -> Vec<String> {
    validate_table(&table.store).await.unwrap()
}

#[tokio::test]
async fn a_remove_of_ours_has_all_that_other_engines_may_leave_out() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[remove("a1")]).await;
    sync_equal(&source, &target, &spec()).await;
    let commit =
        String::from_utf8(target.get("_delta_log/00000000000000000001.json").await.unwrap())
            .unwrap();
    for (whole, part) in [
        ("\"extendedFileMetadata\":true", "\"extendedFileMetadata\":false"),
        ("\"deletionTimestamp\":", "\"was\":"),
    ] {
        assert!(commit.contains(whole), "{commit}");
        target.raw_commit(1, &commit.replace(whole, part)).await;
        let expect = "version 1: the remove of p=a/a1.parquet is not complete";
        assert_eq!(violations(&target).await, [expect], "{part}");
    }
}

#[tokio::test]
async fn objects_are_there_with_their_sizes() {
    let both = ["deletionVectors"];
    let mut table = Table::new("target");
    let a1 = add_with("a1", json!({"deletionVector": vector(1)}));
    let first = [features(&both, &both), metadata("id", json!({}))];
    table.commit(&[&first[..], &[a1, add("b1")]].concat()).await;
    // The vector lies at 1, between its length and its checksum of 4 bytes each.
    for (key, size, expect) in [
        (VECTOR_OBJECT, 39, None),
        (VECTOR_OBJECT, 38, Some("is missing or shorter than 39 bytes")),
        ("p=b/b1.parquet", 11, Some("p=b/b1.parquet has 11 bytes, the log says 12")),
        ("p=b/b1.parquet", 12, None),
    ] {
        table.object(key, size).await;
        let found = violations(&table).await;
        assert_eq!(found.len(), usize::from(expect.is_some()), "{key} {size}: {found:?}");
        assert!(expect.is_none_or(|expect| found[0].contains(expect)), "{key} {size}: {found:?}");
        table.object(VECTOR_OBJECT, 100).await;
    }
    table.delete("p=b/b1.parquet").await;
    assert_eq!(violations(&table).await, ["the object p=b/b1.parquet is missing"]);
}

#[tokio::test]
async fn a_log_that_is_all_there_is_judged_from_its_first_commit() {
    let mut table = Table::new("target");
    let rows = [protocol(1, 2), metadata("id", json!({})), add("a1")];
    table.commit(&[&rows[..], &[add("a1")]].concat()).await;
    table.checkpoint(0, &rows).await;
    assert_eq!(violations(&table).await, ["version 0: two add of p=a/a1.parquet"]);
}

#[tokio::test]
async fn what_a_checkpoint_says_bounds_the_commits_after_it() {
    let domain = |name: &str, configuration: &str, removed: bool| {
        json!({"domainMetadata": {"domain": name, "configuration": configuration,
            "removed": removed}})
    };
    let mark = |mark: u32| {
        domain("delta.rowTracking", &format!("{{\"rowIdHighWaterMark\":{mark}}}"), false)
    };
    let at = |ms: u32| json!({"commitInfo": {"operation": "WRITE", "inCommitTimestamp": ms}});
    let on = json!({"delta.enableInCommitTimestamps": "true", "delta.enableRowTracking": "true"});
    let rows: Vec<Value> = vec![
        features(&[], &["domainMetadata", "inCommitTimestamp", "rowTracking"]),
        metadata("id", on),
        domain("d", "{}", false),
        mark(9),
        add_with("a1", json!({"baseRowId": 9, "defaultRowCommitVersion": 0})),
    ];
    let mut table = Table::new("target");
    table.commit(&[&[at(5)], &rows[..]].concat()).await;
    table.commit(&[at(6)]).await;
    table.checkpoint(1, &rows).await;
    table.delete("_delta_log/00000000000000000000.json").await;
    table.commit(&[at(6), mark(8), domain("d", "{}", true)]).await;
    let expect = [
        "version 2: the in-commit timestamp 6 is not above 6",
        "version 2: the row id mark goes down from 9 to 8",
    ];
    assert_eq!(violations(&table).await, expect);
}
