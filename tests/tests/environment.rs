//! The test environment shown at work: both clouds and Azurite through the proxy, the readers on
//! what was carried there and back, the writers on a table of their own.

#![expect(clippy::expect_used, reason = "a helper of tests that fails is a failed test")]

use std::path::Path;

use deepclone_tests::environment::environment;
use deepclone_tests::listing::{self, Difference};
use deepclone_tests::proxy::{Fault, Proxy, Rule};
use deepclone_tests::readers::{Seen, assert_same_rows, read};
use deepclone_tests::writers::write;
use object_store::ObjectStore;
use serde_json::json;

const JUDGES: [&str; 3] = ["delta-rs", "duckdb", "polars"];

/// The example table, which every reader reads.
fn example() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/trips"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of tests is UTF-8")
}

/// Carries the example table to a store and back; gives the number of its objects.
async fn carry(store: &dyn ObjectStore, prefix: &str) -> usize {
    let back = tempfile::tempdir().expect("a scratch folder");
    listing::upload(example(), store, prefix).await;
    let there = listing::of_store(store, prefix).await;
    let here = listing::of_folder(example());
    assert_eq!(listing::difference(&here, &there), Difference::default());
    listing::download(store, prefix, back.path()).await;
    assert_eq!(assert_same_rows(text(example()), text(back.path())), JUDGES);
    here.len()
}

#[tokio::test]
async fn a_cloud_accepts_what_was_signed_for_the_proxy() {
    let cloud = &environment().services.north;
    let proxy = Proxy::start(&cloud.endpoint).await;
    let store = cloud.at(&proxy.endpoint(&cloud.endpoint)).store();
    let objects = carry(store.as_ref(), "environment/north").await;
    assert_eq!(proxy.count("PUT", "environment/north"), objects);
}

#[tokio::test]
async fn a_broken_answer_of_a_cloud_is_seen_by_its_client() {
    let cloud = &environment().services.south;
    let proxy = Proxy::start(&cloud.endpoint).await;
    proxy.add(Rule::new(Fault::Status(503)).method("PUT").times(1));
    let store = cloud.at(&proxy.endpoint(&cloud.endpoint)).store();
    carry(store.as_ref(), "environment/south").await;
    let refused = proxy.seen().iter().filter(|seen| seen.status == Some(503)).count();
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn azurite_accepts_what_was_signed_for_the_proxy() {
    let mut azure = environment().services.azure.clone();
    let proxy = Proxy::start(&azure.endpoint).await;
    azure.endpoint = proxy.endpoint(&azure.endpoint);
    let objects = carry(azure.store().as_ref(), "environment/azure").await;
    assert_eq!(proxy.count("PUT", "environment/azure"), objects);
}

#[test]
fn writers_change_tables_and_readers_see_it() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let table = text(folder.path());
    write("append", table, json!({"start": 0, "count": 40}));
    assert_eq!(write("delete", table, json!({"predicate": "id = 3"})), 1);
    for (version, expected) in [(0, 40), (1, 39)] {
        let seen = read(table, Some(version));
        for reader in JUDGES {
            assert!(
                matches!(seen[reader], Seen::Rows { rows, .. } if rows == expected),
                "{reader} at version {version}: {:?}",
                seen[reader]
            );
        }
    }
}

#[test]
#[should_panic(expected = " sees Rows")]
fn other_rows_are_a_difference() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    write("append", text(&one), json!({"start": 0, "count": 4}));
    write("append", text(&other), json!({"start": 1, "count": 4}));
    assert_same_rows(text(&one), text(&other));
}
