//! The one conditional write, and what to do when its outcome is unknown.
//!
//! "Already exists" and a time-out say nothing: S3 may answer 409 with no object there, a retried
//! request may meet its own success. Only reading the version back tells: absent, the same bytes
//! are put again; our sync id, it was us; another sync of ours or a commit that changes nothing,
//! the plan is made again on top of it; anything else is somebody else's.

use std::time::Duration;

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;

use super::PublishResult;
use crate::changes::ChangeSet;
use crate::changes::head::{diverged, is_harmless, operation, record_of};
use crate::error::DeltaError;
use crate::io::{self, PutOutcome};
use crate::{commit, log};

/// Puts of one commit before its outcome counts as unknown for good.
const PUTS_MAX: u32 = 6;

/// The pause before the second put; it doubles. Shorter than a task's: readers wait for it.
const PAUSE_MIN: Duration = Duration::from_millis(100);

pub(super) async fn publish(
    target: &TableStore,
    change_set: &ChangeSet,
    sync: JobId,
    now_ms: i64,
) -> Result<PublishResult, DeltaError> {
    let version = commit::version(change_set);
    let body = commit::build(change_set, sync, now_ms);
    commit::check_size(body.len() as u64, commit::BYTES_MAX)?;
    let name = log::commit_path(version);
    let mut pause = PAUSE_MIN;
    let mut last_error = None;
    for attempt in 0..PUTS_MAX {
        if attempt > 0 {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        match io::put_if_absent(target, &name, body.clone().into()).await? {
            PutOutcome::Written => return Ok(PublishResult::Published { version }),
            PutOutcome::Unsettled(error) => {
                if let Some(result) = read_back(target, version, sync).await? {
                    return Ok(result);
                }
                tracing::warn!(version, %error, "the commit is not there yet: written again");
                last_error = Some(error);
            }
        }
    }
    Err(last_error.unwrap_or_else(|| unsettled(version).into()))
}

/// Whose commit stands at `version`; none when there is none.
async fn read_back(
    target: &TableStore,
    version: u64,
    sync: JobId,
) -> Result<Option<PublishResult>, DeltaError> {
    let Some(found) = log::read_commit(target, version).await? else { return Ok(None) };
    match record_of(&found) {
        Some(record) if record.sync() == sync => Ok(Some(PublishResult::Published { version })),
        Some(_) => Ok(Some(PublishResult::Rebase)),
        None if is_harmless(&found) => Ok(Some(PublishResult::Rebase)),
        None => Err(diverged(target, version, &operation(&found)).into()),
    }
}

fn unsettled(version: u64) -> Failure {
    Failure::new(
        Reason::StorageUnavailable,
        format!("the outcome of writing version {version} of the replica's log stays unknown"),
    )
}
