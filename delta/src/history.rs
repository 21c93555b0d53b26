//! The syncs recorded in a replica's log, newest first.

use deepclone_common::store::table::TableStore;

use crate::error::DeltaError;
use crate::log;
use crate::replica::record_of;
pub use crate::replica::{RecordBody, SyncRecord};

/// Reads every sync that the log still records, newest first.
///
/// # Errors
/// NOT_A_DELTA_TABLE when there is no log; a damaged log; a storage error.
pub async fn history(table: &TableStore) -> Result<Vec<SyncRecord>, DeltaError> {
    let Some(head) = log::head(table).await? else {
        return Err(DeltaError::NotATable { uri: table.uri.clone() });
    };
    let mut records = Vec::new();
    for version in (0..=head).rev() {
        // Below the first commit that was cleaned up there is no other.
        let Some(commit) = log::read_commit(table, version).await? else { break };
        records.extend(record_of(&commit));
    }
    Ok(records)
}
