//! Jobs that no worker takes: they end after a while, instead of waiting for ever.
//!
//! The wait is not a fact: a restarted coordinator counts it anew.

use super::{Action, Machine};
use crate::failure::Failure;
use crate::ids::JobId;
use crate::reason::Reason;

impl Machine {
    /// Fails the jobs that nobody took for the limit. One whose tasks somebody still works on does
    /// not starve, even when that worker takes no more.
    pub(super) fn end_starving_jobs(&mut self, actions: &mut Vec<Action>) {
        let (now, wait) = (self.now, self.limits.no_workers_wait);
        let copying = self.active().filter_map(|(id, job)| {
            let tasks = job.copying()?;
            let fed = !tasks.leased.is_empty()
                || self.workers.values().any(|worker| worker.takes(&job.route));
            Some((id, fed))
        });
        let copying: Vec<(JobId, bool)> = copying.collect();
        for (id, fed) in copying {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            if fed {
                job.starved_since = None;
                continue;
            }
            if job.starved_since.get_or_insert(now).after(wait) <= now {
                let message = format!(
                    "no worker took the job for {} s: start one whose configuration has the \
                     connections of source and target, with these roles and the coordinator's \
                     settings",
                    wait.as_secs()
                );
                self.fail(id, Failure::new(Reason::NoWorkers, message), actions);
            }
        }
    }
}
