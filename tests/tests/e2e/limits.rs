//! What copies may take per second: of a job, for all its workers, and of a worker, each changed
//! while it runs.
//!
//! Bytes are counted as they come to the target's disk, in windows of several seconds. A limit is
//! an upper bound: a machine that is busy with other things moves less, and that proves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chaos::{client, wait_for_state};
use crate::place::Place;
use crate::sync::Deployment;
use crate::table;

const MIB: u64 = 1 << 20;
/// Each file is a task of its own, and flows in one piece.
const FILE: usize = 64 << 20;
/// Longer than two heartbeats: by then every worker has heard of a change.
const TOLD: Duration = Duration::from_secs(11);

/// A local table, and a place for its replica.
struct Tables {
    folder: tempfile::TempDir,
    source: Place,
    target: Place,
}

impl Tables {
    fn new(files: usize) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let place = |name: &str| folder.path().join(name);
        table::sparse(&place("table"), files, FILE);
        let (source, target) = (Place::Local(place("table")), Place::Local(place("replica")));
        Self { folder, source, target }
    }

    fn replica(&self) -> PathBuf {
        self.folder.path().join("replica")
    }
}

/// Bytes of all files below a folder, each once whatever its names.
fn bytes_below(folder: &Path) -> u64 {
    fn visit(folder: &Path, files: &mut BTreeMap<u64, u64>) {
        // A temporary file, or its folder, may go at any time.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                visit(&entry.path(), files);
            } else {
                files.insert(metadata.ino(), metadata.len());
            }
        }
    }
    let mut files = BTreeMap::new();
    visit(folder, &mut files);
    files.values().sum()
}

/// Bytes per second that come to a folder over some seconds.
async fn rate(folder: &Path) -> u64 {
    let (begun, before) = (Instant::now(), bytes_below(folder));
    tokio::time::sleep(Duration::from_secs(6)).await;
    let moved = bytes_below(folder).saturating_sub(before);
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    moved * 1_000 / elapsed_ms
}

/// Checks that no more comes than may, and that something does.
#[track_caller]
fn assert_kept(rate: u64, limit: u64, what: &str) {
    assert!(rate * 100 <= limit * 105, "{what}: {rate} of {limit} bytes per second");
    assert!(rate >= limit / 5, "{what}: only {rate} of {limit} bytes per second");
}

async fn copying(deployment: &Deployment, job: &str, replica: &Path) {
    wait_for_state(deployment, job, "COPYING").await;
    while bytes_below(replica) < MIB {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Creates a job with these flags more; gives its id.
async fn create(deployment: &Deployment, tables: &Tables, flags: &[&str]) -> String {
    let (source, target) = (tables.source.server_uri(), tables.target.server_uri());
    let arguments = [
        "job",
        "create",
        &source,
        &target,
        "--source-connection",
        "source",
        "--target-connection",
        "target",
    ];
    let job = client(deployment, &[&arguments, flags].concat()).await;
    job["job_id"].as_str().unwrap_or_else(|| panic!("{job}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_keep_the_limit_of_a_job_and_its_change() {
    let tables = Tables::new(9);
    let deployment = Deployment::start(&tables.source, &tables.target);
    let _workers = [deployment.worker("one"), deployment.worker("two")];
    let flags = ["--job-bandwidth", "24MiB/s", "--job-concurrency", "2"];
    let job = create(&deployment, &tables, &flags).await;
    let replica = tables.replica();
    copying(&deployment, &job, &replica).await;
    assert_kept(rate(&replica).await, 24 * MIB, "as it was created");
    let shown = client(&deployment, &["job", "get", &job]).await;
    assert_eq!(shown["progress"]["workers"], 2, "{shown}");

    let limits =
        |rate: Value, copies: Value| json!({"bytes_per_second": rate, "concurrency": copies});
    let limited = client(&deployment, &["job", "limit", &job, "--bandwidth", "10MiB/s"]).await;
    assert_eq!(limited["limits"], limits(json!(10 * MIB), json!(2)), "{limited}");
    tokio::time::sleep(TOLD).await;
    assert_kept(rate(&replica).await, 10 * MIB, "after it was lowered");
    let shown = client(&deployment, &["job", "get", &job]).await;
    assert_eq!(shown["state"], "COPYING", "the table is too small: {shown}");

    let none = ["job", "limit", &job, "--bandwidth", "none", "--concurrency", "none"];
    let limited = client(&deployment, &none).await;
    assert_eq!(limited["limits"], limits(Value::Null, Value::Null), "{limited}");
    wait_for_state(&deployment, &job, "SUCCEEDED").await;
    let refused = client(&deployment, &["job", "limit", &job, "--concurrency", "1"]).await;
    assert_eq!(refused["error"]["reason"], "JOB_ENDED", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_keeps_the_limits_of_a_file_that_changes_while_it_runs() {
    let tables = Tables::new(6);
    let deployment = Deployment::start(&tables.source, &tables.target);
    let limits = |rate: u64| format!("concurrency = 2\nbandwidth = \"{rate}MiB/s\"");
    let worker = deployment.configured_worker("w", &limits(24));
    let job = create(&deployment, &tables, &[]).await;
    let replica = tables.replica();
    copying(&deployment, &job, &replica).await;
    assert_kept(rate(&replica).await, 24 * MIB, "as it was started");

    deployment.configure("w", &limits(10));
    worker.hang_up();
    says(&worker, "were read again").await;
    assert_kept(rate(&replica).await, 10 * MIB, "after the file changed");

    deployment.configure("w", "bandwidth = \"fast\"");
    worker.hang_up();
    says(&worker, "the settings stay as they were").await;
    assert_kept(rate(&replica).await, 10 * MIB, "with a bad file");

    deployment.configure("w", "");
    worker.hang_up();
    wait_for_state(&deployment, &job, "SUCCEEDED").await;
    assert_eq!(worker.log().matches("the settings stay").count(), 1, "{}", worker.log());
}

async fn says(worker: &deepclone_tests::process::Server, line: &str) {
    let said = async {
        while !worker.log().contains(line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(60), said).await;
    said.unwrap_or_else(|_| panic!("it never says {line:?}:\n{}", worker.log()));
}
