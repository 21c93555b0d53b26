//! A large object that several workers copy.

use std::time::Duration;

use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};
use serde_json::Value;

use crate::chaos::{client, only_job, wait_for_state};
use crate::leftovers::{doctor, open};
use crate::place::Place;
use crate::replica;
use crate::sync::{self, Deployment};
use crate::table;

/// Objects of 80 MiB and more are shared, by parts of 5 MiB.
const SHARED: &str = "[limits]\nshared_object = \"80MiB\"\n";
const LARGE_BYTES: usize = (96 << 20) + 11;
/// Parts of the object.
const PARTS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_share_an_object_and_one_of_them_is_killed() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 1, LARGE_BYTES);
    let (source, target) = (Place::north("shared"), Place::south("shared"));
    source.put(folder.path()).await;
    let north = Proxy::start(source.endpoint()).await;
    let south = Proxy::start(target.endpoint()).await;
    let proxied_source = source.at(&north.endpoint(source.endpoint()));
    let proxied_target = target.at(&south.endpoint(target.endpoint()));
    let gate = Gate::default();
    let parts = Rule::new(Fault::Hold(gate.clone())).method("PUT").containing("partNumber=");
    south.add(parts.after(6));

    let deployment = Deployment::start_with(&proxied_source, &proxied_target, SHARED);
    // Few parts at once: what a worker loses with its life is little.
    let few = ["--concurrency", "2"];
    let mut doomed = deployment.worker_with("doomed", &few);
    let heir = deployment.worker_with("heir", &few);
    let clone = tokio::spawn(sync::finish(deployment.command(&[])));
    gate.arrived(4).await;
    doomed.kill();
    gate.open();
    let ended = clone.await.expect("the clone is run").succeeded();
    assert_eq!(ended.number("objects_copied"), 1, "{ended:?}");
    assert_eq!(ended.number("workers"), 2, "{ended:?}");
    replica::assert_same_objects(&source, &target, 1).await;
    let reads = north.seen();
    let reads = reads.iter().filter(|seen| seen.method == "GET");
    let reads = reads.filter(|seen| seen.target.contains(&table::name(0))).count();
    assert!(reads <= PARTS * 5 / 4, "{reads} reads of {PARTS} parts");
    assert_eq!(open(&doctor(&target, &[]).await), [Value::Null; 0]);
    drop(heir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_leaves_no_upload_of_a_shared_object() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 1, LARGE_BYTES);
    let (source, target) = (Place::north("shared"), Place::south("shared"));
    source.put(folder.path()).await;
    let south = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&south.endpoint(target.endpoint()));
    let gate = Gate::default();
    let parts = Rule::new(Fault::Hold(gate.clone())).method("PUT").containing("partNumber=");
    south.add(parts.after(3));
    let deployment = Deployment::start_with(&source, &proxied, SHARED);
    let _worker = deployment.worker_with("alone", &["--concurrency", "2"]);
    let clone = tokio::spawn(sync::finish(deployment.command(&[])));
    gate.arrived(1).await;
    assert_eq!(open(&doctor(&target, &[]).await).len(), 1);
    let job = only_job(&deployment).await.expect("one job");
    client(&deployment, &["job", "cancel", &job]).await;
    wait_for_state(&deployment, &job, "CANCELLED").await;
    let gone = async {
        while !open(&doctor(&target, &[]).await).is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("the upload is thrown away");
    gate.open();
    assert_ne!(clone.await.expect("the clone is run").code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_shared_on_its_way_to_azure() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 1, LARGE_BYTES);
    let (source, target) = (Place::north("shared"), Place::azure("shared"));
    source.put(folder.path()).await;
    let deployment = Deployment::start_with(&source, &target, SHARED);
    let _workers = ["one", "other"].map(|name| deployment.worker(name));
    let ended = deployment.clone(&[]).await.succeeded();
    assert_eq!(ended.number("objects_copied"), 1, "{ended:?}");
    // The opening, the parts and the end.
    assert_eq!(ended.number("tasks"), PARTS as u64 + 2, "{ended:?}");
    replica::assert_same_objects(&source, &target, 1).await;
}
