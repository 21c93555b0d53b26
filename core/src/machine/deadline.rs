//! What is due by time alone: leases that expire, silent workers, pauses that are over, requests
//! that waited long enough.

use super::action::Action;
use super::job::{Job, Stage};
use super::lease::{Lease, TaskLeases};
use super::membership::answer_with_nothing;
use super::moment::Moment;
use super::notice::Notice;
use super::state::Machine;
use super::tasks::TaskState;
use crate::ids::{JobId, TaskIndex, WorkerId};

impl Machine {
    /// Applies everything that is due.
    pub(super) fn deadline_reached(&mut self, actions: &mut Vec<Action>) {
        if self.grant_from.is_some_and(|from| from <= self.now) {
            self.grant_from = None;
        }
        if self.tick_at.is_some_and(|tick| tick <= self.now) {
            self.lose_silent_workers(actions);
            self.expire_leases(actions);
            self.end_set_asides();
            self.believe_the_last(actions);
            self.end_starving_jobs(actions);
            self.tick_at = None;
            self.wake_at_tick();
            self.recount_due = true;
        }
        self.end_backoffs();
        self.serve_waiting(actions);
        self.work_appeared = false;
        let now = self.now;
        for id in self.workers.overdue(now) {
            answer_with_nothing(id, self.workers.set_request(id, None), actions);
        }
    }

    fn expire_leases(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let mut expired: Vec<(WorkerId, JobId, TaskIndex)> = Vec::new();
        let mut notice = |job, fingerprint, lease: &Lease| {
            let (worker, key) = (lease.worker, lease.key_of(job, fingerprint));
            actions.push(Action::Noticed(Notice::LeaseExpired { worker, key }));
        };
        for (&id, job) in &mut self.jobs {
            match &mut job.stage {
                Stage::Planning { .. } => {
                    for (fingerprint, lease) in
                        job.lose_announced(|_, lease| lease.expires_at <= now)
                    {
                        notice(id, fingerprint, &lease);
                    }
                }
                Stage::Copying(tasks) => {
                    let due = tasks.leases().filter(|(_, lease)| lease.expires_at <= now);
                    for (index, lease) in due {
                        if let Some(task) = tasks.get(index) {
                            notice(id, task.fingerprint, &lease);
                        }
                        expired.push((lease.worker, id, index));
                    }
                }
                Stage::Queued | Stage::Publishing(_) | Stage::Ended { .. } => {}
            }
        }
        self.lose_leases(&expired, actions);
    }

    fn end_backoffs(&mut self) {
        let mut over = Vec::new();
        for id in self.copying.backoffs_over(self.now) {
            let Some(tasks) = self.jobs.get(&id).and_then(Job::copying) else { continue };
            let due = tasks.backoff.iter().take_while(|(until, _)| *until <= self.now);
            over.extend(due.map(|&(_, index)| (id, index)));
        }
        for (id, index) in over {
            let ready = self.set_task(id, index, TaskState::Ready);
            self.record(ready);
        }
    }

    /// Extends every deadline by the driver's stall, so that a stall costs no lease and no wait.
    pub(super) fn forgive(&mut self, gap_ms: u64) {
        let forgiven = |moment: Moment| Moment(moment.0.saturating_add(gap_ms));
        for worker in self.workers.iter_mut() {
            worker.last_seen = forgiven(worker.last_seen);
            worker.moved_at = forgiven(worker.moved_at);
            for aside in worker.set_aside.values_mut() {
                aside.until = forgiven(aside.until);
            }
        }
        self.grant_from = self.grant_from.map(forgiven);
        self.believe_from = forgiven(self.believe_from);
        for job in self.jobs.values_mut() {
            job.starved_since = job.starved_since.map(forgiven);
            match &mut job.stage {
                Stage::Planning { announced } => {
                    let leases = announced.values_mut().flat_map(TaskLeases::iter_mut);
                    leases.for_each(|lease| lease.forgive(gap_ms));
                }
                Stage::Copying(tasks) => tasks.forgive(gap_ms),
                Stage::Queued | Stage::Publishing(_) | Stage::Ended { .. } => {}
            }
        }
    }
}
