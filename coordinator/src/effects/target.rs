//! Tries a target before the first object is copied, and only if there is something to publish. The
//! store of a first sync is tried by `ahead` before.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_delta::sync::Work;

use super::Context;
use crate::state::JobSpec;

/// Tries what copying and publishing rely on. Returns a notice for the operator, if there is one.
///
/// # Errors
/// `TARGET_UNSUITABLE` naming what the target lacks, or why it cannot be written.
pub async fn probe(
    context: &Context,
    job_spec: &JobSpec,
    work: &Work,
) -> Result<Option<String>, Failure> {
    let target = &job_spec.target;
    let (name, fingerprint) = (&target.connection, &target.fingerprint);
    let notice = context.connections.probe_target(name, fingerprint, &target.root).await?;
    let bytes = work.commit_bytes();
    context.connections.probe_commit(name, fingerprint, &target.root, bytes).await?;
    if work.near_names().is_empty() {
        return Ok(notice);
    }
    let met = context.connections.probe_names(name, fingerprint, &target.root).await?;
    let meets = work
        .near_names()
        .iter()
        .find(|near| (!near.by_case || met.by_case) && (!near.by_form || met.by_form));
    match meets {
        None => Ok(notice),
        Some(near) => {
            let message = format!(
                "the file system of the target {} takes {:?} and {:?} for one name: use a target \
                 that keeps them apart",
                target.uri, near.one, near.other
            );
            let failure = Failure::new(Reason::TargetUnsuitable, message);
            Err(failure.with("key", near.one.as_str()))
        }
    }
}
