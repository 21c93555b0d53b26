//! What a log holds after a version: asked often, so with two requests while nothing is new.

use deepclone_common::store::table::TableStore;

use super::commit::read_commit;
use super::listing;
use crate::error::DeltaError;

/// What a log holds after a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newer {
    /// The newest version of the log. It is below the one asked for when the table was made again.
    pub newest: u64,
    /// The first commit after the one asked for; `None` when nothing is newer.
    pub first: Option<FirstNewer>,
}

/// The first commit of a log after a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstNewer {
    /// When it was committed, in milliseconds since 1970 (UTC). Where it was cleaned up, the time
    /// of the oldest file that is left of those after it.
    pub committed_ms: i64,
    /// The log was cleaned up beyond it.
    pub is_cleaned: bool,
}

/// Returns what the log of `table` holds after the version `after`; `None` when there is no log.
///
/// # Errors
/// When the store does not answer, its listing leaves out what is there, or the first newer commit
/// cannot be read.
pub async fn newer(table: &TableStore, after: u64) -> Result<Option<Newer>, DeltaError> {
    let listing = listing::from(table, after).await?;
    let Some(newest) = listing.newest() else { return Ok(None) };
    if newest <= after {
        return Ok(Some(Newer { newest, first: None }));
    }
    let next = after + 1;
    let first = match listing.commits.get(&next) {
        Some(entry) => {
            // A table may give its commits their times itself.
            let commit = read_commit(table, next).await?;
            let own_ms = commit.and_then(|commit| commit.in_commit_timestamp());
            FirstNewer { committed_ms: own_ms.unwrap_or(entry.modified_ms), is_cleaned: false }
        }
        None => {
            let later = listing.commits.range(next..).map(|(_, entry)| entry);
            let checkpoints = listing.checkpoints.iter().filter(|found| found.version > after);
            let files = later.chain(checkpoints.flat_map(|found| &found.files));
            let committed_ms = files.map(|entry| entry.modified_ms).min().unwrap_or_default();
            FirstNewer { committed_ms, is_cleaned: true }
        }
    };
    Ok(Some(Newer { newest, first: Some(first) }))
}
