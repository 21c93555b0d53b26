//! The change data feed: what a replica's feed holds, and when an operator is told of it.

use serde_json::{Value, json};

use crate::support::*;

const FEED: &str = "delta.enableChangeDataFeed";
const NOTICE: &str = "change data feed";

fn fed(value: &str) -> Value {
    metadata("source-id", json!({FEED: value}))
}

#[tokio::test]
async fn a_replicas_feed_is_the_difference_between_two_syncs() {
    let mut source = Table::new("source");
    let target = Table::new("target");
    source.commit(&[protocol(1, 4), fed("true"), add("a1"), add("b1")]).await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_notice(&did, NOTICE);
    // An update of one row, by a change file and a rewritten file; and a file that comes and goes.
    let change = json!({"cdc": {"path": "_change_data/cdc-1.parquet",
        "partitionValues": {"p": "a"}, "size": 5, "dataChange": false}});
    source.commit(&[change, remove("a1"), add("a2")]).await;
    source.commit(&[add("c1")]).await;
    source.commit(&[remove("c1")]).await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects(), ["p=a/a2.parquet"]);
    assert_eq!(target.head().await, 1, "one version a sync");
    let commit = target.read(1).await;
    assert!(!action_names(&commit).contains("cdc"));
    let (adds, removes) = file_actions(&commit);
    let added: Vec<_> = adds.iter().map(|add| (add.path.as_str(), add.data_change)).collect();
    assert_eq!(added, [("p=a/a2.parquet", true)]);
    let removed: Vec<_> =
        removes.iter().map(|file| (file.path.as_str(), file.data_change)).collect();
    assert_eq!(removed, [("p=a/a1.parquet", true)]);
}

#[tokio::test]
async fn a_feed_is_told_of_when_it_turns_on_and_by_no_other_sync() {
    let target = Table::new("target");
    let mut source = Table::new("source");
    let lists = |writers: &[&str]| {
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7,
            "writerFeatures": writers}})
    };
    // In order, on one replica: what the source commits, and whether the sync tells of the feed.
    for (actions, told) in [
        (vec![protocol(1, 2), metadata("source-id", json!({}))], false),
        // The protocol does not support it: the property has no effect.
        (vec![fed("true")], false),
        (vec![protocol(1, 4)], true),
        (vec![add("a1")], false),
        (vec![fed("true"), add("a2")], false),
        (vec![fed("false")], false),
        (vec![fed("TRUE")], true),
        (vec![lists(&["appendOnly", "changeDataFeed", "invariants"]), add("a3")], false),
        (vec![metadata("source-id", json!({}))], false),
        (vec![add("a4"), fed("true")], true),
    ] {
        source.commit(&actions).await;
        let did = sync_equal(&source, &target, &spec()).await;
        let found = notices(&did).iter().filter(|notice| notice.contains(NOTICE)).count();
        assert_eq!(found, usize::from(told), "{actions:?}: {:?}", notices(&did));
        assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
    }
    // A replica whose user turned the feed off gets no notice.
    let off = deepclone_core::spec::CloneSpec {
        properties: [(FEED.to_owned(), "false".to_owned())].into(),
        ..spec()
    };
    let target = Table::new("other");
    for name in ["b1", "b2"] {
        source.commit(&[add(name)]).await;
        assert_eq!(notices(&sync_equal(&source, &target, &off).await), Vec::<String>::new());
    }
}
