//! Coordinators killed and cancelled while they publish: one commit, and the truth about it.

use std::path::Path;

use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};

use crate::chaos::{client, only_job, wait_for_state};
use crate::place::Place;
use crate::replica;
use crate::sync::{self, Deployment};
use crate::table;

const COMMIT: &str = "_delta_log/00000000000000000000.json";

struct Rig {
    source: Place,
    target: Place,
    proxy: Proxy,
    proxied: Place,
}

async fn rig(folder: &Path, name: &str) -> Rig {
    table::synthetic(folder, 10, 100);
    let (source, target) = (Place::Local(folder.to_owned()), Place::south(name));
    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    Rig { source, target, proxy, proxied }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_killed_before_its_commit_lands_commits_once() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let rig = rig(folder.path(), "killed-before").await;
    let gate = Gate::default();
    let held = Rule::new(Fault::Hold(gate.clone())).method("PUT").containing(COMMIT).times(1);
    rig.proxy.add(held);
    let mut deployment = Deployment::start(&rig.source, &rig.proxied);
    let _worker = deployment.worker("one");
    let mut follower = deployment.command(&[]).spawn().expect("the command starts");
    gate.arrived(1).await;
    deployment.coordinator.kill();
    deployment.restart();
    let job = only_job(&deployment).await.expect("one job");
    wait_for_state(&deployment, &job, "SUCCEEDED").await;
    let before = rig.target.listing().await;
    // Now the dead coordinator's write goes on to the store: it must change nothing.
    gate.open();
    assert!(follower.wait().expect("the command ends").success());
    assert_eq!(rig.target.listing().await[COMMIT], before[COMMIT]);
    replica::assert_same_objects(&rig.source, &rig.target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_killed_after_its_commit_landed_finds_it() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let rig = rig(folder.path(), "killed-after").await;
    let gate = Gate::default();
    rig.proxy.add(Rule::new(Fault::LoseAnswer).method("PUT").containing(COMMIT).times(1));
    rig.proxy.add(Rule::new(Fault::Hold(gate.clone())).method("GET").containing(COMMIT).times(1));
    let mut deployment = Deployment::start(&rig.source, &rig.proxied);
    let _worker = deployment.worker("one");
    let mut follower = deployment.command(&[]).spawn().expect("the command starts");
    gate.arrived(1).await;
    deployment.coordinator.kill();
    deployment.restart();
    let job = only_job(&deployment).await.expect("one job");
    let ended = wait_for_state(&deployment, &job, "SUCCEEDED").await;
    assert_eq!(ended["result"]["target_version"], 0, "{ended}");
    gate.open();
    assert!(follower.wait().expect("the command ends").success());
    assert_eq!(rig.proxy.count("PUT", COMMIT), 1, "it was there already");
    replica::assert_same_objects(&rig.source, &rig.target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_comes_while_publishing_waits_for_the_log() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let rig = rig(folder.path(), "cancel").await;
    let gate = Gate::default();
    rig.proxy.add(Rule::new(Fault::Hold(gate.clone())).method("PUT").containing(COMMIT).times(1));
    let deployment = Deployment::start(&rig.source, &rig.proxied);
    let _worker = deployment.worker("one");
    let mut follower = deployment.command(&[]).spawn().expect("the command starts");
    gate.arrived(1).await;
    let job = only_job(&deployment).await.expect("one job");
    client(&deployment, &["job", "cancel", &job]).await;
    wait_for_state(&deployment, &job, "CANCELLING").await;
    gate.open();
    wait_for_state(&deployment, &job, "SUCCEEDED").await;
    assert!(follower.wait().expect("the command ends").success());
    assert_eq!(replica::commits(&rig.target.listing().await).len(), 1);
}

/// So many files, of so long names, that the commit is more than what is held in memory.
const MANY: usize = 2_200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_not_held_in_memory_arrives_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let long = "long".repeat(50);
    let names: Vec<_> = (0..MANY).map(|n| format!("{long}/{long}/{}", table::name(n))).collect();
    table::named(folder.path(), names.iter().map(|name| (name.as_str(), name.as_str(), 1)));
    let source = Place::Local(folder.path().to_owned());
    let disk = tempfile::tempdir().expect("a scratch folder");
    let on_disk = Place::Local(disk.path().join("replica"));
    let local = sync::embedded(&source, &on_disk, &[]).await.succeeded();
    assert_eq!(local.number("objects_copied"), MANY as u64);
    replica::assert_same_objects(&source, &on_disk, 1).await;
    let left = disk.path().join("replica/_deepclone/tmp");
    assert_eq!(std::fs::read_dir(left).expect("the folder").count(), 0, "temporary files");
    for (place, fault, puts) in [
        (Place::south("large-503"), Fault::Status(503), 2),
        (Place::azure("large-503"), Fault::Status(503), 2),
        (Place::south("large-lost"), Fault::LoseAnswer, 1),
        (Place::azure("large-lost"), Fault::LoseAnswer, 1),
    ] {
        let proxy = Proxy::start(place.endpoint()).await;
        proxy.add(Rule::new(fault).method("PUT").containing(COMMIT).times(1));
        let proxied = place.at(&proxy.endpoint(place.endpoint()));
        sync::embedded(&source, &proxied, &[]).await.succeeded();
        assert_eq!(proxy.count("PUT", COMMIT), puts, "{}", place.uri());
        let (bytes, _) = place.listing().await[COMMIT];
        assert!(bytes > 1 << 20, "{bytes} bytes");
        replica::assert_same_objects(&source, &place, 1).await;
    }
}
