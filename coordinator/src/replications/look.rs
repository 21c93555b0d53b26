//! A replication whose sources and targets are looked at, and how long a look may take.

use std::collections::BTreeSet;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ownership::OwnerClaim;
use deepclone_core::reason::Reason;
use deepclone_core::replication::{ReplicationSpec, TableSelection};
use tokio::time::{Instant, timeout_at};

/// A replication to look at.
#[derive(Clone, Debug)]
pub struct SurveyOrder {
    pub spec: Arc<ReplicationSpec>,
    pub tables: TableSelection,
    pub claim: OwnerClaim,
    /// The tables that it has synced already, at these connections.
    pub synced: BTreeSet<String>,
}

/// Runs a look until then at the longest.
///
/// # Errors
/// The look's failure, or `StorageUnavailable` when the time is over.
pub(super) async fn in_time<T>(
    until: Instant,
    effect: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late =
        |_| Failure::new(Reason::StorageUnavailable, "it took too long to look at all of them");
    timeout_at(until, effect).await.map_err(late)?
}
