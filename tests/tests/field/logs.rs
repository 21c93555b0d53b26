//! What operators read: each event of a job, a worker and a store is one line of JSON, once, with
//! its fields, and the lines of the processes lead to each other.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use deepclone_tests::process::{self, Server};
use deepclone_tests::stub_store::{Kind, Lie, Rule, error};
use serde_json::Value;

use crate::bench::MIB;
use crate::standing::Standing;

const SIZE: usize = 3 * MIB;

/// The lines of a process that tell of this event, about this job if one is given.
fn lines(server: &Server, message: &str, job: &str) -> Vec<Value> {
    let log = server.log();
    // The last line may not be whole yet; the ready line of a worker is no JSON.
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_about = |fields: &Value| job.is_empty() || fields["job"] == job;
    let lines = lines.filter(|line| line["fields"]["message"] == message);
    lines.filter(|line| is_about(&line["fields"])).collect()
}

/// The fields of the only line that tells of this event, once it is there.
#[track_caller]
fn once(server: &Server, message: &str, job: &str) -> Value {
    let begun = Instant::now();
    loop {
        match &lines(server, message, job)[..] {
            [line] => return line["fields"].clone(),
            [] if begun.elapsed() < Duration::from_secs(120) => {
                std::thread::sleep(Duration::from_millis(50));
            }
            found => panic!("{message} {job}: {} lines\n{}", found.len(), server.log()),
        }
    }
}

/// `deepclone clone` of a table to another one.
fn clone(standing: &Standing, source: &str, target: &str, id: &str) -> Command {
    let mut command = process::deepclone();
    command.args(["clone", &format!("s3://lake/{source}"), &format!("s3://copy/{target}")]);
    command.args(["--source-connection", "lake", "--target-connection", "dr", "--output", "json"]);
    command.args(["--coordinator", &standing.coordinator.url(), "--request-id", id]);
    command
}

#[test]
fn the_life_of_a_job_is_told_with_its_figures() {
    let standing = Standing::start(SIZE);
    let coordinator = &standing.coordinator;
    let worker = standing.worker("w");
    let came = once(coordinator, "worker registered", "");
    assert_eq!(
        (&came["name"], &came["connections"], &came["held"]),
        (&"w".into(), &2.into(), &0.into())
    );
    let of_worker = once(&worker, "registered", "");
    assert_eq!(of_worker["worker"], came["worker"], "both logs name the worker alike");
    assert_eq!(of_worker["coordinator"], coordinator.url());

    let (code, answer, errors) = process::run(&mut clone(&standing, "t", "first", "airflow.7"));
    assert_eq!(code, 0, "{answer}{errors}");
    let created = once(coordinator, "job created", "");
    let job = created["job"].as_str().expect("an id");
    assert_eq!(created["request_id"], "airflow.7");
    assert_eq!(
        (&created["source"], &created["target"]),
        (&"s3://lake/t".into(), &"s3://copy/first".into())
    );
    let planned = once(coordinator, "job planned", job);
    let found = ["source_version", "tasks", "objects", "bytes"].map(|key| planned[key].as_u64());
    assert_eq!(found, [0, 1, 1, SIZE as u64].map(Some));
    let copied = once(coordinator, "job copied", job);
    let found = ["objects_copied", "bytes_read", "workers_used"].map(|key| copied[key].as_u64());
    assert_eq!(found, [1, SIZE as u64, 1].map(Some));
    assert_eq!(once(coordinator, "job published", job)["version"], 0);
    let ended = once(coordinator, "job succeeded", job);
    assert_eq!((&ended["replica_version"], &ended["up_to_date"]), (&0.into(), &false.into()));
    once(coordinator, "job started", job)["queued_seconds"].as_f64().expect("seconds");
    let seconds = |of: &Value| of["seconds"].as_f64().expect("seconds");
    let parts = seconds(&planned) + seconds(&copied);
    assert!(seconds(&ended) >= parts && parts > 0.0, "{ended} {planned} {copied}");
    // The lines of the call itself have its id, too.
    let call = lines(coordinator, "", "")
        .into_iter()
        .find(|line| line["target"] == "audit" && line["fields"]["request_id"] == "airflow.7")
        .expect("the change is on record");
    assert_eq!(call["span"]["request_id"], "airflow.7");
    assert_eq!(call["fields"]["resource"], format!("jobs/{job}"));
}

#[test]
fn a_failure_leads_to_the_lines_of_its_request() {
    let standing = Standing::start(SIZE);
    let coordinator = &standing.coordinator;
    let (code, _, errors) = process::run(&mut clone(&standing, "nothing", "second", "airflow.8"));
    assert_eq!(code, 3, "{errors}");
    let failed = once(coordinator, "job failed", "");
    assert_eq!(failed["reason"], "NOT_A_DELTA_TABLE");
    assert!(failed["error"].as_str().expect("text").contains("s3://lake/nothing"), "{failed}");
    let of_job = failed["job"].as_str().expect("an id");
    assert_eq!(once(coordinator, "job created", of_job)["request_id"], "airflow.8");
    assert!(lines(coordinator, "job planned", of_job).is_empty());

    // What the coordinator refuses is found by the id that the command shows.
    let mut look = process::deepclone();
    look.args(["job", "get", &uuid::Uuid::nil().to_string(), "--output", "json"]);
    look.args(["--coordinator", &coordinator.url()]);
    let (code, answer, errors) = process::run(look.env("DEEPCLONE_REQUEST_ID", "by-hand"));
    assert_eq!(code, 2, "{answer}{errors}");
    let answer: Value = serde_json::from_str(&answer).expect("one object");
    assert_eq!(answer["error"]["request_id"], "by-hand");
    assert!(errors.lines().any(|line| line == " request: by-hand"), "{errors}");
    let (code, _, errors) = process::run(look.env("DEEPCLONE_REQUEST_ID", "by hand"));
    assert_eq!(code, 2);
    assert!(
        errors.contains("--request-id (or DEEPCLONE_REQUEST_ID): a request id has"),
        "{errors}"
    );
}

