//! A repair brings back what is damaged, by one commit or none, and syncs go on from it.

use std::collections::BTreeSet;

use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, Repair, SourcePoint};
use deepclone_delta::verify::{Depth, DifferenceKind, verify};
use serde_json::json;

use crate::support::*;

const A1: &str = "p=a/a1.parquet";
const B1: &str = "p=b/b1.parquet";

fn repair(repair: Repair) -> CloneSpec {
    CloneSpec { repair, ..spec() }
}

/// What a deep look finds.
async fn differences(source: &Table, target: &Table) -> Vec<(DifferenceKind, String)> {
    let report = verify(&source.store, &target.store, Depth::Bytes).await.unwrap();
    report.differences.into_iter().map(|found| (found.kind, found.subject)).collect()
}

/// The replica has the bytes of the source behind each live file, under whatever key.
async fn assert_same_bytes(source: &Table, target: &Table) {
    assert_eq!(differences(source, target).await, []);
    let bytes = async |table: &Table| {
        let mut found = Vec::new();
        for key in table.snapshot().await.files.keys() {
            found.push(table.get(&key.path).await.unwrap());
        }
        found.sort();
        found
    };
    assert_eq!(bytes(target).await, bytes(source).await);
}

fn commit_of(did: &Did) -> u64 {
    match did {
        Did::Published { version, .. } => *version,
        Did::UpToDate => panic!("nothing was published"),
    }
}

#[tokio::test]
async fn each_damage_of_an_object_is_mended_and_nothing_else_is_touched() {
    for (damage, how) in
        [("missing", Repair::Sizes), ("cut", Repair::Sizes), ("changed", Repair::Bytes)]
    {
        let (source, target) = (small_source().await, Table::new("target"));
        sync_equal(&source, &target, &spec()).await;
        assert!(matches!(sync(&source, &target, &repair(how)).await, Ok(Did::UpToDate)));
        match damage {
            "missing" => target.delete(A1).await,
            "cut" => target.object(A1, 3).await,
            _ => target.put(A1, vec![b'!'; 12]).await,
        }
        let before = target.get(A1).await;
        assert_ne!(differences(&source, &target).await, [], "{damage}");
        if damage == "changed" {
            let shallow = sync(&source, &target, &repair(Repair::Sizes)).await.unwrap();
            assert!(matches!(shallow, Did::UpToDate), "{shallow:?}");
        }
        let did = sync(&source, &target, &repair(how)).await.unwrap();
        assert_notice(&did, &format!("repair: {A1} is"));
        let [object] = did.objects()[..] else { panic!("{damage}: {did:?}") };
        let (adds, removes) = file_actions(&target.read(commit_of(&did)).await);
        match damage {
            "missing" => assert_eq!((object, adds.len(), removes.len()), (A1, 0, 0)),
            _ => {
                assert!(object.starts_with("p=a/a1.repaired-1-"), "{object}");
                assert_eq!((&*adds[0].path, adds.len()), (object, 1));
                assert_eq!((&*removes[0].path, removes.len()), (A1, 1));
                assert!(!adds[0].data_change && !removes[0].data_change);
                assert_eq!(target.get(A1).await, before, "a published object was overwritten");
            }
        }
        assert_same_bytes(&source, &target).await;
        assert!(matches!(sync(&source, &target, &repair(how)).await, Ok(Did::UpToDate)));
        assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
    }
}

#[tokio::test]
async fn syncs_go_on_from_a_repaired_replica() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    target.put(A1, vec![b'!'; 12]).await;
    sync(&source, &target, &repair(Repair::Bytes)).await.unwrap();
    // Files join; the repaired one keeps its name.
    source.commit(&[add("c1")]).await;
    let did = sync(&source, &target, &spec()).await.unwrap();
    assert_eq!(did.objects(), ["p=c/c1.parquet"]);
    assert_same_bytes(&source, &target).await;
    // It is damaged once more.
    let live = |keys: BTreeSet<String>| keys.into_iter().find(|key| key.contains("repaired"));
    let keys = async || target.snapshot().await.files.into_keys().map(|key| key.path).collect();
    let repaired = live(keys().await).unwrap();
    target.put(&repaired, vec![b'?'; 12]).await;
    let did = sync(&source, &target, &repair(Repair::Bytes)).await.unwrap();
    assert!(did.objects()[0].starts_with("p=a/a1.repaired-2-"), "{did:?}");
    assert_same_bytes(&source, &target).await;
    // The source rewrites it: rows stay, and a stream on the replica sees none of them again.
    source
        .commit(&[
            info("OPTIMIZE"),
            remove_with("a1", json!({"dataChange": false})),
            add_with("d1", json!({"dataChange": false})),
        ])
        .await;
    let did = sync(&source, &target, &spec()).await.unwrap();
    let (adds, removes) = file_actions(&target.read(commit_of(&did)).await);
    assert_eq!((adds.len(), removes.len()), (1, 1));
    assert!(removes[0].path.contains("repaired-2") && !adds[0].data_change, "{removes:?}");
    assert_same_bytes(&source, &target).await;
    // Without such a file the newer commits are enough again.
    source.commit(&[remove("b1"), add("e1")]).await;
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("f1")]).await;
    sync_equal(&source, &target, &spec()).await;
}

