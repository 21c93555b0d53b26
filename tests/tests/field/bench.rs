//! A source and a target that lie on order, and the real binary between them.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use deepclone_tests::process::{deepclone, run};
use deepclone_tests::stub_store::{Manners, Rule, StubStore};
use serde_json::{Value, json};

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;
/// Held in memory, written as a flow, and written by three parts.
pub(crate) const SMALL: usize = 100 * KIB;
pub(crate) const FLOWING: usize = 3 * MIB;
pub(crate) const LARGE: usize = 64 * MIB + 7;

/// A table in a bucket, and the bucket where its replica will be.
pub(crate) struct Bench {
    pub(crate) source: StubStore,
    pub(crate) target: StubStore,
    folder: tempfile::TempDir,
    objects: BTreeMap<String, Bytes>,
}

/// How a run of the binary ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: i32,
    /// The object on standard output.
    pub(crate) object: Value,
    /// What it wrote to standard error.
    pub(crate) log: String,
    pub(crate) took: Duration,
}

impl Bench {
    /// A table of these objects.
    pub(crate) fn new(objects: &[(&str, usize)]) -> Self {
        Self::with(objects, Manners::default(), Manners::default())
    }

    /// A table of one object, `a.parquet`.
    pub(crate) fn of(size: usize) -> Self {
        Self::new(&[("a.parquet", size)])
    }

    pub(crate) fn with(objects: &[(&str, usize)], source: Manners, target: Manners) -> Self {
        // No write of an object of the table may overwrite another.
        let is_data = |key: &str| !key.contains("/_deepclone/") && !key.contains("/_delta_log/");
        let target = Manners { demands_conditions: Some(is_data), ..target };
        let (source, target) = (StubStore::with("lake", source), StubStore::with("copy", target));
        let objects: BTreeMap<_, _> =
            objects.iter().map(|(key, size)| ((*key).to_owned(), bytes_of(*size))).collect();
        for (key, bytes) in &objects {
            source.put(&format!("t/{key}"), bytes.clone());
        }
        source.put("t/_delta_log/00000000000000000000.json", log_of(&objects));
        let folder = tempfile::tempdir().expect("a folder");
        Self { source, target, folder, objects }
    }

    /// The bytes of an object at the source.
    pub(crate) fn bytes(&self, key: &str) -> &Bytes {
        &self.objects[key]
    }

    /// Lies to the readers of the source.
    pub(crate) fn source_lies(self, rules: impl IntoIterator<Item = Rule>) -> Self {
        rules.into_iter().for_each(|rule| self.source.add(rule));
        self
    }

    /// Lies to the writers of the target.
    pub(crate) fn target_lies(self, rules: impl IntoIterator<Item = Rule>) -> Self {
        rules.into_iter().for_each(|rule| self.target.add(rule));
        self
    }

    pub(crate) fn clone_table(&self) -> Ended {
        self.clone_with(&[])
    }

    /// Runs `deepclone clone` with these settings more.
    pub(crate) fn clone_with(&self, settings: &[(&str, &str)]) -> Ended {
        let mut command = self.command();
        command.envs(settings.iter().copied());
        ended(&mut command)
    }

    /// Runs `deepclone clone` with these flags more.
    pub(crate) fn clone_by(&self, flags: &[&str]) -> Ended {
        ended(self.command().args(flags))
    }

