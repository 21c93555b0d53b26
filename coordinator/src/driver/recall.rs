//! Jobs that only the database knows: they ended, and the machine forgot them since.
//!
//! A request for one starts a look-up beside the loop, which comes back as a message. Requests for
//! one job share one look-up; by the time that its answer comes the machine may know the job, and
//! then the machine answers. So a request id that was used before finds its job however long ago
//! that ended, and never makes a second one.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::job_limits::LimitsChange;
use deepclone_core::limits::RECALLS_MAX;
use deepclone_core::reason::Reason;
use tokio::sync::watch;

use super::message::{Reply, Submission};
use super::refusal::ended_job;
use super::snapshot::JobSnapshot;

/// A request for a job that the machine does not know.
pub(super) enum Recall {
    /// Comes from `GetJob` or `CancelJob`.
    Show(Reply<Arc<JobSnapshot>>),
    Watch(Reply<watch::Receiver<Arc<JobSnapshot>>>),
    /// Comes from `UpdateJob`; a job that has ended is refused.
    Limit(LimitsChange, Reply<Arc<JobSnapshot>>),
    /// Comes from `CreateJob` with a request id: the job is made unless it was before.
    Submit(Box<Submission>, Reply<Arc<JobSnapshot>>),
}

impl Recall {
    pub(super) fn fail(self, failure: Failure) {
        match self {
            Self::Show(reply) | Self::Submit(_, reply) | Self::Limit(_, reply) => {
                drop(reply.send(Err(failure)));
            }
            Self::Watch(reply) => drop(reply.send(Err(failure))),
        }
    }

    /// Answers with the job as the database has it.
    pub(super) fn show(self, job: &Arc<JobSnapshot>) {
        match self {
            Self::Show(reply) | Self::Submit(_, reply) => drop(reply.send(Ok(Arc::clone(job)))),
            Self::Limit(_, reply) => drop(reply.send(Err(ended_job(job.job)))),
            Self::Watch(reply) => {
                drop(reply.send(Ok(watch::Sender::new(Arc::clone(job)).subscribe())));
            }
        }
    }
}

/// The requests that wait for a look-up, by job.
#[derive(Default)]
pub(super) struct Recalls(BTreeMap<JobId, Vec<Recall>>);

impl Recalls {
    /// Keeps a request. Returns true when a look-up of the job must be started for it.
    pub(super) fn add(&mut self, job: JobId, recall: Recall) -> bool {
        let waiting: usize = self.0.values().map(Vec::len).sum();
        if waiting >= RECALLS_MAX {
            let message = format!("{waiting} requests wait for the database already: try later");
            recall.fail(Failure::new(Reason::Overloaded, message));
            return false;
        }
        let of_job = self.0.entry(job).or_default();
        of_job.push(recall);
        of_job.len() == 1
    }

    /// Returns the requests for a job, whose look-up ended.
    pub(super) fn remove(&mut self, job: JobId) -> Vec<Recall> {
        self.0.remove(&job).unwrap_or_default()
    }
}
