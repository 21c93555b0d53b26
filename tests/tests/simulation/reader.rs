//! A reader of a replica's log of its own: the JSON of every commit, replayed. It shares no code
//! with what it judges.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clouds::{Clouds, SOUTH};
use crate::source::FileName;

/// What a version of a replica shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The `add` of each live file.
    pub(crate) live: BTreeMap<FileName, Value>,
    /// Removed files and when they were.
    pub(crate) removed: BTreeMap<FileName, i64>,
    pub(crate) metadata: Value,
    /// What the newest commit says of our sync; `None` when it is not ours.
    pub(crate) record: Option<Value>,
}

/// The key of a commit.
pub(crate) fn commit_key(target: &str, version: u64) -> String {
    format!("{target}/_delta_log/{version:020}.json")
}

/// The target and the version of a commit's key.
pub(crate) fn parse_commit_key(key: &str) -> Option<(&str, u64)> {
    let (target, name) = key.split_once("/_delta_log/")?;
    let digits = name.strip_suffix(".json").filter(|digits| digits.len() == 20)?;
    Some((target, digits.parse().ok()?))
}

/// The newest version. `None`: there is no table.
pub(crate) fn head(clouds: &Clouds, target: &str) -> Option<u64> {
    let folder = format!("{target}/_delta_log/");
    clouds.list(SOUTH, &folder).filter_map(|(key, _)| parse_commit_key(key)).map(|(_, n)| n).max()
}

/// The table at `version`.
pub(crate) fn read(clouds: &Clouds, target: &str, version: u64) -> Result<View, String> {
    let mut view = View::default();
    for number in 0..=version {
        let key = commit_key(target, number);
        let object = clouds.get(SOUTH, &key).ok_or_else(|| format!("{key} is missing"))?;
        let text = std::str::from_utf8(&object.bytes).map_err(|error| format!("{key}: {error}"))?;
        view.record = None;
        for line in text.lines() {
            let action: Value =
                serde_json::from_str(line).map_err(|error| format!("{key}: {error}"))?;
            view.apply(&action);
        }
    }
    Ok(view)
}

fn name(file: &Value) -> FileName {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let vector = file.get("deletionVector").filter(|vector| !vector.is_null());
    let vector = vector.map(|vector| {
        let id = format!("{}{}", text(&vector["storageType"]), text(&vector["pathOrInlineDv"]));
        match vector["offset"].as_u64() {
            Some(offset) => format!("{id}@{offset}"),
            None => id,
        }
    });
    (text(&file["path"]), vector)
}

/// The mark in the key of an object that a repair brought back beside a damaged one, with what
/// follows on it: a number, and eight hexadecimal digits.
const MARK: &str = "repaired-";

/// The name that a file has at the source: a repair may have given its objects others.
pub(crate) fn at_source((path, vector): &FileName) -> FileName {
    let path = match path.split_once(&format!(".{MARK}")) {
        Some((stem, rest)) => {
            let extension = rest.split_once('.').map_or("", |(_, extension)| extension);
            format!("{stem}.{extension}")
        }
        None => path.clone(),
    };
    let vector = vector.as_ref().map(|id| match vector_parts(id) {
        Some((folder, rest)) if folder.starts_with(MARK) => format!("u{rest}"),
        _ => id.clone(),
    });
    (path, vector)
}

/// The keys of the objects that a file needs.
pub(crate) fn objects(target: &str, name: &FileName) -> Vec<String> {
    let data = format!("{target}/{}", name.0);
    let vector = name.1.as_deref().and_then(vector_file);
    std::iter::once(data).chain(vector.map(|file| format!("{target}/{file}"))).collect()
}

/// The object of a deletion vector's id.
fn vector_file(id: &str) -> Option<String> {
    let (folder, rest) = vector_parts(id)?;
    let slash = if folder.is_empty() { "" } else { "/" };
    Some(format!("{folder}{slash}{}", vector_name(rest)?))
}

fn vector_name(rest: &str) -> Option<String> {
    const ALPHABET: &str =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let (text, _) = rest.rsplit_once('@')?;
    let digits: Option<Vec<u128>> = text.chars().map(|c| Some(ALPHABET.find(c)? as u128)).collect();
    let words = digits?;
    let word = |five: &[u128]| five.iter().fold(0, |word, digit| word * 85 + digit);
    let id = words.chunks(5).fold(0_u128, |id, five| id << 32 | word(five));
    Some(format!("deletion_vector_{}.bin", uuid::Uuid::from_u128(id)))
}

/// The folder of a vector's object by its id, and the rest of the id.
fn vector_parts(id: &str) -> Option<(&str, &str)> {
    let text = id.strip_prefix('u')?;
    let (named, _) = text.rsplit_once('@')?;
    Some(text.split_at(named.len().checked_sub(20)?))
}

impl View {
    fn apply(&mut self, action: &Value) {
        if let Some(add) = action.get("add") {
            self.removed.remove(&name(add));
            self.live.insert(name(add), add.clone());
        } else if let Some(remove) = action.get("remove") {
            self.live.remove(&name(remove));
            let when = remove["deletionTimestamp"].as_i64().unwrap_or_default();
            self.removed.insert(name(remove), when);
        } else if let Some(metadata) = action.get("metaData") {
            self.metadata = metadata.clone();
        } else if let Some(record) = action.get("commitInfo").and_then(|info| info.get("deepclone"))
        {
            self.record = Some(record.clone());
        }
    }

    /// The live files by their names at the source. One that two files stand for is an error.
    pub(crate) fn live_at_source(&self) -> Result<BTreeMap<FileName, (&FileName, &Value)>, String> {
        let mut found = BTreeMap::new();
        for (name, add) in &self.live {
            if let Some((other, _)) = found.insert(at_source(name), (name, add)) {
                return Err(format!("{name:?} and {other:?} are one file of the source"));
            }
        }
        Ok(found)
    }

    /// How long the table keeps what it does not need.
    pub(crate) fn retention_ms(&self) -> i64 {
        let text = self.metadata["configuration"]["delta.deletedFileRetentionDuration"].as_str();
        let seconds = text.and_then(|text| {
            text.strip_prefix("interval ")?.strip_suffix(" seconds")?.parse::<i64>().ok()
        });
        seconds.unwrap_or(7 * 24 * 3_600) * 1_000
    }
}
