//! Replicas whose history a coordinator tells, and which it vacuums, as the command does by itself.

use std::process::{Command, Stdio};
use std::time::Duration;

use deepclone_tests::process;
use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};
use deepclone_tests::writers;
use serde_json::json;

use crate::place::Place;
use crate::replica;
use crate::sync::{self, Deployment, Ended};

/// What was removed is kept for a second, and stores tell times in whole ones.
const SHORT: &str = "delta.deletedFileRetentionDuration=interval 1 second";
const SOON: Duration = Duration::from_millis(2_500);
const NOTICE: &str = "_deepclone/vacuum.json";

/// The same command by the coordinator, or by itself.
fn command(by: Option<&Deployment>, words: &[&str], target: &Place) -> Command {
    let mut command = process::deepclone();
    match by {
        Some(deployment) => {
            command.args(words).args([&target.server_uri(), "--target-connection", "target"]);
            command.args(["--coordinator", &deployment.coordinator.url()]);
        }
        None => {
            command.args(words).arg(target.uri()).envs(target.settings("TARGET_"));
        }
    }
    command.args(["--output", "json"]);
    command
}

async fn told(by: Option<&Deployment>, words: &[&str], target: &Place) -> Ended {
    sync::finish(command(by, words, target)).await
}

/// Everything but where the replica is.
fn without_place(ended: &Ended) -> serde_json::Value {
    let mut object = ended.json.clone();
    object["target"].take();
    object
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_tells_the_history_and_vacuums_as_the_command_does() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let local = Place::Local(folder.path().to_owned());
    let (source, target) = (Place::north("upkeep"), Place::south("upkeep"));
    let south = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&south.endpoint(target.endpoint()));
    let deployment = Deployment::start(&source, &proxied);
    let _worker = deployment.worker("one");
    for (operation, arguments) in [
        ("append", json!({"start": 0, "count": 40})),
        ("delete", json!({"predicate": "id < 10"})),
        ("delete", json!({"predicate": "id < 20"})),
    ] {
        writers::write(operation, &local.uri(), arguments);
        source.put(folder.path()).await;
        deployment.clone(&["--property", SHORT]).await.succeeded();
    }
    let by = Some(&deployment);
    let history = told(by, &["history"], &target).await.succeeded();
    let alone = told(None, &["history"], &target).await.succeeded();
    assert_eq!(without_place(&history), without_place(&alone));
    let syncs = history.json["syncs"].as_array().expect("a list");
    assert_eq!(syncs.len(), 3, "{history:?}");
    assert_eq!((&syncs[0]["target_version"], &syncs[0]["mode"]), (&json!(2), &json!("clone")));

    tokio::time::sleep(SOON).await;
    let before = target.listing().await;
    let would = told(by, &["vacuum", "--dry-run"], &target).await.succeeded();
    let alone = told(None, &["vacuum", "--dry-run"], &target).await.succeeded();
    assert_eq!(without_place(&would), without_place(&alone));
    assert!(would.number("objects") > 0 && would.json["dry_run"] == true, "{would:?}");
    assert_eq!(target.listing().await, before, "a dry run deletes nothing");
    let refused = told(by, &["vacuum", "--retain", "0s"], &target).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--break-time-travel"), "{refused:?}");

    // Who asked for it is killed while the first object is deleted: it goes on to its end.
    let gate = Gate::default();
    south.add(Rule::new(Fault::Hold(gate.clone())).method("POST").containing("delete"));
    let mut asked = command(by, &["vacuum"], &target);
    let mut asked = asked.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    gate.arrived(1).await;
    asked.kill().expect("it is killed");
    asked.wait().expect("it ended");
    let second = told(by, &["vacuum"], &target).await;
    assert_eq!((second.code, &second.json["error"]["reason"]), (4, &json!("TARGET_BUSY")));
    gate.open();
    let ended = async {
        while target.listing().await.contains_key(NOTICE) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends");
    let after = target.listing().await;
    let gone: Vec<&String> = before.keys().filter(|key| !after.contains_key(*key)).collect();
    let keys = would.json["keys"].as_array().expect("a list");
    let wanted: Vec<&str> = keys.iter().filter_map(|key| key["key"].as_str()).collect();
    assert_eq!(gone, wanted);
    replica::assert_equal(&source, &target).await;
    let nothing = told(by, &["vacuum"], &target).await.succeeded();
    assert_eq!(nothing.number("objects"), 0, "{nothing:?}");
}
