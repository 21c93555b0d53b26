//! What must hold before the newer commits alone are believed: the synced commit is the source's,
//! and the source counts the same files in its checkpoints and checksums.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;
use serde::Deserialize;

use crate::actions::Add;
use crate::change_set::ChangeSet;
use crate::changes::build::{Extent, Tables};
use crate::error::DeltaError;
use crate::file_key::FileKey;
use crate::hash::hex;
use crate::io;
use crate::log::{self, CheckpointFiles};
use crate::paths;
use crate::replica::SyncRecord;
use crate::replica::synced::Synced;
use crate::snapshot::{CommitDigest, LiveAt, LiveIn};

/// The most bytes of a synced commit that is read again. A larger one is known by its file's tag,
/// size and time.
const COMMIT_BYTES_MAX: u64 = 1 << 20;

/// Returns whether the source's commit of the last sync still has its content.
pub(super) async fn is_synced_commit(
    tables: Tables<'_>,
    synced: &Synced,
) -> Result<bool, DeltaError> {
    if synced.source_commit.size > COMMIT_BYTES_MAX {
        return Ok(true);
    }
    let body = &synced.record.body;
    let found = CommitDigest::read(tables.source, body.source_version).await?;
    let hash = found.map(|found| hex(&found.sha256));
    Ok(hash.is_some() && hash == body.source_commit_sha256)
}

/// Returns whether the source's checkpoint holds as many files as are live by its commits.
/// One whose files cannot be counted without reading them counts as different.
pub(super) async fn is_counted_alike(
    source: &TableStore,
    extent: &Extent,
    (live, live_at): (&BTreeMap<FileKey, Add>, &LiveAt),
    checkpoint: Option<&CheckpointFiles>,
) -> Result<bool, DeltaError> {
    let Some(checkpoint) = checkpoint else { return Ok(true) };
    let Extent::Changed { before, .. } = extent else { return Ok(false) };
    let counted = match log::checkpoint_part::count_files(source, checkpoint).await {
        Err(DeltaError::Damaged { .. }) => None,
        settled => settled?,
    };
    let Some((more, less)) = difference(&source.uri, live, live_at) else { return Ok(false) };
    Ok(counted.is_some() && counted == (before.source_num_of_files + more).checked_sub(less))
}

/// Returns whether the replica's checkpoint has what the last sync left: it is older than that sync
/// or ours, for those of other engines may leave fields out, and it has as many files as the syncs
/// counted.
pub(super) fn is_checkpoint_of(live: &LiveIn, last: &SyncRecord) -> bool {
    let Some(checkpoint) = live.checkpoint else { return true };
    if checkpoint.version >= last.version && !checkpoint.is_ours {
        return false;
    }
    let next = live.infos.iter().find_map(|(at, info)| SyncRecord::parse(*at, info.get()));
    let files = match next {
        Some(next) => next.metrics.and_then(|metrics| {
            let after = metrics.source_num_of_files.checked_add(metrics.num_removed_files);
            after?.checked_sub(metrics.num_copied_files)
        }),
        None => last.metrics.map(|metrics| metrics.source_num_of_files),
    };
    files.is_some() && checkpoint.files == files
}

/// Counts the files that joined and left `live`, as far as they are named.
fn difference(
    source_uri: &str,
    live: &BTreeMap<FileKey, Add>,
    named: &LiveAt,
) -> Option<(u64, u64)> {
    let (mut more, mut less) = (0, 0);
    for (key, is_live) in named {
        let path = paths::decode(source_uri, &key.path).ok()?.key;
        match (live.contains_key(&FileKey { path, dv: key.dv.clone() }), is_live) {
            (false, true) => more += 1,
            (true, false) => less += 1,
            _ => {}
        }
    }
    Some((more, less))
}

/// Returns whether the figures are those of the version's `.crc`, where the source has one.
///
/// <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#version-checksum-file>
pub(super) async fn has_figures_of_checksum(
    source: &TableStore,
    change_set: &ChangeSet,
) -> Result<bool, DeltaError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Checksum {
        table_size_bytes: u64,
        num_files: u64,
    }
    let name = log::log_path(&format!("{:020}.crc", change_set.source_version));
    let Some(found) = io::get_hint(source, &name).await? else { return Ok(true) };
    let Ok(checksum) = serde_json::from_slice::<Checksum>(&found.bytes) else { return Ok(true) };
    let metrics = &change_set.metrics;
    Ok(checksum.table_size_bytes == metrics.source_table_size
        && checksum.num_files == metrics.source_num_of_files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;
    use crate::log::NamedCheckpoint;

    /// The `commitInfo` of a sync, with its figures if it has them.
    fn info(figures: Option<[u64; 3]>) -> String {
        let metrics = figures.map(|[files, removed, copied]| {
            json!({"sourceTableSize": "1", "sourceNumOfFiles": files.to_string(),
                "numRemovedFiles": removed.to_string(), "numCopiedFiles": copied.to_string(),
                "removedFilesSize": "1", "copiedFilesSize": "1"})
        });
        json!({"operationMetrics": metrics,
            "deepclone": {"syncId": "00000000-0000-0000-0000-000000000001", "mode": "clone",
                "tableId": "i", "checkpointInterval": 10, "lineage": "l", "scope": "s",
                "settings": "e", "sourceId": "a", "sourceVersion": 7, "sourceCommitTime": 4}})
        .to_string()
    }

    #[test]
    fn a_checkpoint_of_the_replica_has_the_files_that_the_syncs_counted() {
        let figures = Some([10, 2, 3]);
        let checkpoint =
            |version, files, is_ours| Some(NamedCheckpoint { version, files, is_ours });
        let other = r#"{"operation":"VACUUM END"}"#.to_owned();
        for (checkpoint, infos, last, expect) in [
            (None, vec![], figures, true),
            // At the last sync or above it: ours alone, with the files that this one counted.
            (checkpoint(5, Some(10), true), vec![], figures, true),
            (checkpoint(5, Some(9), true), vec![], figures, false),
            (checkpoint(5, Some(10), true), vec![], None, false),
            (checkpoint(5, Some(10), false), vec![], figures, false),
            (checkpoint(6, Some(10), false), vec![], figures, false),
            // Below it the next sync tells how many there were.
            (checkpoint(4, Some(9), false), vec![info(figures)], figures, true),
            (checkpoint(4, Some(9), false), vec![other.clone(), info(figures)], figures, true),
            (checkpoint(4, Some(10), false), vec![info(figures)], figures, false),
            (checkpoint(4, Some(10), false), vec![info(None)], figures, false),
            // What is not counted, or by nobody, is not known to be alike.
            (checkpoint(5, None, true), vec![], figures, false),
            (checkpoint(5, None, true), vec![], None, false),
            (checkpoint(4, None, false), vec![info(None)], figures, false),
            (checkpoint(4, None, false), vec![info(Some([1, 2, 4]))], figures, false),
        ] {
            let last = SyncRecord::parse(5, &info(last)).unwrap();
            let infos = infos.into_iter().zip(4..);
            let infos = infos.map(|(text, at)| (at, RawValue::from_string(text).unwrap()));
            let live = LiveIn { files: BTreeMap::new(), checkpoint, infos: infos.collect() };
            assert_eq!(is_checkpoint_of(&live, &last), expect, "{live:?} {:?}", last.metrics);
        }
    }
}
