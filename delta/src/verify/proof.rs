//! The proof of use: an independent reader opens the replica, and its count of records and the rows
//! of a sample are what the log says.
//!
//! delta-rs reads the log and counts; a reader of Parquet reads the rows. What delta-rs cannot open
//! is not provable by it, which says nothing about the replica.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::store::table::TableStore;
use serde::Deserialize;
use serde_json::Value;

use super::report::{Difference, DifferenceKind, ProofFigures, UseProof};
use super::rows::{self, ColumnRows, FileRows, RowsError};
use super::sample::Sample;
use crate::actions::Add;
use crate::error::DeltaError;
use crate::second_opinion::{self, TheirFile};
use crate::snapshot::Snapshot;

/// The share that a proof draws from where nothing else is said; few files are read in any case.
pub const PROOF_MILLIONTHS: u32 = 50_000;
/// Data files whose rows are read at the most.
const FILES_MAX: usize = 16;
/// Bytes of data files after which no further one is read.
const BYTES_MAX: u64 = 256 << 20;
/// Columns that are read of each file at the most.
const COLUMNS_MAX: usize = 4;

/// What the log says of the rows of a data file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    num_records: Option<u64>,
    null_count: BTreeMap<String, Value>,
    min_values: BTreeMap<String, Value>,
    max_values: BTreeMap<String, Value>,
}

/// Proves `replica` by an independent reader, with the rows of data files that `sample` draws.
///
/// # Errors
/// The target does not answer.
pub(super) async fn prove(
    target: &TableStore,
    replica: &Snapshot,
    sample: Sample,
    found: &mut Vec<Difference>,
) -> Result<UseProof, DeltaError> {
    let theirs = match second_opinion::live_files(target, replica.version).await {
        Ok(theirs) => theirs,
        Err(reason) => return Ok(UseProof::NotProvable { reason }),
    };
    let before = found.len();
    let mut figures =
        ProofFigures { records: count(target, replica, &theirs, found), ..Default::default() };
    for (path, size) in drawn(&theirs, sample) {
        let stats = stats_of(replica, path);
        let columns: BTreeSet<&str> = stats.columns().collect();
        let read = match rows::read(target, (path, size), &columns).await {
            Ok(read) => read,
            Err(RowsError::Store(error)) => return Err(error),
            Err(RowsError::NotKnown(reason)) => return Ok(UseProof::NotProvable { reason }),
            Err(RowsError::Damaged(problem)) => {
                found.push(refuted(path, format!("its rows cannot be read: {problem}")));
                continue;
            }
        };
        figures.files_read += 1;
        figures.rows_read += read.rows;
        figures.columns_read += read.columns.len() as u64;
        figures.bytes_read += read.bytes_read;
        found.extend(stats.compare(&read).into_iter().map(|what| refuted(path, what)));
    }
    let is_right = found.len() == before;
    Ok(if is_right { UseProof::Proven(figures) } else { UseProof::Refuted(figures) })
}

/// Compares the count of records of the whole table. Returns it where both say it.
fn count(
    target: &TableStore,
    replica: &Snapshot,
    theirs: &BTreeSet<TheirFile>,
    found: &mut Vec<Difference>,
) -> Option<u64> {
    let ours = replica.files.values().map(|add| {
        let hidden = add.deletion_vector.as_ref().map_or(0, |vector| vector.cardinality);
        stats(add).num_records.map(|records| records.saturating_sub(hidden.unsigned_abs()))
    });
    let ours: Option<u64> = ours.sum();
    let theirs = theirs.iter().map(|file| Some(file.records?.saturating_sub(file.hidden)));
    let theirs: Option<u64> = theirs.sum();
    if let (Some(ours), Some(theirs)) = (ours, theirs)
        && ours != theirs
    {
        let what = format!("delta-rs counts {theirs} records, the log says {ours}");
        found.push(refuted(&target.uri, what));
    }
    ours.filter(|_| theirs.is_some())
}

/// Draws data files, with their sizes.
fn drawn(theirs: &BTreeSet<TheirFile>, sample: Sample) -> Vec<(&str, u64)> {
    let sizes: BTreeMap<&str, u64> =
        theirs.iter().map(|file| (file.path.as_str(), file.size)).collect();
    let (mut drawn, mut bytes) = (Vec::new(), 0);
    for path in sample.order(sizes.keys().copied()) {
        if drawn.len() == FILES_MAX || bytes >= BYTES_MAX {
            break;
        }
        let size = sizes.get(path).copied().unwrap_or(0);
        bytes += size;
        drawn.push((path, size));
    }
    drawn
}

fn stats_of(replica: &Snapshot, path: &str) -> Stats {
    let add = replica.files.iter().find(|(key, _)| key.path == path);
    add.map(|(_, add)| stats_of_all_rows(add)).unwrap_or_default()
}