    /// `deepclone clone` from the source to the target.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.command_from("s3://lake/t");
        sign(&mut command, "SOURCE", &self.source);
        command
    }

    /// The same from the source by this URI, without settings for it.
    pub(crate) fn command_from(&self, uri: &str) -> Command {
        let mut command = deepclone();
        command.args(["clone", uri, "s3://copy/r", "--output", "json"]);
        command.current_dir(self.folder.path()).env("XDG_STATE_HOME", self.folder.path());
        sign(&mut command, "TARGET", &self.target);
        command
    }

    /// Checks that the table is copied, byte by byte, and that nothing else is left.
    #[track_caller]
    pub(crate) fn is_copied(&self, ended: &Ended, case: &str) {
        assert_eq!(ended.exit, 0, "{case}: {}", ended.object);
        for (key, bytes) in &self.objects {
            let found = self.target.get(&format!("r/{key}"));
            let found = found.unwrap_or_else(|| panic!("{case}: {key} is not at the target"));
            assert!(found == *bytes, "{case}: other bytes under {key}");
        }
        assert_eq!(self.data(), self.objects.keys().cloned().collect::<Vec<_>>(), "{case}");
        assert_eq!(self.target.uploads(), [""; 0], "{case}: an upload is left");
        assert!(self.target.get("r/_delta_log/00000000000000000000.json").is_some(), "{case}");
    }

    /// Checks that the copy is refused, that the message has these parts, and that nothing is left.
    #[track_caller]
    pub(crate) fn is_refused(&self, ended: &Ended, parts: &[&str], case: &str) {
        let message = ended.message();
        assert_ne!(ended.exit, 0, "{case}: {}", ended.object);
        for part in parts {
            assert!(message.contains(part), "{case}: no {part:?} in {message:?}");
        }
        assert_eq!(self.target.uploads(), [""; 0], "{case}: an upload is left");
        let published = self.target.get("r/_delta_log/00000000000000000000.json");
        assert!(published.is_none(), "{case}: the table is published");
    }

    /// The keys of the table's objects at the target.
    pub(crate) fn data(&self) -> Vec<String> {
        let keys = self.target.keys();
        let below = keys.iter().filter_map(|key| key.strip_prefix("r/"));
        let ours = |key: &&str| !key.starts_with("_delta_log/") && !key.starts_with("_deepclone/");
        below.filter(ours).map(str::to_owned).collect()
    }
}

impl Ended {
    pub(crate) fn message(&self) -> &str {
        self.object["error"]["message"].as_str().unwrap_or_default()
    }
}

/// Adds the settings of a store with an access key.
fn sign(command: &mut Command, side: &str, store: &StubStore) {
    for (name, value) in [
        ("ENDPOINT_URL", store.endpoint().as_str()),
        ("ALLOW_HTTP", "true"),
        ("REGION", "us-east-1"),
        ("ACCESS_KEY_ID", "k"),
        ("SECRET_ACCESS_KEY", "s"),
    ] {
        command.env(format!("{side}_AWS_{name}"), value);
    }
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let begun = std::time::Instant::now();
    let (exit, output, log) = run(command);
    let object = serde_json::from_str(&output)
        .unwrap_or_else(|_| panic!("not one object: {output:?}\n{log}"));
    Ended { exit, object, log, took: begun.elapsed() }
}

/// Bytes that differ from part to part.
pub(crate) fn bytes_of(size: usize) -> Bytes {
    const PERIOD: usize = 65_521;
    let block: Vec<u8> =
        (0..PERIOD).map(|index| (index * 31 + index / 251).to_le_bytes()[0]).collect();
    let mut bytes = Vec::with_capacity(size + PERIOD);
    while bytes.len() < size {
        bytes.extend_from_slice(&block);
    }
    bytes.truncate(size);
    bytes.into()
}

/// One commit that adds these objects.
pub(crate) fn log_of(objects: &BTreeMap<String, Bytes>) -> String {
    let schema = json!({"type": "struct", "fields": [
        {"name": "id", "type": "long", "nullable": true, "metadata": {}},
    ]});
    let mut lines = vec![
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema.to_string(), "partitionColumns": [],
            "configuration": {}, "createdTime": 1_714_521_600_000_i64,
        }}),
    ];
    lines.extend(objects.iter().map(|(key, bytes)| {
        json!({"add": {
            "path": key.replace('%', "%25"), "partitionValues": {}, "size": bytes.len(),
            "modificationTime": 1_714_521_600_000_i64, "dataChange": true,
            "stats": "{\"numRecords\":1}",
        }})
    }));
    lines.iter().map(|line| format!("{line}\n")).collect()
}
