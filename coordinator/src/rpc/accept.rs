//! Accepts a spec: both sides are resolved to named connections and paths below them (I10), and
//! neither table may be inside the other.

use std::sync::Arc;

use deepclone_common::connections::{Connections, Resolved, Side};
use deepclone_core::failure::Failure;
use deepclone_core::ids::{ConnectionKey, JobId};
use deepclone_core::machine::Route;
use deepclone_core::spec::CloneSpec;
use deepclone_proto::convert::WireError;
use deepclone_proto::v1;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::bounds;
use crate::driver::message::Submission;
use crate::effects::target_key;
use crate::state::JobSpec;

/// The longest request id, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Resolves and checks what a client asks for.
///
/// # Errors
/// Names the field, connection or table at fault.
pub fn job_spec(connections: &Connections, spec: v1::CloneSpec) -> Result<JobSpec, Failure> {
    bounds::spec(&spec)?;
    resolved(connections, CloneSpec::try_from(spec)?)
}

/// Resolves both sides of a spec.
///
/// # Errors
/// Names the field, connection or table at fault.
pub fn resolved(connections: &Connections, spec: CloneSpec) -> Result<JobSpec, Failure> {
    let resolve = |table, side| {
        connections.resolve(table, side).map_err(|error| {
            let field = format!("spec.{side}");
            error.failure_of(side).with("field", field)
        })
    };
    let source = resolve(&spec.source, Side::Source)?;
    let target = resolve(&spec.target, Side::Target)?;
    connections.refuse_pair(&source, &target)?;
    Ok(JobSpec { spec, source, target, claim: None, origin: None, submitter: None })
}

/// Returns the submission of a job. A request id, if there is one, decides the id of the job.
#[must_use]
pub fn submission(job: JobId, request_id: &str, job_spec: Arc<JobSpec>) -> Submission {
    submission_of(job, !request_id.is_empty(), job_spec)
}

/// Returns the submission of a job; `is_named` when its id may have been used before.
#[must_use]
pub fn submission_of(job: JobId, is_named: bool, job_spec: Arc<JobSpec>) -> Submission {
    let key = |side: &Resolved| ConnectionKey::derive(&side.connection, &side.fingerprint);
    let route = Route { source: key(&job_spec.source), target: key(&job_spec.target) };
    let target = target_key(&job_spec.target);
    Submission { job, is_named, target, route, job_spec, request_id: None }
}

/// Returns the id of the job that a request makes: the same for the same request id.
///
/// # Errors
/// A request id that is too long.
pub fn job_id(request_id: &str) -> Result<JobId, WireError> {
    if request_id.is_empty() {
        return Ok(JobId(Uuid::now_v7()));
    }
    if request_id.len() > REQUEST_ID_BYTES_MAX {
        let why = format!("it is longer than {REQUEST_ID_BYTES_MAX} bytes");
        return Err(WireError::invalid("request_id", why));
    }
    let digest = Sha256::new().chain_update("request id:").chain_update(request_id).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Ok(JobId(uuid::Builder::from_custom_bytes(bytes).into_uuid()))
}
