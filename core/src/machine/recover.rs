//! Facts become a machine again (I4): a restart is a replay.
//!
//! Leases are not facts. Every first job of a target is planned again, and nothing is granted
//! for one heartbeat: by then workers have announced again what they hold.

use std::collections::btree_map::Entry;

use super::action::Action;
use super::fact::{End, Fact};
use super::job::Job;
use super::moment::Moment;
use super::progress::Progress;
use super::state::Machine;
use super::violation::Violation;
use crate::ids::{Epoch, JobId};
use crate::job_limits::JobLimits;
use crate::limits::Limits;

impl Machine {
    /// Returns the machine as the facts of earlier epochs leave it, in the order in which they were
    /// recorded. Every job under way is planned again.
    pub fn recover(
        epoch: Epoch,
        limits: Limits,
        now: Moment,
        facts: impl IntoIterator<Item = Fact>,
        actions: &mut Vec<Action>,
    ) -> Self {
        let mut machine = Self::new(epoch, limits);
        machine.now = now;
        if epoch.0 > 1 {
            // The workers of the epoch before notice by their heartbeats that they are not known.
            machine.believe_from = now.after(limits.heartbeat_interval * 2);
        }
        let mut published: Vec<(JobId, u64)> = Vec::new();
        for fact in facts {
            if let Fact::Published { job, version } = fact {
                published.push((job, version));
            }
            machine.replay(fact);
        }
        for (job, version) in published {
            let ended = machine.end_published(job, version, actions);
            machine.record(ended);
        }
        machine.go_on(actions);
        machine
    }

    fn replay(&mut self, fact: Fact) {
        let id = fact.job();
        if let Fact::Created { target, route, spec, .. } = fact {
            if let Entry::Vacant(place) = self.jobs.entry(id) {
                place.insert(Job::new(target, route, spec, JobLimits::default()));
                self.targets.entry(target).or_default().push_back(id);
            }
            return;
        }
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_live()) else {
            // It ended: what else was recorded of it does not matter, or was purged.
            return;
        };
        match fact {
            Fact::Created { .. } | Fact::Published { .. } => {}
            Fact::Limited { limits, .. } => job.limits = limits,
            Fact::Planned { source_version, replica_version, .. } => {
                job.planned = Some((source_version, replica_version));
            }
            Fact::TaskDone { fingerprint, receipt, .. } => job.accept(fingerprint, &receipt),
            Fact::TaskFailed { fingerprint, .. } => {
                job.attempts.entry(fingerprint).or_default().failures += 1;
            }
            Fact::GroupRestarted { fingerprints, .. } => {
                for fingerprint in &fingerprints {
                    job.evidence.remove(fingerprint);
                }
                if let Some(opening) = fingerprints.first() {
                    job.attempts.entry(*opening).or_default().failures += 1;
                }
            }
            Fact::CancelRequested { .. } => job.cancel_requested = true,
            Fact::PublishIntended { .. } => job.publish_intended = true,
            Fact::Ended { end, progress, .. } => {
                let ended = self.replay_end(id, end, progress);
                self.record(ended);
            }
        }
    }

    fn replay_end(&mut self, id: JobId, end: End, progress: Progress) -> Result<(), Violation> {
        let job = self.job_mut(id)?;
        job.close(end, progress);
        let target = job.target;
        self.leave_queue(target, id);
        self.keep_as_ended(id);
        Ok(())
    }

    /// Ends a job whose commit is a fact, when its end is not a fact yet.
    fn end_published(
        &mut self,
        id: JobId,
        version: u64,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        match self.jobs.get(&id).filter(|job| job.is_live()).map(|job| job.planned) {
            Some(Some((source_version, _))) => {
                let up_to_date = false;
                let end = End::Succeeded { source_version, replica_version: version, up_to_date };
                self.end(id, end, actions)
            }
            // Its end is a fact, too; or its plan is not, and the next plan finds the commit.
            None | Some(None) => Ok(()),
        }
    }

    fn go_on(&mut self, actions: &mut Vec<Action>) {
        let live: Vec<JobId> = self.targets.values().flatten().copied().collect();
        for id in live {
            let goes_on = self.go_on_with(id, actions);
            self.record(goes_on);
        }
        if !self.targets.is_empty() {
            let heartbeat = self.limits.heartbeat_interval;
            self.grant_from = Some(self.now.after(heartbeat));
        }
        self.touched.clear();
    }

    fn go_on_with(&mut self, id: JobId, actions: &mut Vec<Action>) -> Result<(), Violation> {
        let job = self.job_mut(id)?;
        if job.cancel_requested && !job.publish_intended {
            return self.end(id, End::Cancelled, actions);
        }
        let target = job.target;
        self.start_first_of(target, actions)
    }
}
