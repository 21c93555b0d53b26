//! Facts become a machine again (I4): a restart is a replay.
//!
//! Leases are not facts. Every first job of a target is planned again, and nothing is granted
//! for one heartbeat: by then workers have re-announced what they hold.

use std::collections::btree_map::Entry;

use super::job::Job;
use super::{Action, End, Fact, Machine, Moment, Progress};
use crate::ids::{Epoch, JobId};
use crate::limits::Limits;

impl Machine {
    /// The machine as the facts of earlier epochs leave it, in the order in which they were
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
            machine.end_published(job, version, actions);
        }
        machine.go_on(actions);
        machine
    }

    fn replay(&mut self, fact: Fact) {
        let id = fact.job();
        if let Fact::Created { target, route, spec, .. } = fact {
            if let Entry::Vacant(place) = self.jobs.entry(id) {
                place.insert(Job::new(target, route, spec));
                self.targets.entry(target).or_default().push_back(id);
            }
            return;
        }
        // A job that ended long ago, and was dropped from the view since.
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_live()) else { return };
        match fact {
            Fact::Created { .. } | Fact::Published { .. } => {}
            Fact::Planned { source_version, replica_version, .. } => {
                job.planned = Some((source_version, replica_version));
            }
            Fact::TaskDone { fingerprint, receipt, .. } => {
                job.accept(fingerprint, &receipt);
            }
            Fact::TaskFailed { fingerprint, .. } => {
                job.attempts.entry(fingerprint).or_default().failures += 1;
            }
            Fact::CancelRequested { .. } => job.cancel_requested = true,
            Fact::PublishIntended { .. } => job.publish_intended = true,
            Fact::Ended { end, progress, .. } => self.replay_end(id, end, progress),
        }
    }

    fn replay_end(&mut self, id: JobId, end: End, progress: Progress) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.close(end, progress);
        let target = job.target;
        self.leave_queue(target, id);
        self.keep_as_ended(id);
    }

    /// A commit that is a fact ends its job, also when the end itself is not one yet.
    fn end_published(&mut self, id: JobId, version: u64, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.is_live()) else { return };
        let Some((source_version, _)) = job.planned else { return };
        let end = End::Succeeded { source_version, replica_version: version, up_to_date: false };
        self.end(id, end, actions);
    }

    fn go_on(&mut self, actions: &mut Vec<Action>) {
        let live: Vec<JobId> = self.targets.values().flatten().copied().collect();
        for id in live {
            let Some(job) = self.jobs.get(&id).filter(|job| job.is_live()) else { continue };
            let target = job.target;
            if job.cancel_requested && !job.publish_intended {
                self.end(id, End::Cancelled, actions);
            } else {
                self.start_first_of(target, actions);
            }
        }
        if !self.targets.is_empty() {
            let heartbeat = self.limits.heartbeat_interval;
            self.grant_from = Some(self.now.after(heartbeat));
        }
        self.touched.clear();
    }
}
