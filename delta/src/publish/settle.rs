//! The one conditional write, and what follows when its outcome is unknown.
//!
//! "Already exists" and a time-out decide nothing: S3 may answer 409 without an object, and a
//! retried request may meet its own success. Only reading the version back decides. If it is
//! absent, the same bytes are put again. If it has our sync id, the put succeeded. If it is another
//! sync of ours or a commit that changes nothing, the sync is planned again on top of it. Anything
//! else is a commit of another writer.

use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::{Patience, Retry};
use deepclone_common::store::table::TableStore;

use super::commit::{self, BuiltCommit};
use super::committed::{Committed, PublishResult};
use super::read_back::read_back;
use crate::change_set::ChangeSet;
use crate::error::DeltaError;
use crate::io::{self, BodyPut, PutOutcome};
use crate::log;

/// Writes the commit of `change_set` at the time `now_ms` (milliseconds since 1970), unless its
/// version is taken.
///
/// # Errors
/// TARGET_DIVERGED when a commit of another writer took the version; a storage error when the
/// outcome stays unknown.
pub async fn publish(
    target: &TableStore,
    change_set: &ChangeSet,
    now_ms: i64,
) -> Result<PublishResult, DeltaError> {
    let version = change_set.version();
    let file = io::compute_here(|| commit::build(change_set, now_ms))?;
    commit::check_size(file.body.bytes(), commit::BYTES_MAX)?;
    let name = log::commit_path(version);
    let mut put = BodyPut::new(target, &name, &file.body)?;
    let settled = settle(target, change_set, &file, &mut put).await;
    put.end().await;
    settled
}

/// Puts the commit until it is known what its version is.
async fn settle(
    target: &TableStore,
    change_set: &ChangeSet,
    file: &BuiltCommit,
    put: &mut BodyPut<'_>,
) -> Result<PublishResult, DeltaError> {
    let version = change_set.version();
    let mut retry = Retry::new(Patience::COMMIT, target.asked(StoreOperation::Put));
    loop {
        let error = match put.attempt().await? {
            PutOutcome::Written(etag) => {
                let committed = Committed::written(target, version, file, etag)?;
                return Ok(PublishResult::Published(Box::new(committed)));
            }
            PutOutcome::Unsettled(error) => error,
        };
        if let Some(result) = read_back(target, change_set, file).await? {
            return Ok(result);
        }
        let error = error.when_absent();
        let Some(pause) = retry.next(&error) else {
            return Err(io::storage("writing", target, &log::commit_path(version), &error));
        };
        tracing::warn!(version, %error, "the commit is not there yet: written again");
        tokio::time::sleep(pause).await;
    }
}
