//! `verify` finds nothing on a right replica, and each kind of damage by its name.

use deepclone_core::spec::CloneSpec;
use deepclone_delta::verify::{DifferenceKind, SecondOpinion, verify};

use crate::support::*;

async fn kinds(source: &Table, target: &Table) -> Vec<DifferenceKind> {
    let report = verify(&source.store, &target.store).await.unwrap();
    report.differences.iter().map(|difference| difference.kind).collect()
}

#[tokio::test]
async fn a_right_replica_has_no_differences_and_delta_rs_agrees() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    for n in 1..=11 {
        source.commit(&[add(&format!("c{n}"))]).await;
        sync_equal(&source, &target, &spec()).await;
    }
    // The source goes on: the replica is still what it claims to be.
    source.commit(&[add("d1")]).await;
    let report = verify(&source.store, &target.store).await.unwrap();
    assert_eq!(report.differences, []);
    assert_eq!(report.second_opinion, SecondOpinion::Agrees);
    assert_eq!((report.source_version, report.replica_version), (11, 11));
    assert_eq!((report.files, report.objects), (13, 13));
}

#[tokio::test]
async fn each_damage_has_its_name() {
    let source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    target.delete("p=a/a1.parquet").await;
    target.object("p=b/b1.parquet", 3).await;
    assert_eq!(
        kinds(&source, &target).await,
        [DifferenceKind::ObjectMissing, DifferenceKind::ObjectSize]
    );
    let mut target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    target.commit(&[info("WRITE"), remove("a1"), add("x1")]).await;
    assert_eq!(
        kinds(&source, &target).await,
        [DifferenceKind::FileMissing, DifferenceKind::FileUnexpected, DifferenceKind::Diverged]
    );
}

#[tokio::test]
async fn a_filtered_replica_is_compared_with_its_part() {
    let mut source = small_source().await;
    let target = Table::new("target");
    let only_a = CloneSpec { partition_filter: Some("p = 'a'".into()), ..spec() };
    let did = sync(&source, &target, &only_a).await.unwrap();
    assert_eq!(did.objects(), ["p=a/a1.parquet"]);
    assert_eq!(kinds(&source, &target).await, []);
    let spelled = CloneSpec { partition_filter: Some("(p  =  'a')".into()), ..spec() };
    for same in [&only_a, &spelled] {
        assert!(matches!(sync(&source, &target, same).await, Ok(Did::UpToDate)), "{same:?}");
    }
    // Another scope on the same replica: the rest is copied, and only one marker lives.
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects(), ["p=b/b1.parquet"]);
    let live = target.snapshot().await.txns.values().filter(|txn| txn.version >= 0).count();
    assert_eq!(live, 2);
    source.commit(&[add("a2"), add("c1")]).await;
    let did = sync(&source, &target, &only_a).await.unwrap();
    assert_eq!(did.objects(), ["p=a/a2.parquet"]);
    assert_eq!(target.snapshot().await.files.len(), 2);
}