#[tokio::test]
async fn a_file_that_left_the_source_leaves_under_its_new_name() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    target.object(A1, 3).await;
    sync(&source, &target, &repair(Repair::Sizes)).await.unwrap();
    source.commit(&[remove("a1")]).await;
    let did = sync(&source, &target, &spec()).await.unwrap();
    let (_, removes) = file_actions(&target.read(commit_of(&did)).await);
    assert!(removes[0].path.contains("a1.repaired-1") && removes[0].data_change, "{removes:?}");
    assert_eq!(live(&target).await, ["b1"]);
    assert_same_bytes(&source, &target).await;
}

#[tokio::test]
async fn an_object_of_deletion_vectors_is_swapped_for_all_its_files() {
    let both = ["deletionVectors"];
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    source.commit(&[features(&both, &both), metadata("source-id", json!({}))]).await;
    let with = |offset| json!({"deletionVector": vector(offset)});
    source.commit(&[add_with("a1", with(1)), add_with("b1", with(40)), add("c1")]).await;
    sync_equal(&source, &target, &spec()).await;
    target.put(VECTOR_OBJECT, vec![7; 100]).await;
    let did = sync(&source, &target, &repair(Repair::Bytes)).await.unwrap();
    let [object] = did.objects()[..] else { panic!("{did:?}") };
    assert!(object.starts_with("ab.repaired-1-"), "{object}");
    let (adds, removes) = file_actions(&target.read(commit_of(&did)).await);
    assert_eq!((adds.len(), removes.len()), (2, 2));
    assert_same_bytes(&source, &target).await;
    source.commit(&[add("d1"), remove_with("a1", with(1))]).await;
    sync(&source, &target, &spec()).await.unwrap();
    assert_same_bytes(&source, &target).await;
    assert_eq!(live(&target).await, ["b1", "c1", "d1"]);
}

#[tokio::test]
async fn many_damages_take_one_commit_and_the_source_may_have_gone_on() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    source.commit(&[add("c1"), add("d1")]).await;
    sync_equal(&source, &target, &spec()).await;
    target.delete(A1).await;
    target.object(B1, 1).await;
    target.put("p=c/c1.parquet", vec![0; 12]).await;
    source.commit(&[add("e1")]).await;
    let did = sync(&source, &target, &repair(Repair::Bytes)).await.unwrap();
    assert_eq!((commit_of(&did), did.objects().len()), (1, 3));
    assert_eq!(differences(&source, &target).await, []);
    assert_eq!(live(&target).await, ["a1", "b1", "c1", "d1"]);
    sync(&source, &target, &spec()).await.unwrap();
    assert_same_bytes(&source, &target).await;
}

#[tokio::test]
async fn a_repair_keeps_what_the_replica_is() {
    let (mut source, mut target) = (small_source().await, Table::new("target"));
    let part = CloneSpec { partition_filter: Some("p = 'a'".to_owned()), ..spec() };
    sync(&source, &target, &part).await.unwrap();
    source.commit(&[add("c1")]).await;
    target.object(A1, 3).await;
    for (asked, piece) in [
        (repair(Repair::Sizes), "--where \"p = 'a'\""),
        (
            CloneSpec { source_point: SourcePoint::Version(1), ..part.clone() },
            "the source's version that the replica has, 0",
        ),
        (
            CloneSpec { properties: [("a".into(), "b".into())].into(), ..part.clone() },
            "the same --property",
        ),
    ] {
        let asked = CloneSpec { repair: Repair::Sizes, ..asked };
        let refused = failure(&source, &target, &asked).await;
        assert_eq!(refused.reason, Reason::InvalidArgument);
        assert!(refused.message.contains(piece), "{refused}");
    }
    let did = sync(&source, &target, &CloneSpec { repair: Repair::Sizes, ..part.clone() }).await;
    assert_eq!(did.unwrap().objects().len(), 1);
    assert_eq!(live(&target).await, ["a1"]);
    target.commit(&[info("WRITE"), add("x1")]).await;
    let asked = CloneSpec { repair: Repair::Sizes, ..part };
    let refused = failure(&source, &target, &asked).await;
    assert_eq!(refused.reason, Reason::TargetNotOurs);
    assert!(refused.message.contains("--on-divergence overwrite"), "{refused}");
}
