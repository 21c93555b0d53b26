//! The notice of a vacuum that runs, `_deepclone/vacuum.json`, by which it and a sync that is about
//! to commit do not miss each other.
//!
//! A sync may find at the target an old object that no commit names, and commit it; a vacuum may
//! delete the same object. So each says first what it is about to do, and only then looks at what
//! the other says:
//!
//! * a sync writes its ledger, reads this notice, and waits until the batch that it names is over;
//!   then it looks at the objects that it found, and commits;
//! * a vacuum writes the notice of a batch, reads the ledgers of syncs without a commit and the
//!   newer commits, keeps what these name, and deletes the rest of the batch.
//!
//! Either the vacuum sees the ledger, or the sync sees the notice.

use std::time::Duration;

use deepclone_common::clock::Clock;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::DeltaError;
use crate::io;

const NOTICE: &str = "_deepclone/vacuum.json";

/// How long the deletions of one batch may take; then the vacuum ends.
pub(super) const BATCH_TIME_MAX: Duration = Duration::from_secs(300);
/// How long a notice counts. It is twice the time of a batch, for clocks that differ.
const NOTICE_COUNTS_MS: i64 = 600_000;
/// How often a sync looks whether the batch is over.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a vacuum is about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VacuumNotice {
    /// Tells the runs of two vacuums apart.
    id: Uuid,
    batch: u64,
    /// When the batch began, in milliseconds since 1970.
    time: i64,
}

impl VacuumNotice {
    /// Returns the notice of a run before its first batch.
    pub(super) fn new(id: Uuid) -> Self {
        Self { id, batch: 0, time: 0 }
    }

    fn is_running(&self, now_ms: i64) -> bool {
        now_ms < self.time.saturating_add(NOTICE_COUNTS_MS)
    }

    /// Writes the notice of the next batch.
    pub(super) async fn announce(
        &mut self,
        target: &TableStore,
        now_ms: i64,
    ) -> Result<(), DeltaError> {
        self.batch += 1;
        self.time = now_ms;
        io::put_json(target, NOTICE, self).await
    }
}

/// Refuses to begin beside another vacuum.
pub(super) async fn refuse_second(target: &TableStore, now_ms: i64) -> Result<(), DeltaError> {
    match read(target).await?.filter(|notice| notice.is_running(now_ms)) {
        None => Ok(()),
        Some(_) => {
            let message = format!(
                "another vacuum of {} runs, or was killed less than ten minutes ago: try again \
                 later",
                target.uri
            );
            Err(Failure::new(Reason::TargetBusy, message).into())
        }
    }
}

/// Removes the notice at the end.
pub(super) async fn withdraw(target: &TableStore) -> Result<(), DeltaError> {
    io::delete(target, NOTICE).await
}

/// Waits until the batch of a vacuum that runs is over, if there is one: for a sync that has
/// written its ledger, and is about to look at what it found at the target.
///
/// # Errors
/// When the store does not answer.
pub async fn wait_for_batch(target: &TableStore, clock: &Clock) -> Result<(), DeltaError> {
    let Some(first) = read(target).await? else { return Ok(()) };
    let mut current = Some(first.clone());
    while current.as_ref() == Some(&first) && first.is_running(clock.now_ms()) {
        tokio::time::sleep(LOOK_AGAIN).await;
        current = read(target).await?;
    }
    Ok(())
}

/// Reads the notice; a damaged one counts as none.
async fn read(target: &TableStore) -> Result<Option<VacuumNotice>, DeltaError> {
    let found = io::get_hint(target, NOTICE).await?;
    Ok(found.and_then(|found| serde_json::from_slice(&found.bytes).ok()))
}
