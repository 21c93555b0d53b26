//! Configuration files that are read again at a SIGHUP while a job runs.

use std::path::PathBuf;
use std::time::Duration;

use deepclone_tests::process::{self, Server};

use crate::sync::{self, Ended};
use crate::table;

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