/// What the log says of all rows of a data file, also of those that a deletion vector hides: only
/// their number, where there is one, for nulls and bounds may be those of the rows that are left.
fn stats_of_all_rows(add: &Add) -> Stats {
    let stats = stats(add);
    match add.deletion_vector {
        Some(_) => Stats { num_records: stats.num_records, ..Stats::default() },
        None => stats,
    }
}

/// Statistics that cannot be read say nothing.
fn stats(add: &Add) -> Stats {
    let stats = add.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok());
    stats.unwrap_or_default()
}

impl Stats {
    /// The columns that it says something of.
    fn columns(&self) -> impl Iterator<Item = &str> {
        let plain = self.null_count.iter().filter(|(_, nulls)| nulls.is_u64());
        plain.map(|(name, _)| name.as_str()).take(COLUMNS_MAX)
    }

    /// Returns what the rows contradict. Bounds may be wider than the rows.
    fn compare(&self, read: &FileRows) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(records) = self.num_records.filter(|records| *records != read.rows) {
            wrong.push(format!("{} rows, the log says {records}", read.rows));
        }
        for (name, column) in &read.columns {
            let nulls = self.null_count.get(name).and_then(Value::as_u64);
            if let Some(nulls) = nulls.filter(|nulls| *nulls != column.nulls) {
                wrong.push(format!("{} nulls in {name}, the log says {nulls}", column.nulls));
            }
            wrong.extend(self.compare_bounds(name, column));
        }
        wrong
    }

    fn compare_bounds(&self, name: &str, column: &ColumnRows) -> Option<String> {
        let (least, most) = column.bounds?;
        let (min, max) =
            (self.min_values.get(name)?.as_i64()?, self.max_values.get(name)?.as_i64()?);
        let holds = min <= least && most <= max;
        (!holds).then(|| format!("{name} from {least} to {most}, the log says {min} to {max}"))
    }
}

fn refuted(subject: &str, detail: String) -> Difference {
    Difference { kind: DifferenceKind::ProofOfUse, subject: subject.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::LogAction;

    #[test]
    fn nulls_and_bounds_of_rows_that_are_left_are_not_those_of_the_file() {
        let stats = r#"{"numRecords":3,"nullCount":{"id":0},"minValues":{"id":1},
                        "maxValues":{"id":2}}"#;
        let add = |vector: Value| {
            let add = json!({"add": {"path": "a", "partitionValues": {}, "size": 1,
                "modificationTime": 1, "dataChange": true, "stats": stats,
                "deletionVector": vector}});
            match LogAction::from_json(&add.to_string()).unwrap() {
                LogAction::Add(add) => add,
                other => panic!("{other:?}"),
            }
        };
        let vector = json!({"storageType": "i", "pathOrInlineDv": "x", "sizeInBytes": 1,
            "cardinality": 1});
        let columns = [("id".to_owned(), ColumnRows { nulls: 1, bounds: Some((1, 9)) })].into();
        let read = FileRows { rows: 3, columns, bytes_read: 0 };
        for (vector, wrong) in [(Value::Null, 2), (vector, 0)] {
            assert_eq!(stats_of_all_rows(&add(vector)).compare(&read).len(), wrong);
        }
    }

    #[test]
    fn rows_contradict_counts_nulls_and_bounds() {
        let stats = r#"{"numRecords":3,"nullCount":{"id":1,"s":{"a":0}},"minValues":{"id":1},
                        "maxValues":{"id":9}}"#;
        let stats: Stats = serde_json::from_str(stats).unwrap();
        assert_eq!(stats.columns().collect::<Vec<_>>(), ["id"]);
        let read = |rows, nulls, bounds| FileRows {
            rows,
            columns: [("id".to_owned(), ColumnRows { nulls, bounds })].into(),
            bytes_read: 0,
        };
        for (read, wrong) in [
            (read(3, 1, Some((1, 9))), vec![]),
            (read(3, 1, Some((2, 8))), vec![]),
            (read(3, 1, None), vec![]),
            (read(4, 1, None), vec!["4 rows, the log says 3"]),
            (read(3, 0, None), vec!["0 nulls in id, the log says 1"]),
            (read(3, 1, Some((0, 9))), vec!["id from 0 to 9, the log says 1 to 9"]),
            (read(3, 1, Some((1, 10))), vec!["id from 1 to 10, the log says 1 to 9"]),
        ] {
            assert_eq!(stats.compare(&read), wrong, "{read:?}");
        }
        // What the log does not say is not compared.
        assert_eq!(Stats::default().compare(&read(7, 2, Some((1, 2)))), Vec::<String>::new());
    }
}
