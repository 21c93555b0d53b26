//! The names of the files in `_delta_log`.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#delta-log-entries>

use uuid::Uuid;

use crate::paths::LOG_FOLDER;

/// The name of the checkpoint hint in the log's folder.
pub const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// The largest version of a table: readers hold it as a signed number of 64 bits, and there must be
/// a next one.
const VERSION_MAX: u64 = i64::MAX as u64 - 1;

/// The kind of a log file, by its name. Other files (`.crc`, compactions, `_last_checkpoint`,
/// sidecars, staged commits, leftovers) have none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LogFile {
    /// The file of a commit: `<version>.json`.
    Commit { version: u64 },
    /// A whole checkpoint in one file, which may name sidecars.
    Checkpoint { version: u64, kind: Single },
    /// One part of a checkpoint: `<version>.checkpoint.<part>.<parts>.parquet`.
    Part { version: u64, part: u32, parts: u32 },
}

/// The forms of a checkpoint in one file, in increasing order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Single {
    /// V2 in JSON: `<version>.checkpoint.<uuid>.json`.
    V2Json,
    /// V2 in Parquet: `<version>.checkpoint.<uuid>.parquet`.
    V2Parquet,
    /// One classic file: `<version>.checkpoint.parquet`.
    Classic,
}

impl LogFile {
    /// Parses `name`, relative to `_delta_log`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (version, rest) = name.split_once('.')?;
        let version = digits(version, 20).filter(|version| *version <= VERSION_MAX)?;
        let pieces: Vec<&str> = rest.split('.').collect();
        match pieces.as_slice() {
            ["json"] => Some(Self::Commit { version }),
            ["checkpoint", "parquet"] => Some(Self::Checkpoint { version, kind: Single::Classic }),
            ["checkpoint", id, "json"] if is_uuid(id) => {
                Some(Self::Checkpoint { version, kind: Single::V2Json })
            }
            ["checkpoint", id, "parquet"] if is_uuid(id) => {
                Some(Self::Checkpoint { version, kind: Single::V2Parquet })
            }
            ["checkpoint", part, parts, "parquet"] => {
                let part = u32::try_from(digits(part, 10)?).ok()?;
                let parts = u32::try_from(digits(parts, 10)?).ok()?;
                (1..=parts).contains(&part).then_some(Self::Part { version, part, parts })
            }
            _ => None,
        }
    }
}

/// Returns the name of the commit `version`.
pub(super) fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

/// Returns the path of the commit `version`, relative to the table's folder.
#[must_use]
pub fn commit_path(version: u64) -> String {
    log_path(&commit_name(version))
}

/// Returns the path of the log file `name`, relative to the table's folder.
#[must_use]
pub fn log_path(name: &str) -> String {
    format!("{LOG_FOLDER}/{name}")
}

fn digits(text: &str, length: usize) -> Option<u64> {
    let well_formed = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| text.parse().ok())?
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_the_protocol_says() {
        let v = "00000000000000000010";
        let id = "80a083e8-7026-4e79-81be-64bd76c43a11";
        let single = |kind| Some(LogFile::Checkpoint { version: 10, kind });
        let cases = [
            (format!("{v}.json"), Some(LogFile::Commit { version: 10 })),
            (format!("{v}.checkpoint.parquet"), single(Single::Classic)),
            (format!("{v}.checkpoint.{id}.parquet"), single(Single::V2Parquet)),
            (format!("{v}.checkpoint.{id}.json"), single(Single::V2Json)),
            (
                format!("{v}.checkpoint.0000000001.0000000003.parquet"),
                Some(LogFile::Part { version: 10, part: 1, parts: 3 }),
            ),
            (format!("{v}.checkpoint.0000000004.0000000003.parquet"), None),
            (format!("{v}.checkpoint.0000000000.0000000003.parquet"), None),
            (format!("{v}.checkpoint.1.3.parquet"), None),
            (format!("{v}.crc"), None),
            (format!("{v}.00000000000000000012.compacted.json"), None),
            (format!("{v}.json.tmp"), None),
            (format!(".{v}.json.crc"), None),
            (format!(".tmp/{v}.json"), None),
            (format!("_staged_commits/{v}.{id}.json"), None),
            (format!("{v}.{id}.json"), None),
            (format!("_sidecars/{id}.parquet"), None),
            (format!("{v}.checkpoint.not-a-uuid.parquet"), None),
            (format!("{v}.checkpoint.not-a-uuid.json"), None),
            (format!("{v}.checkpoint.{}.parquet", "x".repeat(36)), None),
            (format!("{v}.checkpoint.{}.parquet", id.replace('-', "")), None),
            ("_last_checkpoint".to_owned(), None),
            ("10.json".to_owned(), None),
            ("99999999999999999999.json".to_owned(), None),
            ("+0000000000000000010.json".to_owned(), None),
            (
                "09223372036854775806.json".to_owned(),
                Some(LogFile::Commit { version: VERSION_MAX }),
            ),
            ("09223372036854775807.json".to_owned(), None),
            ("18446744073709551615.json".to_owned(), None),
            ("18446744073709551615.checkpoint.parquet".to_owned(), None),
        ];
        for (name, wanted) in cases {
            assert_eq!(LogFile::parse(&name), wanted, "{name}");
        }
    }
}
