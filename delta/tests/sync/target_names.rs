//! Keys that the target cannot hold: rewritten with everything that names them, sync after sync.

use deepclone_core::reason::Reason;
use deepclone_delta::changes::SyncPlan;
use deepclone_delta::verify::{Depth, verify};
use serde_json::{Value, json};

use crate::support::*;

fn file(path: &str, partition: &str) -> Value {
    json!({"add": {"path": path, "partitionValues": {"p": partition}, "size": 10,
        "modificationTime": 7, "dataChange": true}})
}

fn gone(path: &str) -> Value {
    json!({"remove": {"path": path, "deletionTimestamp": 9, "dataChange": true}})
}

#[tokio::test]
async fn a_rewritten_key_keeps_its_name_until_it_is_removed() {
    let mut source = Table::new("source");
    let dotted = "p=Acme%20Inc./a1.parquet";
    source
        .commit(&[
            protocol(1, 2),
            metadata("source-id", json!({})),
            file(dotted, "Acme Inc."),
            file("p=b/b1.parquet", "b"),
        ])
        .await;
    let mut target = Table::new("target");
    target.store.uri = "az://box/target".into();
    let did = sync(&source, &target, &spec()).await.unwrap();
    let Did::Published { change_set, .. } = &did else { panic!("{did:?}") };
    let objects: Vec<_> = change_set.objects.iter().collect();
    let [first, second] = objects[..] else { panic!("{change_set:?}") };
    assert_eq!(first.source_path(), "p=Acme Inc./a1.parquet");
    assert!(first.target_path.starts_with("p=Acme Inc-"), "{first:?}");
    assert!(first.target_path.ends_with("/a1.parquet"), "{first:?}");
    assert_eq!(second.source_path(), second.target_path);
    let (adds, _) = file_actions(&target.read(0).await);
    let rewritten = adds[0].path.clone();
    assert_eq!(rewritten, first.target_path.replace(' ', "%20"));
    assert_eq!(adds[0].partition_values.get("p"), Some(Some("Acme Inc.")));
    let report = verify(&source.store, &target.store, Depth::Bytes).await.unwrap();
    assert_eq!(report.differences, []);

    assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
    source.commit(&[file("p=Acme%20Inc./a2.parquet", "Acme Inc.")]).await;
    plan(&source, &target, &spec()).await.unwrap();
    let did = sync(&source, &target, &spec()).await.unwrap();
    assert_eq!(did.objects(), [first.target_path.replace("a1", "a2")]);
    source.commit(&[gone(dotted)]).await;
    sync(&source, &target, &spec()).await.unwrap();
    let (_, removes) = file_actions(&target.read(2).await);
    let removed: Vec<_> = removes.iter().map(|remove| remove.path.as_str()).collect();
    assert_eq!(removed, [rewritten]);
    let report = verify(&source.store, &target.store, Depth::Bytes).await.unwrap();
    assert_eq!((report.differences, report.files), (vec![], 2));
}

#[tokio::test]
async fn a_path_with_dot_segments_is_written_as_the_key_that_it_means() {
    let mut source = Table::new("source");
    let paths = ["p=a/./a1.parquet", "p=b/x/../b1.parquet"];
    let adds = paths.map(|path| file(path, "a"));
    source.commit(&[protocol(1, 2), metadata("source-id", json!({}))]).await;
    source.commit(&adds).await;
    let target = Table::new("target");
    let did = sync(&source, &target, &spec()).await.unwrap();
    assert_eq!(did.objects(), ["p=a/a1.parquet", "p=b/b1.parquet"]);
    let (adds, _) = file_actions(&target.read(0).await);
    let written: Vec<_> = adds.iter().map(|add| add.path.as_str()).collect();
    assert_eq!(written, ["p=a/a1.parquet", "p=b/b1.parquet"]);
    source.commit(&[gone(paths[0])]).await;
    sync(&source, &target, &spec()).await.unwrap();
    let (_, removes) = file_actions(&target.read(1).await);
    assert_eq!(removes[0].path, "p=a/a1.parquet");
    assert_eq!(verify(&source.store, &target.store, Depth::Bytes).await.unwrap().differences, []);
}

#[tokio::test]
async fn what_fits_in_no_form_is_refused_by_the_plan() {
    let long = format!("p={}/a1.parquet", "x".repeat(300));
    let longer = format!("{}/a1.parquet", vec!["x".repeat(200); 6].join("/"));
    for (uri, path, part) in [
        ("file:///lake/target", &long, "302 bytes"),
        ("s3://target/target", &longer, "1024"),
        ("az://target/target", &longer, "1223 characters"),
        ("az://target/target", &long, ""),
        ("s3://target/target", &long, ""),
    ] {
        let mut source = Table::new("source");
        let actions = [protocol(1, 2), metadata("source-id", json!({})), file(path, "a")];
        source.commit(&actions).await;
        let mut target = Table::new("target");
        target.store.uri = uri.into();
        match plan(&source, &target, &spec()).await {
            Ok(SyncPlan::Change(_)) => assert_eq!(part, "", "{uri}"),
            Ok(other) => panic!("{uri}: {other:?}"),
            Err(failure) => {
                assert_eq!(failure.reason, Reason::TargetUnsuitable, "{uri}: {failure}");
                assert!(!part.is_empty() && failure.message.contains(part), "{uri}: {failure}");
                assert!(failure.message.contains(uri), "{failure}");
                assert_eq!(failure.details["key"], *path);
            }
        }
    }
}

#[tokio::test]
async fn keys_that_a_file_system_may_take_for_one_are_told_on_a_disk_alone() {
    for (uri, wanted) in [("file:///lake/target", 1), ("s3://target/target", 0)] {
        let mut source = Table::new("source");
        source
            .commit(&[
                protocol(1, 2),
                metadata("source-id", json!({})),
                file("p=A/x.parquet", "A"),
                file("p=a/x.parquet", "a"),
            ])
            .await;
        let mut target = Table::new("target");
        target.store.uri = uri.into();
        let Ok(SyncPlan::Change(change_set)) = plan(&source, &target, &spec()).await else {
            panic!("{uri}");
        };
        assert_eq!(change_set.near_names.len(), wanted, "{uri}");
    }
}

#[tokio::test]
async fn a_key_below_another_is_refused_by_the_plan_for_a_disk_alone() {
    for (uri, is_refused) in [("file:///lake/target", true), ("s3://target/target", false)] {
        let mut source = Table::new("source");
        let files = [file("p=a", "a"), file("p=a/x.parquet", "a")];
        source.commit(&[protocol(1, 2), metadata("source-id", json!({})), files[0].clone()]).await;
        source.commit(&files[1..]).await;
        let mut target = Table::new("target");
        target.store.uri = uri.into();
        match plan(&source, &target, &spec()).await {
            Ok(SyncPlan::Change(change_set)) => {
                assert!(!is_refused && change_set.objects.len() == 2, "{uri}");
            }
            Ok(other) => panic!("{uri}: {other:?}"),
            Err(failure) => {
                assert!(is_refused, "{uri}: {failure}");
                assert_eq!(failure.reason, Reason::TargetUnsuitable, "{failure}");
                assert_eq!(failure.details["key"], "p=a/x.parquet");
                for part in ["\"p=a\"", "\"p=a/x.parquet\"", uri] {
                    assert!(failure.message.contains(part), "{failure}");
                }
            }
        }
    }
}
