//! What a log holds after a version: asked often, so with two requests while nothing is new.

use deepclone_common::store::table::TableStore;

use super::commit::read_commit;
use super::listing;
use super::names::commit_path;
use super::segment::Listing;
use crate::error::DeltaError;
use crate::io;

/// What a log holds after a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newer {
    /// The newest version of the log. It is below the one asked for when the table was made again.
    pub newest: u64,
    /// The file of the version asked for, if the log has it still. Another file than before: the
    /// table was made again.
    pub known: Option<CommitFile>,
    /// The first commit after the one asked for; `None` when nothing is newer.
    pub first: Option<FirstNewer>,
}

/// What a listing says of the file of a commit, which nobody changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitFile {
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
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
    let known = listing.commits.get(&after);
    let known = known.map(|entry| CommitFile { size: entry.size, modified_ms: entry.modified_ms });
    if newest <= after {
        return Ok(Some(Newer { newest, known, first: None }));
    }
    let next = after + 1;
    let first = match listing.commits.get(&next) {
        Some(entry) => {
            // A table may give its commits their times itself.
            let commit = read_commit(table, next).await?;
            let own_ms = commit.and_then(|commit| commit.in_commit_timestamp());
            FirstNewer { committed_ms: own_ms.unwrap_or(entry.modified_ms), is_cleaned: false }
        }
        None => FirstNewer { committed_ms: oldest_ms(&listing, next), is_cleaned: true },
    };
    Ok(Some(Newer { newest, known, first: Some(first) }))
}

/// Returns whether the log of `table` may hold commits after `after`, with one request: whether
/// there is the next one. It sees neither a log that was made again nor one that was cleaned up
/// beyond the next commit; [`newer`] does.
///
/// # Errors
/// When the store does not answer.
pub async fn may_have_newer(table: &TableStore, after: u64) -> Result<bool, DeltaError> {
    match io::exists(table, &commit_path(after.saturating_add(1))).await {
        // Some stores deny what is absent to those who may not list all.
        Err(DeltaError::Storage { denied: true, .. }) => Ok(true),
        found => found,
    }
}

/// Returns when the oldest file of `version` and later ones was written.
fn oldest_ms(listing: &Listing, version: u64) -> i64 {
    let commits = listing.commits.range(version..).map(|(_, entry)| entry);
    let checkpoints = listing.checkpoints.iter().filter(|found| found.version >= version);
    let files = commits.chain(checkpoints.flat_map(|found| &found.files));
    files.map(|entry| entry.modified_ms).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogEntry;

    #[test]
    fn the_oldest_file_that_is_left_is_a_commit_or_a_checkpoint() {
        let files = [
            ("00000000000000000005.json", 10),
            ("00000000000000000010.checkpoint.parquet", 20),
            ("00000000000000000012.json", 30),
            ("00000000000000000013.json", 40),
        ];
        let listing = Listing::new(files.map(|(name, modified_ms)| LogEntry {
            name: name.to_owned(),
            size: 1,
            modified_ms,
            etag: None,
        }));
        for (version, expect) in [(4, 10), (6, 20), (10, 20), (11, 30), (13, 40), (14, 0)] {
            assert_eq!(oldest_ms(&listing, version), expect, "{version}");
        }
    }
}
