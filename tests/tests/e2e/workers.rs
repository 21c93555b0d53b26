//! Workers that do not fit a job, commands that are interrupted, and what logs tell.

use std::process::Command;

use deepclone_tests::environment::environment;
use deepclone_tests::process;
use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};

use crate::chaos::{only_job, wait_for_state};
use crate::place::Place;
use crate::replica;
use crate::sync::{self, Deployment};
use crate::table;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_another_store_by_the_same_name_gets_nothing() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let table = folder.path().join("table");
    table::synthetic(&table, 3, 10);
    let (source, target) = (Place::Local(table), Place::south("stranger"));
    let deployment = Deployment::start(&source, &target);
    let Place::Cloud(_, prefix) = &target else { panic!("a cloud") };
    let elsewhere = Place::Cloud(environment().services.north.clone(), prefix.clone());
    let config = folder.path().join("stranger.toml");
    let text = source.connection("source") + &elsewhere.connection("target");
    std::fs::write(&config, text).expect("a new file");
    let config = config.to_str().expect("test folders have plain names");
    let stranger =
        process::worker(&deployment.coordinator.url(), "stranger", &["--config", config]);
    let clone = tokio::spawn(sync::finish(deployment.command(&[])));
    let job = loop {
        if let Some(job) = only_job(&deployment).await {
            break job;
        }
    };
    wait_for_state(&deployment, &job, "WAITING_FOR_WORKERS").await;
    let _fitting = deployment.worker("fitting");
    clone.await.expect("the clone is run").succeeded();
    assert!(elsewhere.listing().await.is_empty());
    assert!(!stranger.log().contains("WARN"), "{}", stranger.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_command_leaves_and_its_twin_goes_on() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (table, state) = (folder.path().join("table"), folder.path().join("state"));
    table::synthetic(&table, 40, 100);
    let (source, target) = (Place::Local(table), Place::south("interrupted"));
    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    let gate = Gate::default();
    proxy.add(Rule::new(Fault::Hold(gate.clone())).method("PUT").containing("part-0003"));
    let mut command = process::deepclone();
    command.args(["clone", &source.uri(), &target.uri()]).envs(proxied.settings("TARGET_"));
    let mut running = command.env("XDG_STATE_HOME", &state).spawn().expect("the command starts");
    gate.arrived(1).await;
    let number = running.id().to_string();
    Command::new("kill").args(["-TERM", &number]).status().expect("a signal is sent");
    // The gate is closed: it leaves without waiting for what it had sent.
    let status = running.wait().expect("the command ends");
    assert_eq!(status.code(), Some(130));
    assert!(replica::commits(&target.listing().await).is_empty());
    gate.open();
    sync::embedded_with(&state, &source, &proxied, &[]).await.succeeded();
    replica::assert_same_objects(&source, &target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_talkative_log_tells_no_secret() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 2, 10);
    let services = &environment().services;
    let (source, target) = (Place::north("log"), Place::azure("log"));
    source.put(folder.path()).await;
    let proxy = Proxy::start(source.endpoint()).await;
    let proxied = source.at(&proxy.endpoint(source.endpoint()));
    proxy.add(Rule::new(Fault::Status(503)).containing("part-00000").times(1));
    proxy.add(Rule::new(Fault::Status(403)).containing("part-00001"));
    let signature = "sv=2021-08-06&sp=rwl&sig=hunter2";
    let azure = target.settings("TARGET_");
    let by_token = azure.iter().filter(|(name, _)| !name.ends_with("_KEY")).cloned();
    let token = ("TARGET_AZURE_STORAGE_SAS_KEY".to_owned(), signature.to_owned());
    for settings in [azure.clone(), by_token.chain([token]).collect()] {
        let mut command = process::deepclone();
        command.args(["clone", &source.uri(), &target.uri()]);
        command.envs(proxied.settings("SOURCE_")).envs(settings);
        command.env("XDG_STATE_HOME", folder.path().join("s")).env("DEEPCLONE_LOG", "trace");
        let ended = sync::finish(command).await;
        assert_eq!(ended.code, 5, "{}", ended.stderr);
        assert!(ended.stderr.contains("TRACE"), "{}", ended.stderr);
        let north = &services.north.secret_access_key;
        for secret in [north, services.azure.key.as_str(), "hunter2", "Signature=", "SharedKey "] {
            let line = ended.stderr.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret}");
        }
    }
}
