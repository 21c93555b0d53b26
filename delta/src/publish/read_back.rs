//! Whose commit is in the log, after a put whose outcome is unknown.
//!
//! A commit of ours that is too long for memory is known by its length and its first line, which
//! names the sync: to read it whole would take far more memory than to write it did.

use deepclone_common::store::table::TableStore;

use super::commit::BuiltCommit;
use super::committed::{Committed, PublishResult};
use crate::change_set::ChangeSet;
use crate::error::DeltaError;
use crate::io;
use crate::log;
use crate::replica::{diverged, is_harmless, operation, record_of};

/// The first line of a commit of ours is shorter than this; it grows with the syncs before it.
const FIRST_LINE_BYTES_MAX: u64 = 1 << 20;

/// Decides by the commit that has the version of `change_set`; `None` when there is none. `file` is
/// the commit that was put.
///
/// # Errors
/// TARGET_DIVERGED when it is of another writer; the store does not answer.
pub(super) async fn read_back(
    target: &TableStore,
    change_set: &ChangeSet,
    file: &BuiltCommit,
) -> Result<Option<PublishResult>, DeltaError> {
    let version = change_set.version();
    if !file.body.is_held() {
        match by_first_line(target, change_set, file).await? {
            Seen::Nothing => return Ok(None),
            Seen::Ours(committed) => return Ok(Some(PublishResult::Published(committed))),
            Seen::Another => {}
        }
    }
    let Some(found) = log::read_commit(target, version).await? else { return Ok(None) };
    match record_of(&found) {
        Some(record) if change_set.is_of(&record) => {
            let actions = found.actions.len();
            let committed = Committed { record, actions, etag: found.etag };
            Ok(Some(PublishResult::Published(Box::new(committed))))
        }
        Some(_) => Ok(Some(PublishResult::Rebase)),
        None if is_harmless(&found) => Ok(Some(PublishResult::Rebase)),
        None => Err(diverged(target, version, &operation(&found)).into()),
    }
}

/// What a version of the log holds, as far as length and first line tell.
enum Seen {
    Nothing,
    Ours(Box<Committed>),
    /// Only all of it tells.
    Another,
}

async fn by_first_line(
    target: &TableStore,
    change_set: &ChangeSet,
    file: &BuiltCommit,
) -> Result<Seen, DeltaError> {
    let (version, bytes) = (change_set.version(), file.body.bytes());
    let path = log::commit_path(version);
    let Some(there) = io::describe(target, &path).await? else { return Ok(Seen::Nothing) };
    if there.size != bytes {
        return Ok(Seen::Another);
    }
    let range = 0..bytes.min(FIRST_LINE_BYTES_MAX);
    let Some(start) = io::get_ranges(target, &path, std::slice::from_ref(&range)).await? else {
        return Ok(Seen::Nothing);
    };
    let line = start.first().and_then(|start| start.split(|byte| *byte == b'\n').next());
    let record = line.and_then(|line| Committed::recorded(version, line));
    // After a restart the same sync was put at another time.
    let Some(record) = record.filter(|record| change_set.is_of(record)) else {
        return Ok(Seen::Another);
    };
    let etag = Some(there.etag).filter(|etag| !etag.is_empty());
    let committed = Committed { record, actions: file.actions, etag };
    Ok(Seen::Ours(Box::new(committed)))
}
