//! A coordinator with a replication of one table between two stores that lie on order.

use std::time::Duration;

use deepclone_tests::process::{self, Server};
use deepclone_tests::stub_store::StubStore;
use serde_json::Value;

use crate::bench::{bytes_of, log_of};

/// A coordinator with the replication `dr` of the table `t`.
pub(crate) struct Standing {
    pub(crate) source: StubStore,
    pub(crate) target: StubStore,
    pub(crate) coordinator: Server,
    folder: tempfile::TempDir,
}

impl Standing {
    /// A table of one object of so many bytes.
    pub(crate) fn start(size: usize) -> Self {
        let (source, target) = (StubStore::start("lake"), StubStore::start("copy"));
        let objects = [("a.parquet".to_owned(), bytes_of(size))].into();
        source.put("t/a.parquet", bytes_of(size));
        source.put("t/_delta_log/00000000000000000000.json", log_of(&objects));
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let connection = |name: &str, bucket: &str, store: &StubStore| {
            format!(
                "[connections.{name}]\nurl = \"s3://{bucket}\"\nroles = [\"source\", \"target\"]\n\
                 aws_endpoint_url = \"{}\"\naws_allow_http = \"true\"\naws_region = \"x\"\n\
                 aws_access_key_id = \"k\"\naws_secret_access_key = \"s\"\n",
                store.endpoint()
            )
        };
        let config = connection("lake", "lake", &source) + &connection("dr", "copy", &target);
        std::fs::write(path("deepclone.toml"), config).expect("a new file");
        let file = "version = 1\n[[replication]]\nname = \"dr\"\nsource = \"lake\"\n\
                    target = \"dr\"\ninclude = [\"t\"]\nschedule = { every = \"366d\" }\n";
        std::fs::write(path("replications.toml"), file).expect("a new file");
        let database = format!("sqlite:{}", path("state.db"));
        let arguments = ["--config", &path("deepclone.toml"), "--database", &database];
        let coordinator = process::coordinator("127.0.0.1:0", &arguments);
        let file = path("replications.toml");
        let standing = Self { source, target, coordinator, folder };
        standing.replication(&["apply", &file]);
        standing
    }

    pub(crate) fn worker(&self, name: &str) -> Server {
        let config = self.folder.path().join("deepclone.toml").display().to_string();
        process::worker(&self.coordinator.url(), name, &["--config", &config])
    }

    /// The answer of `deepclone replication …`.
    pub(crate) fn replication(&self, arguments: &[&str]) -> Value {
        self.deepclone(&[&["replication"], arguments].concat())
    }

    /// The answer of `deepclone …`.
    pub(crate) fn deepclone(&self, arguments: &[&str]) -> Value {
        let mut command = process::deepclone();
        command.args(arguments);
        command.args(["--output", "json", "--coordinator", &self.coordinator.url()]);
        let (code, answer, errors) = process::run(&mut command);
        assert_eq!(code, 0, "{arguments:?}: {answer}{errors}");
        serde_json::from_str(&answer).expect("one object")
    }

    /// Asks for a round, and waits until so many have ended.
    pub(crate) fn run(&self, count: usize) -> Value {
        self.replication(&["run", "dr"]);
        self.ended(count)
    }

    /// Waits until so many rounds have ended.
    pub(crate) fn ended(&self, count: usize) -> Value {
        for _ in 0..900 {
            let found = self.replication(&["get", "dr"]);
            let rounds = found["last_rounds"].as_array().expect("a list");
            if rounds.iter().filter(|round| round["end_time"].is_string()).count() >= count {
                return found;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the round does not end\n{}", self.coordinator.log());
    }
}
