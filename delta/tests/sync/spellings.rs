//! What a log spells in two ways: paths, and the partition value that is null.

use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use serde_json::json;

use crate::support::*;

const ENCODED: &str = "p=b/bar%2Dbar.parquet";
const PLAIN: &str = "p=b/bar-bar.parquet";

fn spelled(path: &str) -> serde_json::Value {
    add_with("bar-bar", json!({ "path": path }))
}

fn removed(path: &str) -> serde_json::Value {
    remove_with("bar-bar", json!({ "path": path }))
}

async fn source_with(path: &str) -> Table {
    let mut source = small_source().await;
    source.commit(&[spelled(path)]).await;
    source
}

#[tokio::test]
async fn a_remove_in_another_spelling_leaves_the_rows_where_readers_see_them() {
    let absolute = "s3://source/source/p=b/bar-bar.parquet";
    for (live, other) in [(ENCODED, PLAIN), (PLAIN, ENCODED), (PLAIN, absolute), (absolute, PLAIN)]
    {
        let mut source = source_with(live).await;
        let target = Table::new("target");
        sync(&source, &target, &spec()).await.unwrap();
        source.commit(&[removed(other), add("c1")]).await;
        let did = sync(&source, &target, &spec()).await.unwrap();
        assert_eq!(did.objects(), ["p=c/c1.parquet"]);
        let live_keys: Vec<String> =
            target.snapshot().await.files.into_keys().map(|key| key.path).collect();
        assert_eq!(live_keys, ["p=a/a1.parquet", "p=b/b1.parquet", PLAIN, "p=c/c1.parquet"]);
    }
}

#[tokio::test]
async fn two_live_spellings_of_one_object_are_refused_with_both() {
    let mut source = source_with(ENCODED).await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[spelled(PLAIN)]).await;
    let error = plan(&source, &target, &spec()).await.unwrap_err();
    assert_eq!(error.reason, Reason::DamagedLog);
    assert!(error.message.contains(ENCODED) && error.message.contains(PLAIN), "{error}");
    // A later commit decides, so the log and the replica are readable again.
    source.commit(&[removed(PLAIN)]).await;
    sync(&source, &target, &spec()).await.unwrap();
    assert_equal(&source, &target).await;
}

#[tokio::test]
async fn the_replicas_actions_repeat_its_own_spelling() {
    for (more, adds) in [(json!({}), 0), (json!({"tags": {"a": "b"}}), 1)] {
        let mut source = source_with(ENCODED).await;
        let target = Table::new("target");
        sync_equal(&source, &target, &spec()).await;
        // The same object under another spelling: nothing moves, the replica's spelling stays.
        let mut again = spelled(PLAIN);
        again["add"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source.commit(&[removed(ENCODED), again]).await;
        let did = sync(&source, &target, &spec()).await.unwrap();
        assert_eq!(did.objects(), [] as [&str; 0]);
        let snapshot = target.snapshot().await;
        let known = snapshot.files.values().find(|add| add.path == ENCODED).unwrap();
        assert_eq!((known.tags.is_some(), snapshot.files.len()), (adds == 1, 3));
        source.commit(&[removed(PLAIN), add("c1")]).await;
        let did = sync_equal(&source, &target, &spec()).await;
        let Did::Published { version, .. } = did else { panic!("{did:?}") };
        let (_, removes) = file_actions(&target.read(version).await);
        assert_eq!(removes.iter().map(|remove| &*remove.path).collect::<Vec<_>>(), [ENCODED]);
    }
}

/// The repair of a partition value is a re-add of the same file, under every filter that keeps it.
#[tokio::test]
async fn an_empty_partition_value_that_becomes_null_is_carried() {
    let value = |value: serde_json::Value| {
        add_with(
            "e1",
            json!({"path": "p=__HIVE_DEFAULT_PARTITION__/e1.parquet",
            "partitionValues": {"p": value}}),
        )
    };
    for filter in [None, Some("p IS NULL"), Some("p IS NULL OR p = 'a'")] {
        for (before, after) in [(json!(""), json!(null)), (json!(null), json!(""))] {
            let mut source = small_source().await;
            source.commit(&[value(before)]).await;
            let target = Table::new("target");
            let spec = CloneSpec { partition_filter: filter.map(str::to_owned), ..spec() };
            sync(&source, &target, &spec).await.unwrap();
            source.commit(&[value(after.clone())]).await;
            let Did::Published { version, objects, .. } =
                sync(&source, &target, &spec).await.unwrap()
            else {
                panic!("the repair of {after} must arrive");
            };
            assert_eq!(objects, [] as [&str; 0]);
            let (adds, removes) = file_actions(&target.read(version).await);
            assert_eq!((adds.len(), removes.len()), (1, 0));
            assert_eq!(adds[0].partition_values.get("p").flatten(), after.as_str());
            assert!(!adds[0].data_change);
        }
    }
}

/// An empty text is null, as the protocol says, for a column of any type.
#[tokio::test]
async fn a_filter_takes_an_empty_partition_value_for_null() {
    let mut source = small_source().await;
    let file = |name: &str, value: serde_json::Value| {
        add_with(name, json!({"path": format!("{name}.parquet"), "partitionValues": {"p": value}}))
    };
    source.commit(&[file("e1", json!("")), file("n1", json!(null))]).await;
    for (filter, wanted) in [
        ("p IS NULL", &["e1.parquet", "n1.parquet"][..]),
        ("p IS NOT NULL", &["p=a/a1.parquet", "p=b/b1.parquet"]),
        ("p = ''", &[]),
        ("p <> 'a'", &["p=b/b1.parquet"]),
    ] {
        let spec = CloneSpec { partition_filter: Some(filter.to_owned()), ..spec() };
        let target = Table::new("target");
        let did = sync(&source, &target, &spec).await.unwrap();
        assert_eq!(did.objects(), wanted, "{filter}");
    }
}
