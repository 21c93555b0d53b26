//! The replication that keeps the replica of a job.

use crate::pages::fleet::common_zone;
use crate::replications::view::{FleetView, ReplicationView};
use crate::state::JobSpec;

/// Returns the replication that has the table of a job, from the same source to the same target.
pub(super) fn keeper<'a>(fleet: &'a FleetView, job: &JobSpec) -> Option<&'a ReplicationView> {
    let (source, target) = (&job.source, &job.target);
    // Replications keep tables at the path that they have at the source.
    if source.root != target.root {
        return None;
    }
    let keeps = |view: &&ReplicationView| {
        let spec = &view.spec;
        let has_path = || view.tables.binary_search_by(|table| table.path.cmp(&source.root));
        spec.source == source.connection && spec.target == target.connection && has_path().is_ok()
    };
    fleet.replications.iter().map(|view| &**view).find(keeps)
}

/// The zone of the times of a job's page.
pub(super) fn zone_of<'a>(job: &JobSpec, fleet: &'a FleetView) -> &'a str {
    keeper(fleet, job).map_or_else(|| common_zone(fleet), |view| &view.spec.time_zone)
}

/// The path of a job's table below the connection; its URI when it is the connection's root.
pub(super) fn table_name(job: &JobSpec) -> &str {
    if job.target.root.is_empty() { &job.target.uri } else { &job.target.root }
}
