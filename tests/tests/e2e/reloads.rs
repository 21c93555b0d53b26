//! What changes while a job runs: configuration files that are read again at a SIGHUP, and
//! credentials of a store that end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use deepclone_tests::environment::{BUCKET, environment};
use deepclone_tests::process::{self, Server};
use deepclone_tests::receiver::Receiver;

use crate::place::Place;
use crate::sync::{self, Ended};
use crate::{replica, table};

const OBJECTS: usize = 64;

/// A coordinator and a worker that share one configuration file.
struct Fleet {
    folder: tempfile::TempDir,
    coordinator: Server,
    worker: Server,
}

impl Fleet {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = |name: &str| folder.path().join(name);
        table::synthetic(&path("lake/table"), OBJECTS, 64 << 10);
        table::synthetic(&path("archive/table"), 3, 100);
        std::fs::create_dir(path("dr")).expect("a new folder");
        let config = path("deepclone.toml").display().to_string();
        std::fs::write(&config, connections(&folder, &["lake", "dr"])).expect("a new file");
        let database = format!("sqlite:{}", path("deepclone.db").display());
        let coordinator =
            process::coordinator("127.0.0.1:0", &["--config", &config, "--database", &database]);
        // At this rate the copy takes longer than all that changes.
        let flags = ["--config", &config, "--bandwidth", "256KiB/s"];
        let worker = process::worker(&coordinator.url(), "one", &flags);
        Self { folder, coordinator, worker }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the file, and waits until a process says what it made of it.
    async fn reload(&self, text: &str, server: &Server, says: &str) {
        std::fs::write(self.path("deepclone.toml"), text).expect("a file");
        server.hang_up();
        let said = async {
            while !server.log().contains(says) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), said).await;
        assert!(in_time.is_ok(), "{says}: {}", server.log());
    }

    fn clone(&self, source: &str, target: &str) -> impl Future<Output = Ended> + use<> {
        let uri = |name: &str| format!("file://{}", self.path(name).display());
        let mut command = process::deepclone();
        command.args(["clone", &uri(source), &uri(target), "--output", "json"]);
        command.args(["--coordinator", &self.coordinator.url()]);
        sync::finish(command)
    }
}

