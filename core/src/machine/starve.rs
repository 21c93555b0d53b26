//! Jobs that no worker takes: they end after a while, instead of waiting for ever.
//!
//! The wait is not a fact: a restarted coordinator counts it anew.

use std::collections::BTreeMap;

use super::action::Action;
use super::state::Machine;
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{ConnectionKey, JobId};
use crate::reason::Reason;

impl Machine {
    /// Fails the jobs that no worker took for the limit. One that is held does not starve, nor one
    /// whose tasks are being copied, even when the worker that copies them takes no more.
    pub(super) fn end_starving_jobs(&mut self, actions: &mut Vec<Action>) {
        // Many jobs share a route: the workers are asked once for each.
        let mut taken: BTreeMap<(ConnectionKey, ConnectionKey), bool> = BTreeMap::new();
        let copying = self.active().filter_map(|(id, job)| {
            let tasks = job.copying()?;
            let route = (job.route.source, job.route.target);
            let mut has_worker = || *taken.entry(route).or_insert_with(|| self.has_worker(job));
            let fed = job.limits.held || !tasks.leased.is_empty() || has_worker();
            Some((id, fed))
        });
        let copying: Vec<(JobId, bool)> = copying.collect();
        for (id, fed) in copying {
            let waited = self.wait_for_workers(id, fed, actions);
            self.record(waited);
        }
    }

    fn wait_for_workers(
        &mut self,
        id: JobId,
        fed: bool,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let (now, wait) = (self.now, self.limits.no_workers_wait);
        let job = self.job_mut(id)?;
        if fed {
            job.starved_since = None;
            return Ok(());
        }
        if job.starved_since.get_or_insert(now).after(wait) > now {
            return Ok(());
        }
        let message = format!(
            "no worker took the job for {} s: start one whose configuration has the connections \
             of source and target, with these roles and the coordinator's settings",
            wait.as_secs()
        );
        self.fail(id, Failure::new(Reason::NoWorkers, message), actions)
    }
}
