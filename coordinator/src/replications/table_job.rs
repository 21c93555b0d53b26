//! The job that syncs one table of a replication.

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::ownership::OwnerClaim;
use deepclone_core::replication::ReplicationSpec;
use deepclone_core::spec::{CloneSpec, Mode, SourcePoint};

use crate::effects::Context;
use crate::rpc::accept;
use crate::state::JobSpec;

/// Returns the job for the table at `path`.
///
/// # Errors
/// A connection that is not known, or cannot have the table.
pub(super) fn table_job(
    context: &Context,
    spec: &ReplicationSpec,
    path: &str,
    claim: OwnerClaim,
    limits: JobLimits,
) -> Result<JobSpec, Failure> {
    let below = |connection: &str, side: Side| {
        context.connections.below(connection, path).map_err(|error| error.failure_of(side))
    };
    let clone = &spec.clone;
    let spec = CloneSpec {
        source: below(&spec.source, Side::Source)?,
        target: below(&spec.target, Side::Target)?,
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: clone.properties.clone(),
        verification: clone.verification,
        divergence_policy: clone.divergence_policy,
        allowed_features: clone.allowed_features.clone(),
        source_replaced_policy: clone.source_replaced_policy,
        repair: Default::default(),
        limits,
    };
    Ok(JobSpec { claim: Some(claim), ..accept::resolved(&context.connections, spec)? })
}
