//! A source table, and what each version of all tables holds.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::vector::Vector;
use crate::clouds::{By, Clouds, NORTH};
use crate::random::Random;

/// A logical file: its path and its deletion vector's id.
pub(crate) type FileName = (String, Option<String>);

/// A live file as the log has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Live {
    pub(crate) size: u64,
    pub(crate) modified_ms: i64,
    /// The object's generation when the log said this.
    pub(crate) generation: u64,
    pub(crate) vector: Option<Vector>,
}

/// The live files of one version.
pub(crate) type Version = BTreeMap<FileName, Live>;

/// The source tables as they are now, and what they were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) tables: Vec<Source>,
    pub(crate) ledger: Ledger,
}

/// What all tables ever held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Every version that ever was, by table id and number.
    pub(crate) versions: BTreeMap<(String, u64), Version>,
    /// How often each data object was written.
    pub(crate) generations: BTreeMap<String, u64>,
    /// The files of deletion vectors: never written twice.
    pub(crate) vector_files: BTreeMap<String, Bytes>,
}

/// What a writer of a source works with.
pub(crate) struct Place<'a> {
    pub(crate) clouds: &'a mut Clouds,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) random: &'a mut Random,
}

/// A source table, as its writers know it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) style: Style,
    /// How often the table was created.
    pub(super) lives: u64,
    pub(super) next: u64,
    pub(super) live: Version,
    /// Objects that no version needs any more, and since when.
    pub(super) removed: Vec<(String, i64)>,
    /// Files without deletion vectors that left, as they were.
    pub(super) left: Vec<(FileName, Live)>,
}

/// What kind of table it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) has_vectors: bool,
    /// Its commits do not tell when they were made.
    pub(crate) is_quiet: bool,
    /// Names that are used again once they are free.
    pub(crate) reuses_names: bool,
    /// Files are replaced in place.
    pub(crate) replaces_in_place: bool,
    /// Files that left come back as they were.
    pub(crate) restores: bool,
    /// How many names its files choose from.
    pub(crate) names: u64,
    /// The first file is as large as this, if it is.
    pub(crate) large_bytes: Option<u64>,
    pub(crate) retention_seconds: u64,
    pub(crate) checkpoint_interval: u64,
}

impl Ledger {
    /// The bytes of an object's generation.
    pub(crate) fn content(key: &str, generation: u64, size: u64) -> Bytes {
        let stamp = format!("{key}#{generation};");
        let mut bytes = stamp.repeat(size as usize / stamp.len() + 1).into_bytes();
        bytes.truncate(size as usize);
        bytes.into()
    }

    /// Which generation of a source's object these bytes are, of those from `least` on.
    pub(crate) fn generation_of(&self, key: &str, least: u64, bytes: &Bytes) -> Option<u64> {
        let newest = self.generations.get(key).copied()?;
        (least..=newest)
            .rev()
            .find(|generation| *bytes == Self::content(key, *generation, bytes.len() as u64))
    }
}

/// The length of the n-th file, in every table.
pub(super) fn size(style: Style, number: u64) -> u64 {
    match style.large_bytes {
        Some(bytes) if number == 0 => bytes,
        _ => 40 + 24 * (number % 9),
    }
}

impl Source {
    pub(crate) fn new(name: &'static str, style: Style) -> Self {
        let live = Version::new();
        let (removed, left) = (Vec::new(), Vec::new());
        Self { name, style, lives: 0, next: 0, live, removed, left }
    }

    /// The table's id in its present life.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.name, self.lives)
    }

    pub(crate) fn uri(&self) -> String {
        format!("s3://{NORTH}/{}", self.name)
    }

    /// What the newest version holds.
    pub(crate) fn newest(&self, ledger: &Ledger) -> Version {
        let newest = (self.id(), self.next.saturating_sub(1));
        ledger.versions.get(&newest).cloned().unwrap_or_default()
    }

    pub(super) fn key(&self, path: &str) -> String {
        format!("{}/{path}", self.name)
    }

    pub(super) fn log_key(&self, name: &str) -> String {
        self.key(&format!("_delta_log/{name}"))
    }

    /// Writes the object of a file, over whatever is there; gives its generation.
    pub(super) fn write(&self, place: &mut Place<'_>, path: &str, size: u64) -> u64 {
        let key = self.key(path);
        let generation = place.ledger.generations.entry(key.clone()).or_default();
        *generation += 1;
        let generation = *generation;
        let bytes = Ledger::content(&key, generation, size);
        place.clouds.put(NORTH, &key, bytes, By::Others);
        generation
    }

    /// Writes the next commit and remembers what its version holds.
    pub(super) fn commit(&mut self, place: &mut Place<'_>, actions: &[Value]) {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        let version = self.next;
        let key = self.log_key(&format!("{version:020}.json"));
        place.clouds.put(NORTH, &key, lines.join("\n").into(), By::Others);
        self.next += 1;
        let held = self.live.clone();
        place.ledger.versions.insert((self.id(), version), held);
    }

    pub(super) fn header(&self) -> [Value; 2] {
        let protocol = match self.style.has_vectors {
            false => json!({"minReaderVersion": 1, "minWriterVersion": 2}),
            true => json!({"minReaderVersion": 3, "minWriterVersion": 7,
                "readerFeatures": ["deletionVectors", "v2Checkpoint"],
                "writerFeatures": ["deletionVectors", "v2Checkpoint"]}),
        };
        let Style { retention_seconds, checkpoint_interval, .. } = self.style;
        let retention = format!("interval {retention_seconds} seconds");
        let schema = json!({"type": "struct", "fields": [
            {"name": "id", "type": "long", "nullable": true, "metadata": {}}]});
        let metadata = json!({"id": self.id(), "format": {"provider": "parquet", "options": {}},
            "schemaString": schema.to_string(), "partitionColumns": [], "createdTime": 1,
            "configuration": {
                "delta.deletedFileRetentionDuration": retention,
                "delta.checkpointInterval": checkpoint_interval.to_string()}});
        [json!({"protocol": protocol}), json!({"metaData": metadata})]
    }

    /// Removes objects that have left the table for so long.
    pub(crate) fn vacuum(&mut self, clouds: &mut Clouds, kept_ms: i64) {
        let before_ms = clouds.now_ms - kept_ms;
        let needed: Vec<String> = self.needed();
        let (gone, kept) = self.removed.drain(..).partition(|(_, since)| *since <= before_ms);
        self.removed = kept;
        let gone: Vec<(String, i64)> = gone;
        for (path, _) in gone.into_iter().filter(|(path, _)| !needed.contains(path)) {
            clouds.remove(NORTH, &self.key(&path), By::Others);
        }
    }

    /// The objects of the live files.
    fn needed(&self) -> Vec<String> {
        let data = self.live.keys().map(|(path, _)| path.clone());
        let vectors = self.live.values().filter_map(|live| Some(live.vector.as_ref()?.object()));
        data.chain(vectors).collect()
    }
}
