//! The syncs recorded in a replica's log, newest first.

use deepclone_common::store::table::TableStore;

use crate::error::DeltaError;
use crate::log;
use crate::replica::record_of;
pub use crate::replica::{RecordBody, SyncRecord};

/// Syncs of some commits that lie beside each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// Those that the commits record, the newest first.
    pub syncs: Vec<SyncRecord>,
    /// The version below which the next page begins; `None` when the log records no more.
    pub next: Option<u64>,
}

/// Reads every sync that the log still records, newest first.
///
/// # Errors
/// NOT_A_DELTA_TABLE when there is no log; a damaged log; a storage error.
pub async fn history(table: &TableStore) -> Result<Vec<SyncRecord>, DeltaError> {
    Ok(history_page(table, None, u64::MAX).await?.syncs)
}

/// Reads the syncs of the newest commits below the version `below`, or of the log's newest: of
/// `commits_max` commits at the most.
///
/// # Errors
/// As [`history`].
pub async fn history_page(
    table: &TableStore,
    below: Option<u64>,
    commits_max: u64,
) -> Result<HistoryPage, DeltaError> {
    let end = match below {
        Some(below) => below,
        None => match log::head(table).await? {
            Some(head) => head.saturating_add(1),
            None => return Err(DeltaError::NotATable { uri: table.uri.clone() }),
        },
    };
    let first = end.saturating_sub(commits_max);
    let mut syncs = Vec::new();
    for version in (first..end).rev() {
        // Below the first commit that was cleaned up there is no other.
        let Some(commit) = log::read_commit(table, version).await? else {
            return Ok(HistoryPage { syncs, next: None });
        };
        syncs.extend(record_of(&commit));
    }
    Ok(HistoryPage { syncs, next: (first > 0).then_some(first) })
}
