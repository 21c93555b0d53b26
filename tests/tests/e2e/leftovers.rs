//! What killed processes leave at a store, and how it is found and thrown away.

use deepclone_tests::process;
use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};
use serde_json::Value;

use crate::place::Place;
use crate::sync::{self, Ended};
use crate::table;

/// Longer than what is put at once.
const LARGE_BYTES: usize = (64 << 20) + 11;

/// `deepclone doctor` of a target.
pub(crate) async fn doctor(target: &Place, flags: &[&str]) -> Ended {
    let mut command = process::deepclone();
    command.args(["doctor", &target.uri(), "--output", "json"]).args(flags);
    command.envs(target.settings("TARGET_"));
    sync::finish(command).await
}

/// The uploads that it found.
pub(crate) fn open(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json["open_uploads"].as_array().expect("the store lists its uploads").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upload_of_a_killed_process_is_found_and_thrown_away() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 1, LARGE_BYTES);
    let (source, target) = (Place::Local(folder.path().to_owned()), Place::south("left"));
    assert_eq!(open(&doctor(&target, &[]).await), [Value::Null; 0]);

    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    let gate = Gate::default();
    proxy.add(Rule::new(Fault::Hold(gate.clone())).method("POST").containing("uploadId="));
    let mut command = process::deepclone();
    command.args(["clone", &source.uri(), &proxied.uri()]);
    command.envs(source.settings("SOURCE_")).envs(proxied.settings("TARGET_"));
    command.env("XDG_STATE_HOME", folder.path().join("state"));
    let mut copying = command.spawn().expect("the command starts");
    gate.arrived(1).await;
    copying.kill().expect("it runs");
    copying.wait().expect("it ends");

    let left = open(&doctor(&target, &[]).await);
    assert_eq!(left.len(), 1, "{left:?}");
    let key = left[0]["key"].as_str().expect("a key");
    assert!(key.ends_with(&table::name(0)), "{key}");
    // It is younger than a day.
    let kept = doctor(&target, &["--abort-older-than", "1day"]).await;
    assert_eq!((open(&kept), &kept.json["aborted"]), (left, &Value::from(0)));
    let ended = doctor(&target, &["--abort-older-than", "0s"]).await;
    assert_eq!(ended.json["aborted"], 1, "{ended:?}");
    assert_eq!(open(&doctor(&target, &[]).await), [Value::Null; 0]);
    sync::embedded(&source, &target, &[]).await.succeeded();
}
