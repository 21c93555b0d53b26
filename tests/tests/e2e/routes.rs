//! Every way from store to store, embedded and through separate processes.

use std::path::{Path, PathBuf};

use crate::place::Place;
use crate::replica;
use crate::sync::{self, Deployment};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_to_local() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    route(Place::Local(example()), |way| Place::Local(folder.path().join(way))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_to_s3() {
    route(Place::Local(example()), Place::south).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_to_s3_with_two_credential_sets() {
    route(in_north().await, Place::south).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_to_azure() {
    route(in_north().await, Place::azure).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_to_local() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    route(in_north().await, |way| Place::Local(folder.path().join(way))).await;
}

/// Clones the example both ways; again, nothing is to be done.
async fn route(source: Place, target: impl Fn(&str) -> Place) {
    let embedded = target("embedded");
    let first = sync::embedded(&source, &embedded, &[]).await.succeeded();
    assert!(first.number("objects_copied") > 0);
    assert_judged(&source, &embedded).await;
    let again = sync::embedded(&source, &embedded, &[]).await.succeeded();
    assert_eq!((&again.json["up_to_date"], again.number("objects_copied")), (&true.into(), 0));

    let apart = target("apart");
    let deployment = Deployment::start(&source, &apart);
    let workers = [deployment.worker("one"), deployment.worker("two")];
    let second = deployment.clone(&[]).await.succeeded();
    assert_eq!(second.number("objects_copied"), first.number("objects_copied"));
    assert_judged(&source, &apart).await;
    let log = deployment.coordinator.log();
    assert!(log.contains("job planned") && log.contains("job succeeded"), "{log}");
    for mut worker in workers {
        assert!(worker.terminate().success(), "{}", worker.log());
    }
}

async fn assert_judged(source: &Place, target: &Place) {
    let judges = replica::assert_equal(source, target).await;
    assert_eq!(judges, ["delta-rs", "duckdb", "polars"]);
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/trips").canonicalize().expect("shipped")
}

async fn in_north() -> Place {
    let place = Place::north("trips");
    place.put(&example()).await;
    place
}
