//! The lines of the log about jobs and workers. Those about jobs are written once their facts are
//! durable. `docs/observability.md` lists them with their fields.

#[cfg(test)]
mod tests;

use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::machine::{End, Fact, Notice, Progress};

use super::snapshot::WorkerDescription;
use super::story::JobStory;

/// Writes a line for a fact of a job that is so far. Tasks that succeed have none: they are too
/// many.
pub(super) fn tell(fact: &Fact, story: &mut JobStory, progress: &Progress) {
    match fact {
        Fact::Created { job, .. } => {
            let request_id = story.request_id.as_ref().map(AsRef::<str>::as_ref);
            let spec = story.job_spec.as_deref();
            let submitter = spec.and_then(|spec| spec.submitter.as_deref());
            let source = spec.map(|spec| spec.source.uri.as_str());
            let target = spec.map(|spec| spec.target.uri.as_str());
            tracing::info!(%job, submitter, request_id, source, target, "job created");
        }
        Fact::Limited { job, limits } => {
            let JobLimits { bytes_per_second, concurrency, held } = *limits;
            tracing::info!(%job, bytes_per_second, concurrency, held, "job limits");
        }
        Fact::Planned { job, source_version, replica_version, .. } => {
            let Progress { tasks_total: tasks, objects_total: objects, .. } = *progress;
            let (bytes, seconds) = (progress.bytes_total, story.end_phase());
            tracing::info!(
                %job, source_version, replica_version, tasks, objects, bytes, seconds,
                "job planned"
            );
        }
        Fact::TaskFailed { job, fingerprint: task, kind } => {
            tracing::warn!(%job, ?task, reason = kind.name(), "an attempt at a task failed");
        }
        Fact::GroupRestarted { job, fingerprints } => {
            let tasks = fingerprints.len();
            tracing::warn!(%job, tasks, "the upload of an object is lost: it is begun again");
        }
        Fact::CancelRequested { job } => {
            let by = story.cancelled_by.as_deref();
            tracing::info!(%job, by, "job is to be cancelled");
        }
        Fact::PublishIntended { job } => {
            let Progress { objects_copied, objects_skipped, bytes_read, workers_used, .. } =
                *progress;
            let seconds = story.end_phase();
            tracing::info!(
                %job, objects_copied, objects_skipped, bytes_read, workers_used, seconds,
                "job copied"
            );
        }
        Fact::Published { job, version } => {
            tracing::info!(%job, version, seconds = story.end_phase(), "job published");
        }
        Fact::Ended { job, end, .. } => ended(*job, end, story),
        Fact::TaskDone { .. } => {}
    }
}

fn ended(job: JobId, end: &End, story: &JobStory) {
    let seconds = story.seconds();
    match end {
        End::Succeeded { source_version, replica_version, up_to_date } => {
            tracing::info!(
                %job, source_version, replica_version, up_to_date, seconds,
                "job succeeded"
            );
        }
        End::Failed(failure) => {
            let reason = failure.reason.row().name;
            tracing::warn!(%job, reason, error = %failure, seconds, "job failed");
        }
        End::Cancelled => {
            let by = story.cancelled_by.as_deref();
            tracing::info!(%job, by, seconds, "job cancelled");
        }
    }
}

/// Writes the line of a job that is planned now for the first time.
pub(super) fn started(job: JobId, story: &mut JobStory) {
    tracing::info!(%job, queued_seconds = story.end_phase(), "job started");
}

/// Writes the line of a worker that came.
pub(super) fn registered(worker: WorkerId, info: &WorkerDescription, held: usize) {
    let connections = info.connections.len();
    let (name, version) = (info.name.as_str(), info.version.as_str());
    tracing::info!(%worker, name, version, connections, held, "worker registered");
}

/// Writes the line of a worker that left in good order.
pub(super) fn left(worker: WorkerId, name: &str, returned: usize) {
    tracing::info!(%worker, name, returned, "worker left");
}

/// Writes the line of what the machine noticed of a worker.
pub(super) fn noticed(notice: &Notice, name: Option<&str>) {
    match notice {
        Notice::WorkerLost { worker, leases } => {
            tracing::warn!(%worker, name, leases, "worker lost");
        }
        Notice::LeaseExpired { worker, key } => {
            let (job, task, attempt) = (key.job, key.fingerprint, key.attempt.0);
            tracing::warn!(%job, %worker, name, ?task, attempt, "lease expired");
        }
    }
}