#[test]
fn a_store_that_throttles_and_requests_that_are_given_up_are_told() {
    let standing = Standing::start(SIZE);
    let worker = standing.worker("w");
    let slow = Rule::always(Kind::Get, error(503, "SlowDown")).on("a.parquet").times(4);
    standing.source.add(slow);
    let (code, answer, errors) = process::run(&mut clone(&standing, "t", "first", "x"));
    assert_eq!(code, 0, "{answer}{errors}");
    let given_up = once(&worker, "a request failed as often as it may", "");
    for (key, value) in [("store", "lake"), ("operation", "get"), ("reason", "throttled")] {
        assert_eq!(given_up[key], value, "{given_up}");
    }
    assert_eq!(given_up["attempts"], 4);
    let failed = once(&worker, "task failed", "");
    assert_eq!((&failed["reason"], &failed["attempt"]), (&"throttled".into(), &1.into()));
    let job = failed["job"].as_str().expect("an id");
    let told = once(&standing.coordinator, "an attempt at a task failed", job);
    assert_eq!((&told["task"], &told["reason"]), (&failed["task"], &"throttled".into()));
    let throttles = once(&worker, "a store throttles", "");
    assert!(standing.source.endpoint().contains(throttles["store"].as_str().expect("a host")));
    let over = once(&worker, "a store throttles no more", "");
    assert_eq!((&over["store"], &over["refusals"]), (&throttles["store"], &4.into()));
}

#[test]
fn a_worker_that_is_killed_is_told_once_with_what_it_held() {
    let standing = Standing::start(24 * MIB);
    let slow = Lie::Drip(64 << 10, Duration::from_millis(50));
    standing.source.add(Rule::once(Kind::Get, slow).on("a.parquet"));
    let mut doomed = standing.worker("doomed");
    let mut cloning =
        clone(&standing, "t", "first", "x").stdout(Stdio::null()).spawn().expect("it starts");
    let before = standing.source.bytes_sent();
    let begun = Instant::now();
    while standing.source.bytes_sent() < before + 4 * MIB as u64 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is read");
        std::thread::sleep(Duration::from_millis(50));
    }
    doomed.kill();
    let came = once(&standing.coordinator, "worker registered", "");
    // Nobody else copies its task before it is known to be lost.
    let lost = once(&standing.coordinator, "worker lost", "");
    let _heir = standing.worker("heir");
    assert_eq!((&lost["worker"], &lost["name"]), (&came["worker"], &"doomed".into()));
    assert_eq!(lost["leases"], 1);
    assert!(cloning.wait().expect("it ends").success());
    let copied = once(&standing.coordinator, "job copied", "");
    assert_eq!(copied["objects_copied"], 1);
    assert!(lines(&standing.coordinator, "lease expired", "").is_empty());
    assert_eq!(lines(&standing.coordinator, "worker lost", "").len(), 1);
}

#[test]
fn a_worker_that_is_refused_is_told_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("lake")).expect("a new folder");
    let root = path("lake");
    let connections =
        format!("[connections.lake]\nurl = \"file://{root}\"\nroles = [\"source\", \"target\"]\n");
    let access = path("access.toml");
    // By its digest alone: nobody has the token.
    let principal = format!(
        "[[principals]]\nname = \"w\"\nrole = \"worker\"\ntokens = [{{ sha256 = \"{}\" }}]\n",
        "0".repeat(64)
    );
    std::fs::write(&access, principal).expect("a new file");
    std::fs::write(path("worker.toml"), &connections).expect("a new file");
    let guarded = format!("{connections}[access]\nfile = \"{access}\"\n");
    std::fs::write(path("coordinator.toml"), guarded).expect("a new file");
    let database = format!("sqlite:{}", path("state.db"));
    let flags = ["--config", &path("coordinator.toml"), "--database", &database];
    let coordinator = process::coordinator("127.0.0.1:0", &flags);
    let mut worker = Command::new(process::binary("deepclone-worker"));
    worker.args(["--coordinator", &coordinator.url(), "--name", "stranger"]);
    let (code, _, errors) = process::run(worker.args(["--config", &path("worker.toml")]));
    assert_eq!(code, 5, "{errors}");
    let refused = once(&coordinator, "worker refused", "");
    assert_eq!(refused["reason"], "UNAUTHENTICATED");
    let [line] = &lines(&coordinator, "worker refused", "")[..] else { panic!("one line") };
    assert_eq!(line["span"]["method"], "DispatchService/RegisterWorker");
    assert!(line["span"]["request_id"].as_str().is_some_and(|id| id.len() == 36), "{line}");
    assert!(lines(&coordinator, "worker registered", "").is_empty());
}
