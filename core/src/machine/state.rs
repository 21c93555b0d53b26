//! The whole state of the machine, the look-ups in it, and the one place that moves a task.
//!
//! A look-up of what must be there returns a [`Violation`] when it is not, so that a step ends
//! there with a name for what went wrong. Messages that come late, for what is over or forgotten,
//! never reach these: `life`, `report`, `grant` and `membership` have an arm for each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use uuid::Uuid;

use super::copying_jobs::CopyingJobs;
use super::fleet::Fleet;
use super::job::Job;
use super::job_state::JobState;
use super::moment::Moment;
use super::notice::TaskCounts;
use super::tasks::{Task, TaskState, Tasks};
use super::view::{JobView, WorkerView};
use super::violation::Violation;
use crate::ids::{Epoch, JobId, TargetKey, TaskIndex, WorkerId};
use crate::limits::Limits;

/// Every decision about jobs, tasks, leases and workers. The same events at the same moments
/// give the same actions.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) epoch: Epoch,
    pub(super) limits: Limits,
    /// The moment of the newest step; never goes back.
    pub(super) now: Moment,
    /// Live jobs, and the newest of those that ended.
    pub(super) jobs: BTreeMap<JobId, Job>,
    /// Those that are copied; `Machine::note_job` keeps it.
    pub(super) copying: CopyingJobs,
    /// The live jobs of each target; only the first is active.
    pub(super) targets: BTreeMap<TargetKey, VecDeque<JobId>>,
    /// Jobs that ended and are still shown, oldest first.
    pub(super) ended: VecDeque<JobId>,
    pub(super) workers: Fleet,
    /// After a recovery: nothing is granted before.
    pub(super) grant_from: Option<Moment>,
    /// After a recovery: no denial is believed before, for other workers may not be back yet.
    pub(super) believe_from: Moment,
    /// When leases and silent workers are looked at next; `None` while there is neither a live
    /// worker nor a job that waits for one.
    pub(super) tick_at: Option<Moment>,
    /// Jobs that the step changed.
    pub(super) touched: BTreeSet<JobId>,
    /// The step made a task ready.
    pub(super) work_appeared: bool,
    /// The step ends with a recount of what must hold.
    pub(super) recount_due: bool,
    /// Where the next part of a recount begins: the job, and its task.
    pub(super) recounted: (JobId, usize),
    /// What the step found broken.
    pub(super) violated: Vec<Violation>,
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
            copying: CopyingJobs::default(),
            targets: BTreeMap::new(),
            ended: VecDeque::new(),
            workers: Fleet::default(),
            grant_from: None,
            believe_from: Moment(0),
            tick_at: None,
            touched: BTreeSet::new(),
            work_appeared: false,
            recount_due: false,
            recounted: (JobId(Uuid::nil()), 0),
            violated: Vec::new(),
        }
    }

    /// Returns when to send [`DeadlineReached`](super::Event::DeadlineReached) at the latest;
    /// `None` while nothing is due by time.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let (backoff, request) = (self.copying.first_backoff(), self.workers.first_deadline());
        [backoff, request, self.grant_from, self.tick_at].into_iter().flatten().min()
    }

    /// Returns the epoch of this machine.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns a job that is live, or ended not too long ago.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<JobView<'_>> {
        Some(self.view(job, self.jobs.get(&job)?))
    }

    /// Returns every job that is known, by id.
    pub fn jobs(&self) -> impl ExactSizeIterator<Item = JobView<'_>> {
        self.jobs.iter().map(|(&id, job)| self.view(id, job))
    }

    /// Returns where a job stands; cheaper than [`Machine::job`].
    #[must_use]
    pub fn job_state(&self, job: JobId) -> Option<JobState> {
        let job = self.jobs.get(&job)?;
        Some(job.shown_state(|| self.has_worker(job)))
    }

    fn view<'a>(&'a self, id: JobId, job: &'a Job) -> JobView<'a> {
        job.view(id, || self.has_worker(job))
    }

    /// True when some worker takes the tasks of this job.
    pub(super) fn has_worker(&self, job: &Job) -> bool {
        self.workers.iter().any(|(_, worker)| worker.takes(&job.route))
    }

    /// Returns a worker that is live, or was lost not too long ago.
    #[must_use]
    pub fn worker(&self, worker: WorkerId) -> Option<WorkerView<'_>> {
        self.workers.get(worker).map(|known| known.view(worker))
    }

    /// Returns how many tasks of the jobs that are copied stand where.
    #[must_use]
    pub fn task_counts(&self) -> TaskCounts {
        let mut counts = TaskCounts::default();
        for tasks in self.active().filter_map(|(_, job)| job.copying()) {
            counts.ready += tasks.ready.len() as u64;
            counts.leased += tasks.leased.len() as u64;
            counts.waiting += (tasks.waiting + tasks.backoff.len()) as u64;
            counts.done += tasks.done.tasks;
        }
        counts
    }

    /// Returns every worker that is known, by id.
    pub fn workers(&self) -> impl ExactSizeIterator<Item = WorkerView<'_>> {
        self.workers.iter().map(|(id, worker)| worker.view(id))
    }

    /// The jobs that are under way: the first of each target.
    pub(super) fn active(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.targets.values().filter_map(|queue| {
            let id = *queue.front()?;
            Some((id, self.jobs.get(&id)?))
        })
    }

    /// A job that a step acts on.
    pub(super) fn job_mut(&mut self, id: JobId) -> Result<&mut Job, Violation> {
        self.jobs.get_mut(&id).ok_or(Violation::no_job(id))
    }

    /// The tasks that workers copy, of a job that a step acts on.
    pub(super) fn copying_mut(&mut self, id: JobId) -> Result<&mut Tasks, Violation> {
        self.job_mut(id)?.copying_mut().ok_or(Violation::wrong_state(id))
    }

    /// A task that workers may copy, of a job that a step acts on.
    pub(super) fn task_mut(&mut self, id: JobId, index: TaskIndex) -> Result<&mut Task, Violation> {
        self.copying_mut(id)?.get_mut(index).ok_or(Violation::no_task(id))
    }

    /// A task that workers may copy, of a job that a step acts on.
    pub(super) fn task(&self, id: JobId, index: TaskIndex) -> Result<&Task, Violation> {
        let job = self.jobs.get(&id).ok_or(Violation::no_job(id))?;
        let tasks = job.copying().ok_or(Violation::wrong_state(id))?;
        tasks.get(index).ok_or(Violation::no_task(id))
    }

    /// Moves a task to another state and keeps the lists of what workers hold.
    pub(super) fn set_task(
        &mut self,
        id: JobId,
        index: TaskIndex,
        state: TaskState,
    ) -> Result<(), Violation> {
        let old = self.copying_mut(id)?.set(index, state).ok_or(Violation::no_task(id))?;
        if let TaskState::Leased(leases) = old {
            for lease in leases.iter() {
                self.workers.let_go(lease.worker, (id, index));
            }
            // A worker that waits may take the place of one that holds nothing of it any more.
            self.work_appeared |= self.jobs.get(&id).is_some_and(Job::is_limited);
        }
        match state {
            TaskState::Leased(leases) => {
                for lease in leases.iter() {
                    self.job_mut(id)?.note_holder(lease.worker);
                    self.workers.hold(lease.worker, (id, index));
                }
            }
            TaskState::Ready => self.work_appeared = true,
            TaskState::Waiting | TaskState::Backoff(_) | TaskState::Done => {}
        }
        self.touched.insert(id);
        self.note_job(id);
        Ok(())
    }

    /// Keeps what a step asks of all jobs that are copied. Called when a job becomes one of them,
    /// or one no more, and when its tasks or its limits change.
    pub(super) fn note_job(&mut self, id: JobId) {
        self.copying.note(id, self.jobs.get(&id));
    }

    /// Keeps a violation for the end of the step, and goes on with what else the step has to do.
    pub(super) fn record(&mut self, result: Result<(), Violation>) {
        self.violated.extend(result.err());
    }
}
