//! The lines of the log about jobs, written once the facts are durable.

#[cfg(test)]
mod tests;

use deepclone_core::job_limits::JobLimits;
use deepclone_core::machine::{End, Fact};

/// Writes a line for a fact. Tasks that succeed have none: they are too many.
pub(super) fn tell(fact: &Fact) {
    match fact {
        Fact::Created { job, .. } => tracing::info!(%job, "job created"),
        Fact::Limited { job, limits } => {
            let JobLimits { bytes_per_second, concurrency, held } = *limits;
            tracing::info!(%job, bytes_per_second, concurrency, held, "job limits");
        }
        Fact::Planned { job, source_version, replica_version, .. } => {
            tracing::info!(%job, source_version, replica_version, "job planned");
        }
        Fact::TaskFailed { job, fingerprint, kind } => {
            tracing::warn!(%job, ?fingerprint, ?kind, "an attempt at a task failed");
        }
        Fact::GroupRestarted { job, fingerprints } => {
            let tasks = fingerprints.len();
            tracing::warn!(%job, tasks, "the upload of an object is lost: it is begun again");
        }
        Fact::CancelRequested { job } => tracing::info!(%job, "job is to be cancelled"),
        Fact::Published { job, version } => tracing::info!(%job, version, "job published"),
        Fact::Ended { job, end, .. } => match end {
            End::Succeeded { source_version, replica_version, up_to_date } => {
                tracing::info!(%job, source_version, replica_version, up_to_date, "job succeeded");
            }
            End::Failed(failure) => {
                tracing::warn!(%job, reason = failure.reason.row().name, "job failed: {failure}");
            }
            End::Cancelled => tracing::info!(%job, "job cancelled"),
        },
        Fact::TaskDone { .. } | Fact::PublishIntended { .. } => {}
    }
}
