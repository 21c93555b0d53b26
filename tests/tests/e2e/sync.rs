//! One clone: embedded in the command line, or through a coordinator and workers.

use std::path::{Path, PathBuf};
use std::process::Command;

use deepclone_tests::process::{self, Server};
use serde_json::Value;
use tempfile::TempDir;

use crate::place::Place;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    /// The JSON object on standard output; null when there was none.
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Ended {
    /// A number of the JSON object.
    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.json[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {self:?}"))
    }

    /// Itself, if the command succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// `deepclone clone` with everything inside one process.
pub(crate) async fn embedded(source: &Place, target: &Place, flags: &[&str]) -> Ended {
    let state = tempfile::tempdir().expect("a scratch folder");
    embedded_with(state.path(), source, target, flags).await
}

/// The same, with a state folder that outlives it.
pub(crate) async fn embedded_with(
    state: &Path,
    source: &Place,
    target: &Place,
    flags: &[&str],
) -> Ended {
    let mut command = process::deepclone();
    command.args(["clone", &source.uri(), &target.uri(), "--output", "json"]).args(flags);
    command.envs(source.settings("SOURCE_")).envs(target.settings("TARGET_"));
    command.env("XDG_STATE_HOME", state);
    finish(command).await
}

/// Runs a command to its end without blocking the proxies of this process.
pub(crate) async fn finish(mut command: Command) -> Ended {
    let run = move || process::run(&mut command);
    let (code, stdout, stderr) =
        tokio::task::spawn_blocking(run).await.expect("the command is run");
    let json = serde_json::from_str(&stdout).unwrap_or(Value::Null);
    Ended { code, json, stderr }
}

/// A coordinator and its configuration; workers join it.
pub(crate) struct Deployment {
    pub(crate) coordinator: Server,
    folder: TempDir,
    source: Place,
    target: Place,
}

impl Deployment {
    /// Starts a coordinator that knows the two places as connections `source` and `target`.
    pub(crate) fn start(source: &Place, target: &Place) -> Self {
        Self::start_with(source, target, "")
    }

    /// The same, with more of the configuration file.
    pub(crate) fn start_with(source: &Place, target: &Place, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let config = source.connection("source") + &target.connection("target") + more;
        std::fs::write(folder.path().join("deepclone.toml"), config).expect("a new file");
        let coordinator = coordinator(folder.path(), "127.0.0.1:0");
        Self { coordinator, folder, source: source.clone(), target: target.clone() }
    }

    /// Starts the coordinator again on the same address and database, after it was killed.
    pub(crate) fn restart(&mut self) {
        let listen = self.coordinator.address.clone();
        self.coordinator = coordinator(self.folder.path(), &listen);
    }

    pub(crate) fn worker(&self, name: &str) -> Server {
        self.worker_with(name, &[])
    }

    /// A worker with more flags.
    pub(crate) fn worker_with(&self, name: &str, flags: &[&str]) -> Server {
        let config = self.config();
        let flags = [&["--config", &config], flags].concat();
        process::worker(&self.coordinator.url(), name, &flags)
    }

    /// The same with a configuration of its own, which [`Deployment::configure`] changes.
    pub(crate) fn configured_worker(&self, name: &str, limits: &str) -> Server {
        let config = self.configure(name, limits).display().to_string();
        process::worker(&self.coordinator.url(), name, &["--config", &config])
    }

    /// Writes the configuration of a worker: the two connections, and these limits.
    pub(crate) fn configure(&self, name: &str, limits: &str) -> PathBuf {
        let connections = self.source.connection("source") + &self.target.connection("target");
        let file = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, format!("{connections}\n[limits]\n{limits}\n"))
            .expect("a writable folder");
        file
    }

    /// `deepclone clone --coordinator …`
    pub(crate) async fn clone(&self, flags: &[&str]) -> Ended {
        finish(self.command(flags)).await
    }

    /// The command of [`Deployment::clone`].
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = process::deepclone();
        command.args(["clone", &self.source.server_uri(), &self.target.server_uri()]);
        command.args(["--source-connection", "source", "--target-connection", "target"]);
        command.args(["--coordinator", &self.coordinator.url(), "--output", "json"]).args(flags);
        command
    }

    fn config(&self) -> String {
        config_file(self.folder.path())
    }
}

fn coordinator(folder: &Path, listen: &str) -> Server {
    let database = format!("sqlite:{}", folder.join("deepclone.db").display());
    let config = config_file(folder);
    process::coordinator(listen, &["--database", &database, "--config", &config])
}

fn config_file(folder: &Path) -> String {
    folder.join("deepclone.toml").display().to_string()
}
