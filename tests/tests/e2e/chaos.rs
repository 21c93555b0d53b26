//! Workers and coordinators killed in mid-copy, and stores that fail.

use std::collections::BTreeMap;
use std::time::Duration;

use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule, Seen};
use serde_json::Value;

use crate::place::Place;
use crate::replica;
use crate::sync::{self, Deployment};
use crate::table;

/// Enough for three tasks: one holds at most 256 objects.
const OBJECTS: usize = 600;
/// Objects of the first two tasks.
const FIRST_TWO: usize = 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_goes_on_without_a_killed_worker() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), OBJECTS, 64);
    let (source, target) = (Place::Local(folder.path().to_owned()), Place::south("lost-worker"));
    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    let gate = Gate::default();
    proxy.add(Rule::new(Fault::Hold(gate.clone())).method("PUT").containing("part-").after(20));

    let deployment = Deployment::start(&source, &proxied);
    let mut doomed = deployment.worker("doomed");
    let clone = tokio::spawn(sync::finish(deployment.command(&[])));
    gate.arrived(1).await;
    let heir = deployment.worker("heir");
    doomed.kill();
    gate.open();
    let ended = clone.await.expect("the clone is run").succeeded();
    // What the dead worker had put but not reported lies there already: it is compared, not lost.
    let seen = ended.number("objects_copied") + ended.number("objects_skipped");
    assert_eq!(seen, OBJECTS as u64);
    replica::assert_same_objects(&source, &target, 1).await;
    drop(heir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_coordinator_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), OBJECTS, 64);
    let (source, target) = (Place::north("restart"), Place::south("restart"));
    source.put(folder.path()).await;
    let north = Proxy::start(source.endpoint()).await;
    let south = Proxy::start(target.endpoint()).await;
    let proxied_source = source.at(&north.endpoint(source.endpoint()));
    let proxied_target = target.at(&south.endpoint(target.endpoint()));
    // The third task cannot end before the gate opens.
    let gate = Gate::default();
    let last = table::name(OBJECTS - 1);
    south.add(Rule::new(Fault::Hold(gate.clone())).method("PUT").containing(&last));

    let mut deployment = Deployment::start(&proxied_source, &proxied_target);
    let worker = deployment.worker("patient");
    let mut follower = deployment.command(&[]).spawn().expect("the command starts");
    gate.arrived(1).await;
    wait_for_tasks(&deployment, 2).await;
    deployment.coordinator.kill();
    deployment.restart();
    gate.open();
    // It waits for the coordinator's return, and tells the end.
    assert!(follower.wait().expect("the command ends").success());
    replica::assert_same_objects(&source, &target, 1).await;

    let reads = counts(&north.seen(), "GET");
    let writes = counts(&south.seen(), "PUT");
    for number in 0..FIRST_TWO {
        let name = table::name(number);
        assert_eq!(reads.get(&name), Some(&1), "reads of {name}");
        assert_eq!(writes.get(&name), Some(&1), "writes of {name}");
    }
    drop(worker);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_stores_are_asked_again() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 40, 100_000);
    let (source, target) = (Place::north("faults"), Place::south("faults"));
    source.put(folder.path()).await;
    let north = Proxy::start(source.endpoint()).await;
    let south = Proxy::start(target.endpoint()).await;
    north.add(Rule::new(Fault::Status(503)).containing("part-0000").times(3));
    north.add(Rule::new(Fault::CutAnswer(1000)).containing("part-0001").times(3));
    south.add(Rule::new(Fault::Reset).method("PUT").containing("part-0000").times(2));
    south.add(Rule::new(Fault::LoseAnswer).method("PUT").containing("part-0002").times(2));
    south.add(Rule::new(Fault::LoseAnswer).method("PUT").containing("00000.json").times(1));
    let ended = sync::embedded(
        &source.at(&north.endpoint(source.endpoint())),
        &target.at(&south.endpoint(target.endpoint())),
        &[],
    )
    .await
    .succeeded();
    assert_eq!(ended.number("target_version"), 0);
    replica::assert_same_objects(&source, &target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_leaves_the_replica_and_the_next_one_ends_it() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 10, 100);
    let (source, target) = (Place::Local(folder.path().to_owned()), Place::south("denied"));
    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    proxy.add(Rule::new(Fault::Status(403)).method("PUT").containing(&table::name(9)));
    let failed = sync::embedded(&source, &proxied, &[]).await;
    assert_eq!(failed.code, 5, "{failed:?}");
    assert!(failed.stderr.contains(&table::name(9)), "{failed:?}");
    assert_eq!(replica::commits(&target.listing().await).len(), 0);
    proxy.clear();
    sync::embedded(&source, &proxied, &[]).await.succeeded();
    replica::assert_same_objects(&source, &target, 1).await;
}

/// The id of the only job.
pub(crate) async fn only_job(deployment: &Deployment) -> Option<String> {
    let listed = client(deployment, &["job", "list"]).await;
    Some(listed["jobs"][0]["job_id"].as_str()?.to_owned())
}

/// Waits until the only job has so many tasks done.
async fn wait_for_tasks(deployment: &Deployment, tasks: u64) {
    let job = only_job(deployment).await.expect("one job");
    let done = |job: &Value| job["progress"]["tasks_done"].as_u64() >= Some(tasks);
    wait_for(deployment, &job, done).await;
}

/// Waits until a job is in this state; gives it.
pub(crate) async fn wait_for_state(deployment: &Deployment, job: &str, state: &str) -> Value {
    wait_for(deployment, job, |job| job["state"] == state).await
}

async fn wait_for(deployment: &Deployment, job: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let job = client(deployment, &["job", "get", job]).await;
            if holds(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it never came")
}

pub(crate) async fn client(deployment: &Deployment, arguments: &[&str]) -> Value {
    let mut command = deepclone_tests::process::deepclone();
    command.args(arguments);
    command.args(["--coordinator", &deployment.coordinator.url(), "--output", "json"]);
    sync::finish(command).await.json
}

/// How often each object was asked for by this method.
fn counts(seen: &[Seen], method: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.method == method) {
        let path = seen.target.split('?').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    counts
}
