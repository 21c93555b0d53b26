//! A vacuum of one replica by this coordinator, with the uploads there that nobody ended.

use deepclone_common::connections::{Resolved, Side, end_old_uploads};
use deepclone_core::failure::Failure;
use deepclone_core::limits::UPKEEP_TIME_MAX;
use deepclone_delta::vacuum::{VacuumOptions, VacuumReport, vacuum};

use super::{Context, in_time};

/// What a vacuum by this coordinator did, or would do.
#[derive(Debug)]
pub struct Vacuumed {
    pub report: VacuumReport,
    /// Uploads that it threw away, or would; `None` where the store lists none.
    pub uploads: Option<u64>,
}

/// Vacuums the replica `target`, beside whatever syncs into it.
///
/// # Errors
/// As [`vacuum`]; a store that hangs.
pub async fn vacuum_replica(
    context: &Context,
    target: &Resolved,
    options: &VacuumOptions,
) -> Result<Vacuumed, Failure> {
    let opened = context
        .connections
        .open_by(&target.connection, &target.fingerprint, &target.root)
        .map_err(|error| error.failure_of(Side::Target))?;
    let vacuumed = async {
        let report = vacuum(&opened.table, options, &context.clock, &|_, _| ()).await;
        let report = report.map_err(|error| error.of(Side::Target).failure())?;
        let before_ms = report.unreferenced_before_ms;
        let uploads = end_old_uploads(&opened, before_ms, options.dry_run).await?;
        Ok(Vacuumed { report, uploads })
    };
    in_time(UPKEEP_TIME_MAX, "the vacuum", vacuumed).await
}
