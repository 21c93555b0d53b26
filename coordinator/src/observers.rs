//! Those who look on while syncs begin and end. None of them ever holds one up.

use deepclone_common::telemetry::spans::Spans;
use deepclone_core::failure::Failure;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::mpsc;

use crate::lineage::Lineage;

/// The end of a sync that is of no replication.
#[derive(Clone, Debug, PartialEq)]
pub struct LoneEnd {
    /// The URI of its target.
    pub target: String,
    pub at: UnixTime,
    /// `None` when it succeeded.
    pub failure: Option<Failure>,
}

/// Who looks on; cheap to clone. The default: nobody.
#[derive(Clone, Debug, Default)]
pub struct SyncObservers {
    pub lineage: Lineage,
    /// Takes the ends of syncs that are of no replication.
    pub lone_ends: Option<mpsc::Sender<LoneEnd>>,
    /// Takes the spans of traces.
    pub spans: Spans,
}

impl SyncObservers {
    /// Returns those of a process of its own.
    #[must_use]
    pub fn new(lineage: Lineage, lone_ends: mpsc::Sender<LoneEnd>, spans: Spans) -> Self {
        Self { lineage, lone_ends: Some(lone_ends), spans }
    }

    /// Tells that such a sync ended. When too many wait, a log says so.
    pub(crate) fn lone_ended(&self, end: LoneEnd) {
        let Some(lone_ends) = &self.lone_ends else { return };
        if let Err(mpsc::error::TrySendError::Full(end)) = lone_ends.try_send(end) {
            let target = end.target;
            tracing::warn!(target_uri = %target, "an alert is not judged: too many syncs ended");
        }
    }
}
