//! Planning for a job, and what an earlier attempt of it left: keys that turned out to be gone from
//! the source, and a commit whose checkpoint and hints may be missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_delta::sync::{Committed, finish};

use super::plan::{PlanOutcome, plan_job};
use super::{Context, target_key};
use crate::kept_objects::KeptObjects;
use crate::state::JobSpec;

/// Plans a job, and finishes a publication that a crash cut short.
///
/// # Errors
/// Why the sync is refused or cannot be planned. `OBJECT_VANISHED` when the plan needs a key of
/// `vanished` again.
pub async fn plan_for_job(
    context: &Context,
    job: JobId,
    job_spec: &Arc<JobSpec>,
    vanished: &BTreeSet<String>,
) -> Result<PlanOutcome, Failure> {
    let outcome =
        plan_job(context, job, Arc::clone(job_spec), target_key(&job_spec.target)).await?;
    match &outcome {
        PlanOutcome::Ready { plan, .. } => {
            if let Some(key) = first_needed(&plan.objects, vanished)? {
                return Err(still_needed(&key, plan.work.source_version()));
            }
        }
        // The steps after the commit may be missing; each is harmless when it is repeated. Those of
        // a newer commit stand for this one, too.
        PlanOutcome::Published { version, is_newest: true, .. } => {
            let target = context.open(Side::Target, &job_spec.target)?;
            let finished =
                async { finish(&target, &Committed::read(&target, *version).await?, None).await };
            if let Err(error) = finished.await {
                tracing::warn!(%job, version, "published without checkpoint or hint: {error}");
            }
        }
        PlanOutcome::UpToDate { .. } | PlanOutcome::Published { .. } => {}
    }
    Ok(outcome)
}

/// Returns the first key of these that is to be copied.
fn first_needed(
    objects: &KeptObjects,
    vanished: &BTreeSet<String>,
) -> Result<Option<String>, Failure> {
    if vanished.is_empty() {
        return Ok(None);
    }
    for places in objects.places() {
        let mut keys = objects.read(&places)?.into_iter().map(|object| object.source_path);
        if let Some(key) = keys.find(|key| vanished.contains(key)) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn still_needed(key: &str, source_version: u64) -> Failure {
    let message = format!(
        "the source has no object {key}, and version {source_version}, its newest, needs it: \
         restore it, or remove it from the table (FSCK REPAIR TABLE)"
    );
    Failure::new(Reason::ObjectVanished, message).with("key", key)
}