/// The sections of these connections, each of which reads and writes its folder.
fn connections(folder: &tempfile::TempDir, names: &[&str]) -> String {
    let section = |name: &&str| {
        let root = folder.path().canonicalize().expect("it exists").join(name);
        let url = format!("url = \"file://{}\"", root.display());
        format!("[connections.{name}]\n{url}\nroles = [\"source\", \"target\"]\n")
    };
    names.iter().map(section).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_come_and_go_while_a_job_runs() {
    let fleet = Fleet::new();
    let (coordinator, worker) = (&fleet.coordinator, &fleet.worker);
    let running = tokio::spawn(fleet.clone("lake/table", "dr/table"));
    let refused = fleet.clone("archive/table", "dr/archive").await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("no connection's url is above"), "{refused:?}");

    let whole = connections(&fleet.folder, &["lake", "dr", "archive"]);
    let added = "added: archive";
    fleet.reload(&whole, coordinator, added).await;
    fleet.reload(&whole, worker, added).await;
    let copied = fleet.clone("archive/table", "dr/archive").await.succeeded();
    assert_eq!(copied.number("objects_copied"), 3);

    // A mistake changes nothing; what is not read again is said.
    let mistake = whole.replace("[connections.archive]", "[connections.archive]\nkey = 1");
    for server in [coordinator, worker] {
        fleet.reload(&mistake, server, "the settings stay as they were").await;
    }
    let listens = format!("{whole}[listen]\ngrpc = \"127.0.0.1:1\"\n");
    fleet.reload(&listens, coordinator, "[listen] changed: it needs a restart").await;
    let less = connections(&fleet.folder, &["lake", "dr"]);
    fleet.reload(&less, worker, "removed: archive").await;
    fleet.reload(&less, coordinator, "removed: archive").await;
    assert!(!running.is_finished(), "it was to run meanwhile");
    let gone = fleet.clone("archive/table", "dr/again").await;
    assert_eq!(gone.code, 2, "{gone:?}");
    let done = running.await.expect("the clone is run").succeeded();
    assert_eq!(done.number("objects_copied"), OBJECTS as u64, "{}", worker.log());
    assert!(!worker.log().contains("they are dropped"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_connection_is_taken_away_fails_with_its_name_and_goes_on_once_it_is_back() {
    let fleet = Fleet::new();
    let running = tokio::spawn(fleet.clone("lake/table", "dr/table"));
    let copies = async {
        while !fleet.path("dr/table/part-00000.parquet").exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), copies).await;
    assert!(in_time.is_ok(), "{}", fleet.worker.log());
    fleet.reload(&connections(&fleet.folder, &["lake"]), &fleet.coordinator, "removed: dr").await;
    let ended = running.await.expect("the clone is run");
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("connection \"dr\""), "{ended:?}");
    assert!(!fleet.path("dr/table/_delta_log").exists(), "nothing was published");

    let whole = connections(&fleet.folder, &["lake", "dr"]);
    fleet.reload(&whole, &fleet.coordinator, "added: dr").await;
    let done = fleet.clone("lake/table", "dr/table").await.succeeded();
    assert_eq!(done.number("objects_copied") + done.number("objects_skipped"), OBJECTS as u64);
}

/// Replaces the file by a shared access signature of the container that counts for so long. What is
/// signed is of version 2018-11-09 of Azure's protocol.
fn sign(file: &Path, counts: TimeDelta) {
    let azure = &environment().services.azure;
    let ends = (Utc::now() + counts).to_rfc3339_opts(SecondsFormat::Secs, true);
    let resource = format!("/blob/{}/{BUCKET}", azure.account);
    let text = format!("racwdl\n\n{ends}\n{resource}\n\n\n\n2018-11-09\nc\n\n\n\n\n\n");
    let script = "key=$(printf %s \"$1\" | base64 -d | od -An -v -tx1 | tr -d ' \\n')\n\
                  printf %s \"$2\" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | \
                  base64 -w0";
    let mut command = Command::new("bash");
    let (code, signature, errors) =
        process::run(command.args(["-c", script, "sign", &azure.key, &text]));
    assert_eq!(code, 0, "{errors}");
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let ends = ends.replace(':', "%3A");
    let query = format!("sv=2018-11-09&sr=c&sp=racwdl&se={ends}&sig={signature}");
    let next = file.with_extension("next");
    std::fs::write(&next, query).expect("a new file");
    std::fs::rename(next, file).expect("one folder");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_ends_in_mid_job_is_followed_by_the_next_one() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &str| folder.path().join(name);
    table::synthetic(&path("table"), OBJECTS, 64 << 10);
    let (source, target) = (Place::Local(path("table")), Place::azure("expiring"));
    let file = path("signature");
    sign(&file, TimeDelta::seconds(6));
    let by_signature = |line: &str| match line.starts_with("azure_storage_account_key") {
        true => format!("azure_storage_sas_token_file = \"{}\"\n", file.display()),
        false => format!("{line}\n"),
    };
    let to: String = target.connection("target").lines().map(by_signature).collect();
    let config = path("deepclone.toml").display().to_string();
    std::fs::write(&config, source.connection("source") + &to).expect("a new file");
    let database = format!("sqlite:{}", path("deepclone.db").display());
    let coordinator =
        process::coordinator("127.0.0.1:0", &["--config", &config, "--database", &database]);
    let flags = ["--config", &config, "--bandwidth", "256KiB/s"];
    let worker = process::worker(&coordinator.url(), "one", &flags);

    let mut command = process::deepclone();
    command.args(["clone", &source.server_uri(), &target.server_uri(), "--output", "json"]);
    command.args(["--coordinator", &coordinator.url()]);
    let running = tokio::spawn(sync::finish(command));
    // The copy takes 16 seconds at least: no signature lives through it.
    let mut renewed = 0;
    while !running.is_finished() {
        tokio::time::sleep(Duration::from_secs(3)).await;
        sign(&file, TimeDelta::seconds(6));
        renewed += 1;
    }
    assert!(renewed >= 4, "it was to take longer than a signature counts: {renewed}");
    let done = running.await.expect("the clone is run").succeeded();
    assert_eq!(done.number("objects_copied"), OBJECTS as u64, "{}", worker.log());
    replica::assert_same_objects(&source, &target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lineage_and_webhooks_follow_the_file_or_nothing_does() {
    let fleet = Fleet::new();
    let coordinator = &fleet.coordinator;
    let receiver = Receiver::start(&[]).await;
    let connections = connections(&fleet.folder, &["lake", "dr", "archive"]);
    let lineage = |name: &str| format!("[lineage]\nfile = \"{}\"\n", fleet.path(name).display());
    let webhook = format!(
        "[[webhooks]]\nname = \"chat\"\nurl = \"{}/hunter2\"\nformat = \"slack\"\nhold = \"0s\"\n",
        receiver.url
    );
    // One that is not signed: neither it nor the connection and the events come.
    let wrong = webhook.replace("slack", "generic");
    let text = format!("{connections}{}{wrong}", lineage("wrong.jsonl"));
    fleet.reload(&text, coordinator, "secret_file is missing").await;
    assert_eq!(fleet.clone("archive/table", "dr/archive").await.code, 2);
    assert!(!fleet.path("wrong.jsonl").exists());

    let text = format!("{connections}{}{webhook}", lineage("events.jsonl"));
    fleet.reload(&text, coordinator, "added: chat").await;
    fleet.reload(&text, &fleet.worker, "added: archive").await;
    std::fs::remove_file(fleet.path("archive/table/part-00000.parquet")).expect("it is there");
    assert_eq!(fleet.clone("archive/table", "dr/archive").await.code, 3);
    let told = receiver.wait_for(1).await;
    assert!(told[0].body.contains("sync_failed"), "{told:?}");
    let events = || std::fs::read_to_string(fleet.path("events.jsonl")).unwrap_or_default();
    assert_eq!(events().lines().count(), 2, "{}", events());

    // A file that was moved away, as by logrotate, is made anew.
    std::fs::rename(fleet.path("events.jsonl"), fleet.path("events.1")).expect("one disk");
    fleet.reload(&format!("{text}# again\n"), coordinator, "webhooks\":\"none changed").await;
    assert_eq!(fleet.clone("archive/table", "dr/archive").await.code, 3);
    assert_eq!(events().lines().count(), 2, "{}", events());
    fleet.reload(&connections, coordinator, "removed: chat").await;
    assert_eq!(fleet.clone("archive/table", "dr/archive").await.code, 3);
    assert_eq!((events().lines().count(), receiver.taken().len()), (2, 1));
    assert!(!coordinator.log().contains("hunter2"), "{}", coordinator.log());
}
