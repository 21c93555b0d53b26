//! What is known of audits and vacuums of a replica: the newest verdict, what was deleted last, and
//! why the newest try failed. It survives a restart, and is shown as it is.

use deepclone_core::failure::Failure;
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::verify::{KeptVerdict, UseProof};
use serde::{Deserialize, Serialize};

/// What is known of the audits of a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAudit {
    /// What the newest audit that ended found.
    pub verdict: Option<KeptVerdict>,
    /// Why the newest try failed; `None` when it did not.
    pub failure: Option<UpkeepFailure>,
}

/// What is known of the vacuums of a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVacuum {
    /// What the newest one that ended deleted.
    pub done: Option<VacuumFigures>,
    /// Why the newest try failed; `None` when it did not.
    pub failure: Option<UpkeepFailure>,
}

/// What a vacuum deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VacuumFigures {
    pub at: UnixTime,
    pub objects: u64,
    pub bytes: u64,
}

/// Why a try could not be made: that says nothing about the replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpkeepFailure {
    pub at: UnixTime,
    /// The name of the reason, as `STORAGE_UNAVAILABLE`.
    pub reason: String,
    pub message: String,
}

impl UpkeepFailure {
    pub(super) fn new(failure: &Failure, at: UnixTime) -> Self {
        let (reason, message) = (failure.reason.row().name.to_owned(), failure.message.clone());
        Self { at, reason, message }
    }
}

impl KeptAudit {
    /// Differences that the newest audit found.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.verdict.as_ref().map_or(0, |verdict| verdict.differences)
    }

    /// When the newest audit ended.
    #[must_use]
    pub fn at(&self) -> Option<UnixTime> {
        self.verdict.as_ref().map(|verdict| UnixTime(verdict.time_ms))
    }

    /// What an independent reader found, and when.
    #[must_use]
    pub fn proof(&self) -> Option<(UnixTime, &UseProof)> {
        let verdict = self.verdict.as_ref()?;
        Some((UnixTime(verdict.time_ms), verdict.proof.as_ref()?))
    }
}
