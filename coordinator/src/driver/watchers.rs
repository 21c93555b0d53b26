//! The streams that follow jobs. Their number is bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::limits::{WATCHERS_MAX, WATCHERS_PER_JOB_MAX};
use deepclone_core::reason::Reason;
use tokio::sync::watch;

use super::snapshot::JobSnapshot;

type Sender = watch::Sender<Arc<JobSnapshot>>;

/// The channels of all followed jobs.
#[derive(Debug, Default)]
pub(super) struct Watchers(BTreeMap<JobId, Sender>);

impl Watchers {
    /// Follows a job from `now` on.
    ///
    /// # Errors
    /// Too many streams follow this job, or jobs in all.
    pub(super) fn follow(
        &mut self,
        now: Arc<JobSnapshot>,
    ) -> Result<watch::Receiver<Arc<JobSnapshot>>, Failure> {
        self.0.retain(|_, sender| sender.receiver_count() > 0);
        let of_job = self.0.get(&now.job).map_or(0, Sender::receiver_count);
        let of_all: usize = self.0.values().map(Sender::receiver_count).sum();
        for (what, count, most) in
            [("the job", of_job, WATCHERS_PER_JOB_MAX), ("jobs", of_all, WATCHERS_MAX)]
        {
            if count >= most {
                let message =
                    format!("{count} streams follow {what} already, and at most {most} may");
                return Err(Failure::new(Reason::Overloaded, message));
            }
        }
        let sender = self.0.entry(now.job).or_insert_with(|| watch::Sender::new(now));
        Ok(sender.subscribe())
    }

    /// Sends a job as it is now to its streams, if there are any.
    pub(super) fn send(&mut self, job: JobId, now: impl FnOnce() -> Option<Arc<JobSnapshot>>) {
        let Some(sender) = self.0.get(&job) else { return };
        if sender.receiver_count() == 0 {
            self.0.remove(&job);
        } else if let Some(now) = now() {
            sender.send_replace(now);
        }
    }

    /// Ends the streams of the jobs that are not shown any more.
    pub(super) fn retain(&mut self, is_shown: impl Fn(JobId) -> bool) {
        self.0.retain(|&job, _| is_shown(job));
    }
}
