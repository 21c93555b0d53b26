//! What a target says about the replica in it, with a few requests: whether there is one, of which
//! source, and which replication it belongs to.

use deepclone_common::store::table::TableStore;
use deepclone_core::ownership::ReplicaOwner;

use crate::error::DeltaError;
use crate::log;
use crate::replica::{hint, record_of};

/// Commits that are read one by one from the head down, for one of ours.
const COMMITS_MAX: u64 = 16;

/// What the newest sync of a replica recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStamp {
    /// The replication that it belongs to; `None` when no replication ever synced it.
    pub owner: Option<ReplicaOwner>,
    /// The source's URI, without credentials.
    pub source_uri: String,
}

/// Reads the stamp of the replica at `target`; `None` when there is no table, or one that records
/// no sync near its head. A plan judges that one.
///
/// # Errors
/// The store does not answer, or a commit cannot be read.
pub async fn read(target: &TableStore) -> Result<Option<ReplicaStamp>, DeltaError> {
    let Some(head) = log::head(target).await? else { return Ok(None) };
    for version in (head.saturating_sub(COMMITS_MAX)..=head).rev() {
        let Some(commit) = log::read_commit(target, version).await? else { break };
        if let Some(record) = record_of(&commit) {
            let (owner, source_uri) = (record.body.owner, record.source_uri);
            return Ok(Some(ReplicaStamp { owner, source_uri }));
        }
    }
    let hint = hint::read(target).await?;
    Ok(hint.map(|hint| ReplicaStamp { owner: hint.owner, source_uri: hint.source }))
}
