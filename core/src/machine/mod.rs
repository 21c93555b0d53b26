//! The life of a sync, as one deterministic machine.
//!
//! Events in, actions out: [`Machine::step`]. The three closed enums [`Event`], [`Action`] and
//! [`Fact`] are the vocabulary of the system. Time is an argument ([`Moment`]).
//!
//! What the driver owes it: ids that are never minted twice, nor submitted again once their job is
//! forgotten here; all queued events before [`Event::DeadlineReached`], which comes at
//! [`Machine::next_deadline`] at the latest; facts durable before the other actions of their batch;
//! one end for every `Plan`, `PlanAgain` and `Publish`, in bounded time; an answer of its own to a
//! question for tasks that a newer one of the same worker replaced.
//!
//! * `life`: a job is submitted, planned, copied, published, ended; `job` holds its states.
//! * `lease`: who gets which task; `tasks` holds the tasks of one plan, `attempts` the attempts at
//!   each of them.
//! * `report`: what workers report; `retry` decides about another attempt, `deny` whether a worker
//!   that fails is believed, `replan` what becomes of a job whose source lost an object.
//! * `worker`: workers come, leave, drain, are lost; `starve` ends jobs that none takes.
//! * `recover`: facts become a machine again.
//! * `invariants`: what must hold after every step.
//! * `view`: what others may see.

mod action;
mod attempts;
mod deny;
mod event;
mod fact;
mod invariants;
mod job;
mod lease;
mod life;
mod recover;
mod replan;
mod report;
mod retry;
mod starve;
mod tasks;
#[cfg(test)]
mod tests;
mod view;
mod worker;

pub use action::{Action, GrantedTask};
pub use event::{Event, HeldTask, Plan, PlanTask, PublishOutcome, Route, TaskOutcome};
pub use fact::{End, Fact};
pub use invariants::Violation;
pub use view::{JobState, JobView, Progress, SetAside, WorkerState, WorkerView};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use job::Job;
use tasks::TaskState;
use worker::{OpenRequest, Worker};

use crate::ids::{Epoch, JobId, TargetKey, TaskIndex, WorkerId};
use crate::limits::Limits;

/// Milliseconds on the driver's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment this much later.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Every decision about jobs, tasks, leases and workers. The same events at the same moments
/// give the same actions.
#[derive(Clone, Debug)]
pub struct Machine {
    epoch: Epoch,
    limits: Limits,
    /// The moment of the newest step; never goes back.
    now: Moment,
    /// Live jobs, and the newest of those that ended.
    jobs: BTreeMap<JobId, Job>,
    /// The live jobs of each target; only the first is active.
    targets: BTreeMap<TargetKey, VecDeque<JobId>>,
    /// Jobs that ended and are still shown, oldest first.
    ended: VecDeque<JobId>,
    workers: BTreeMap<WorkerId, Worker>,
    /// After a recovery: nothing is granted before.
    grant_from: Option<Moment>,
    /// After a recovery: no denial is believed before, for other workers may not be back yet.
    believe_from: Moment,
    /// When leases and silent workers are looked at next; none while there is neither a live
    /// worker nor a job that waits for one.
    tick_at: Option<Moment>,
    /// Jobs that this step changed.
    touched: BTreeSet<JobId>,
    /// This step made a task ready.
    work_appeared: bool,
    /// This step ends with the full check of the invariants.
    recount_due: bool,
}

impl Machine {
    /// A machine that knows of nothing, in `epoch`.
    #[must_use]
    pub fn new(epoch: Epoch, limits: Limits) -> Self {
        Self {
            epoch,
            limits,
            now: Moment(0),
            jobs: BTreeMap::new(),
            targets: BTreeMap::new(),
            ended: VecDeque::new(),
            workers: BTreeMap::new(),
            grant_from: None,
            believe_from: Moment(0),
            tick_at: None,
            touched: BTreeSet::new(),
            work_appeared: false,
            recount_due: false,
        }
    }

    /// Applies one event and appends what is to be done.
    pub fn step(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        self.advance(now);
        self.apply(event, actions);
        if self.work_appeared {
            self.serve_waiting(actions);
            self.work_appeared = false;
        }
        self.uphold_invariants(actions);
        let touched = std::mem::take(&mut self.touched);
        actions.extend(touched.into_iter().map(|job| Action::Changed { job }));
    }

