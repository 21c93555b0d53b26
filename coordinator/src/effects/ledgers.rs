//! Ledgers of a replica that are lost: a repair tells them, and records the digests again.

use deepclone_common::connections::Side;
use deepclone_common::random;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::spec::Repair;
use deepclone_delta::verify::{LedgersRestored, lost_ledgers, restore_ledgers};

use super::{Context, in_time};
use crate::state::JobSpec;

/// Returns what a repair says of ledgers that are lost, before it does anything.
///
/// # Errors
/// The target cannot be read.
pub(super) async fn notices(target: &TableStore, repair: Repair) -> Result<Vec<String>, Failure> {
    if repair == Repair::Nothing {
        return Ok(Vec::new());
    }
    let (objects, damaged) = lost_ledgers(target).await.map_err(|error| error.failure())?;
    let mut notices: Vec<String> = damaged
        .iter()
        .map(|path| format!("repair: the ledger {path} cannot be read and is removed"))
        .collect();
    if objects > 0 || !damaged.is_empty() {
        notices.push(format!(
            "repair: the digests of {objects} objects are in no ledger: they are compared with the \
             source and recorded again"
        ));
    }
    Ok(notices)
}

/// Records digests that are lost again, and returns what could not be.
///
/// # Errors
/// A side cannot be read, or the target cannot be written.
pub(super) async fn restore(
    context: &Context,
    job: JobId,
    job_spec: &JobSpec,
) -> Result<Option<String>, Failure> {
    let source = context.open(Side::Source, &job_spec.source)?;
    let target = context.open(Side::Target, &job_spec.target)?;
    // The job writes a ledger of its own name when it publishes.
    let ledger = JobId(random::uuid());
    let restore = async {
        let restored = restore_ledgers(&source, &target, ledger, context.clock.now_ms()).await;
        restored.map_err(|error| error.failure())
    };
    let restored = in_time(context.plan_time_max, "recording lost digests", restore).await?;
    let LedgersRestored { objects, unproven, source_bytes_read, .. } = restored;
    if objects > 0 {
        tracing::info!(%job, objects, source_bytes_read, "digests are recorded again");
    }
    Ok((unproven > 0).then(|| {
        format!(
            "repair: the digests of {unproven} objects are not recorded: they differ, or are gone"
        )
    }))
}
