//! The set difference of two live maps: one action for each key, and never a `remove` of a key
//! outside R.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::equality::same_fields;
use super::sync_plan::SourceFigures;
use crate::actions::Add;
use crate::file_key::FileKey;
use crate::replica::CloneMetrics;

/// The files that join, leave and change.
#[derive(Debug, Default)]
pub(super) struct FileDifference {
    /// S∖R: the files that join.
    pub(super) joins: Vec<Add>,
    /// R∖S: the files that leave, with the replica's fields.
    pub(super) leaves: Vec<Add>,
    /// Files in both whose other fields differ: the source's fields under the replica's spelling of
    /// the path.
    pub(super) re_adds: Vec<Add>,
    /// True when a file in both has two spellings.
    pub(super) is_respelled: bool,
}

/// Computes the difference from `replica` (R) to `source` (S), in the order of the keys. A path is
/// live once in each of them, with one deletion vector: reading refuses others.
///
/// # Errors
/// TARGET_CONFLICT when a path has another size than at the replica: a Delta file is never
/// overwritten.
pub(super) fn difference(
    replica: &BTreeMap<FileKey, Add>,
    source: BTreeMap<FileKey, Add>,
) -> Result<FileDifference, Failure> {
    let sizes: BTreeMap<&str, u64> =
        replica.iter().map(|(key, add)| (key.path.as_str(), add.size)).collect();
    let leaves = replica.iter().filter(|(key, _)| !source.contains_key(key));
    let leaves = leaves.map(|(_, add)| add.clone()).collect();
    let mut difference = FileDifference { leaves, ..FileDifference::default() };
    for (key, add) in source {
        if let Some(size) = sizes.get(key.path.as_str())
            && *size != add.size
        {
            return Err(other_size(&key.path, *size, add.size));
        }
        let known = replica.get(&key);
        difference.is_respelled |= known.is_some_and(|known| known.path != add.path);
        match known {
            None => difference.joins.push(add),
            Some(known) if same_fields(known, &add) => {}
            Some(known) => difference.re_adds.push(re_add(known, add)),
        }
    }
    Ok(difference)
}

/// Counts the whole state of the source.
pub(super) fn figures(source: &BTreeMap<FileKey, Add>) -> SourceFigures {
    SourceFigures {
        source_table_size: bytes(source.values()),
        source_num_of_files: source.len() as u64,
    }
}

/// Counts the six figures, given those of the source's whole state.
pub(super) fn metrics(figures: SourceFigures, difference: &FileDifference) -> CloneMetrics {
    CloneMetrics {
        source_table_size: figures.source_table_size,
        source_num_of_files: figures.source_num_of_files,
        ..changed(difference)
    }
}

/// Counts the six figures, given the source's at the last sync.
pub(super) fn metrics_after(before: SourceFigures, difference: &FileDifference) -> CloneMetrics {
    let changed = changed(difference);
    let after =
        |before: u64, more: u64, less: u64| before.saturating_add(more).saturating_sub(less);
    CloneMetrics {
        source_table_size: after(
            before.source_table_size,
            changed.copied_files_size,
            changed.removed_files_size,
        ),
        source_num_of_files: after(
            before.source_num_of_files,
            changed.num_copied_files,
            changed.num_removed_files,
        ),
        ..changed
    }
}

/// Counts the figures of the change.
fn changed(difference: &FileDifference) -> CloneMetrics {
    CloneMetrics {
        num_removed_files: difference.leaves.len() as u64,
        num_copied_files: difference.joins.len() as u64,
        removed_files_size: bytes(&difference.leaves),
        copied_files_size: bytes(&difference.joins),
        ..CloneMetrics::default()
    }
}

fn bytes<'a>(adds: impl IntoIterator<Item = &'a Add>) -> u64 {
    adds.into_iter().fold(0, |bytes, add| bytes.saturating_add(add.size))
}

/// Adds a file again under the replica's spelling of its path: in another spelling, readers would
/// see a second file.
fn re_add(known: &Add, source: Add) -> Add {
    let stats = source.stats.or_else(|| known.stats.clone());
    Add { path: known.path.clone(), stats, data_change: false, ..source }
}

fn other_size(path: &str, replica: u64, source: u64) -> Failure {
    Failure::new(
        Reason::TargetConflict,
        format!(
            "{path} is {replica} bytes long at the replica and {source} at the source: a data \
             file was overwritten in place; remove it from the replica or clone into a new folder"
        ),
    )
    .with("key", path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::LogAction;

    fn files(paths: &[&str]) -> BTreeMap<FileKey, Add> {
        let file = |path: &&str| {
            let add = json!({"add": {"path": path, "partitionValues": {}, "size": 1,
                "modificationTime": 1, "dataChange": true}});
            let LogAction::Add(add) = LogAction::from_json(&add.to_string()).unwrap() else {
                unreachable!()
            };
            (FileKey::of_add("s3://b/t", &add).unwrap(), add)
        };
        paths.iter().map(file).collect()
    }

    #[test]
    fn a_file_with_two_spellings_is_told() {
        for (replica, source, expect) in [
            (&["a", "b"][..], &["a", "b"][..], false),
            (&["a"], &["a", "%62"], false),
            (&["a", "b"], &["a", "%62"], true),
            (&["a", "b"], &["%61", "b"], true),
        ] {
            let found = difference(&files(replica), files(source)).unwrap();
            assert_eq!(found.is_respelled, expect, "{replica:?} {source:?}");
            let counts = (found.leaves.len(), found.re_adds.len());
            assert_eq!(counts, (0, 0), "{replica:?} {source:?}");
        }
    }
}