    fn apply(&mut self, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Submitted { job, target, route, spec } => {
                self.submitted(job, target, route, spec, actions);
            }
            Event::CancelRequested { job } => self.cancel_requested(job, actions),
            Event::Planned { job, plan } => self.planned(job, &plan, actions),
            Event::UpToDate { job, source_version, replica_version } => {
                self.up_to_date(job, source_version, replica_version, actions);
            }
            Event::PlanFailed { job, failure } => self.plan_failed(job, failure, actions),
            Event::WorkerRegistered { worker, readable, writable, held } => {
                self.worker_registered(worker, readable, writable, &held);
            }
            Event::TasksWanted { worker, capacity, deadline } => {
                self.tasks_wanted(worker, OpenRequest { capacity, deadline }, actions);
            }
            Event::Heartbeat { worker, held } => self.heartbeat(worker, &held, actions),
            Event::Reported { worker, outcomes } => self.reported(worker, outcomes, actions),
            // What it returns is free again, and so is what it forgot to name.
            Event::WorkerLeft { worker, returned: _ } => self.worker_left(worker, actions),
            Event::DrainRequested { worker } => self.drain_requested(worker, actions),
            Event::PublishEnded { job, outcome } => self.publish_ended(job, outcome, actions),
            Event::DeadlineReached => self.deadline_reached(actions),
        }
    }

    /// When to send [`Event::DeadlineReached`] at the latest; none: nothing is awaited.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let backoffs = self
            .active()
            .filter_map(|(_, job)| job.copying()?.backoff.first().map(|&(until, _)| until));
        let requests = self.workers.values().filter_map(|worker| Some(worker.waiting?.deadline));
        backoffs.chain(requests).chain(self.grant_from).chain(self.tick_at).min()
    }

    /// The epoch of this machine.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// A job: live, or ended not too long ago.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<JobView<'_>> {
        Some(self.view(job, self.jobs.get(&job)?))
    }

    /// Every job that is known, by id.
    pub fn jobs(&self) -> impl Iterator<Item = JobView<'_>> {
        self.jobs.iter().map(|(&id, job)| self.view(id, job))
    }

    /// Where a job stands; cheaper than the whole of it.
    #[must_use]
    pub fn job_state(&self, job: JobId) -> Option<JobState> {
        let job = self.jobs.get(&job)?;
        Some(job.shown_state(|| self.has_worker(job)))
    }

    fn view<'a>(&'a self, id: JobId, job: &'a Job) -> JobView<'a> {
        job.view(id, || self.has_worker(job))
    }

    fn has_worker(&self, job: &Job) -> bool {
        self.workers.values().any(|worker| worker.takes(&job.route))
    }

    /// A worker: live, or lost not too long ago.
    #[must_use]
    pub fn worker(&self, worker: WorkerId) -> Option<WorkerView<'_>> {
        self.workers.get(&worker).map(|known| known.view(worker))
    }

    /// Every worker that is known, by id.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView<'_>> {
        self.workers.iter().map(|(&id, worker)| worker.view(id))
    }

    /// The jobs that are under way: the first of each target.
    fn active(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.targets.values().filter_map(|queue| {
            let id = *queue.front()?;
            Some((id, self.jobs.get(&id)?))
        })
    }

    /// Moves a task to another state and keeps what its holder holds. The one road for it.
    fn set_task(&mut self, id: JobId, index: TaskIndex, state: TaskState) {
        let Some(tasks) = self.jobs.get_mut(&id).and_then(Job::copying_mut) else { return };
        let Some(old) = tasks.set(index, state) else { return };
        if let TaskState::Leased(lease) = old
            && let Some(worker) = self.workers.get_mut(&lease.worker)
        {
            worker.held.remove(&(id, index));
        }
        match state {
            TaskState::Leased(lease) => {
                if let Some(worker) = self.workers.get_mut(&lease.worker) {
                    worker.held.insert((id, index));
                }
            }
            TaskState::Ready => self.work_appeared = true,
            TaskState::Backoff(_) | TaskState::Done => {}
        }
        self.touched.insert(id);
    }

    /// Moves the clock. While a tick is awaited there is a step at least every half heartbeat; when
    /// there was none for longer than a whole one, the driver stood still.
    fn advance(&mut self, now: Moment) {
        let gap_ms = now.0.saturating_sub(self.now.0);
        let heartbeat = self.limits.heartbeat_interval;
        if self.tick_at.is_some() && now > self.now.after(heartbeat) {
            self.forgive(gap_ms);
        }
        self.now = self.now.max(now);
    }
}
