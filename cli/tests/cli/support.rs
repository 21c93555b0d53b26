//! Small hand-made Delta tables, and the real binary run on them.
//!
//! The data objects are not Parquet, because a copy never opens them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing helper fails its test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A folder for sources and targets, with its own home for the state.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `deepclone` in this folder, without the environment of the test.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run::of(&output)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepclone"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_clear().env("XDG_STATE_HOME", self.path("state"));
        command
    }

    /// Runs `deepclone … --output json`; the object on stdout.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let run = self.run(&[arguments, &["--output", "json"]].concat());
        let object =
            serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("not one object: {run:?}"));
        (run.exit, object)
    }

    /// A table with two commits: two files in two partitions, then a third one.
    pub(crate) fn table(&self, name: &str) -> Table {
        let table = Table::create(self.path(name));
        table.commit(0, &[table.add("day=1/a.parquet", "1"), table.add("day=2/b.parquet", "2")]);
        table.commit(1, &[table.add("day=2/c.parquet", "2")]);
        table
    }
}

/// The exit code and the output of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            exit: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

/// A Delta table on disk, made by hand.
pub(crate) struct Table {
    pub(crate) root: PathBuf,
}

/// The first commit's time: 2024-05-01T00:00:00Z.
pub(crate) const FIRST_COMMIT_MS: i64 = 1_714_521_600_000;

impl Table {
    pub(crate) fn create(root: PathBuf) -> Self {
        std::fs::create_dir_all(root.join("_delta_log")).unwrap();
        Self { root }
    }

    /// Writes the object and gives its `add`.
    pub(crate) fn add(&self, path: &str, day: &str) -> Value {
        let bytes = format!("bytes of {path}").into_bytes();
        let file = self.root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &bytes).unwrap();
        json!({"add": {
            "path": path, "partitionValues": {"day": day}, "size": bytes.len(),
            "modificationTime": FIRST_COMMIT_MS, "dataChange": true,
            "stats": "{\"numRecords\":1}",
        }})
    }

    /// The `remove` of a file.
    pub(crate) fn remove(&self, path: &str, day: &str) -> Value {
        json!({"remove": {
            "path": path, "partitionValues": {"day": day}, "dataChange": true,
            "deletionTimestamp": FIRST_COMMIT_MS, "extendedFileMetadata": true,
            "size": format!("bytes of {path}").len(),
        }})
    }

    /// Writes a commit an hour after the one before; version 0 also says what the table is.
    pub(crate) fn commit(&self, version: u64, actions: &[Value]) {
        let time = FIRST_COMMIT_MS + i64::try_from(version).unwrap() * 3_600_000;
        let mut lines = vec![json!({"commitInfo": {"timestamp": time, "operation": "WRITE"}})];
        if version == 0 {
            let schema = json!({"type": "struct", "fields": [
                {"name": "id", "type": "long", "nullable": true, "metadata": {}},
                {"name": "day", "type": "integer", "nullable": true, "metadata": {}},
            ]});
            lines.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
            lines.push(json!({"metaData": {
                "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema.to_string(), "partitionColumns": ["day"],
                "configuration": {}, "createdTime": time,
            }}));
        }
        lines.extend_from_slice(actions);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let path = self.root.join(format!("_delta_log/{version:020}.json"));
        std::fs::write(&path, text).unwrap();
        // Without in-commit timestamps a commit's time is its file's.
        let modified =
            std::time::UNIX_EPOCH + std::time::Duration::from_millis(u64::try_from(time).unwrap());
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }
}

/// Returns every file below `root` with its bytes; none without a folder.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Returns the data objects below `root`, without its log and our own folder.
pub(crate) fn data(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(root);
    files.retain(|name, _| !name.starts_with("_delta_log/") && !name.starts_with("_deepclone/"));
    files
}

/// Returns the number of commits in the log below `root`.
pub(crate) fn commits(root: &Path) -> usize {
    let is_commit = |name: &String| name.starts_with("_delta_log/0") && name.ends_with(".json");
    files(root).keys().filter(|name| is_commit(name)).count()
}
