//! A fake of what the pages are made from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use deepclone_coordinator::driver::job_query::{JobsPage, JobsQuery};
use deepclone_coordinator::driver::snapshot::{JobSnapshot, WorkerSnapshot};
use deepclone_coordinator::pages::data::{OwnerCost, PageAction, PageAnswer, PageData};
use deepclone_coordinator::replications::view::FleetView;
use deepclone_core::calendar::zone::Month;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::watch;

use crate::samples::NOW;

/// Answers with what it holds.
#[derive(Clone)]
pub(crate) struct FakeData {
    pub(crate) fleet: Result<Arc<FleetView>, Failure>,
    /// In the order of lists: the newest first.
    pub(crate) jobs: Vec<watch::Receiver<Arc<JobSnapshot>>>,
    pub(crate) workers: Vec<WorkerSnapshot>,
    pub(crate) costs: BTreeMap<Month, Vec<OwnerCost>>,
    /// In the order in which it came.
    pub(crate) done: Arc<Mutex<Vec<PageAction>>>,
}

impl FakeData {
    pub(crate) fn good(fleet: FleetView) -> Self {
        Self::of(Ok(Arc::new(fleet)))
    }

    pub(crate) fn of(fleet: Result<Arc<FleetView>, Failure>) -> Self {
        let (jobs, workers, costs) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { fleet, jobs, workers, costs, done: Arc::default() }
    }

    fn find(&self, job: JobId) -> Result<&watch::Receiver<Arc<JobSnapshot>>, Failure> {
        let found = self.jobs.iter().find(|known| known.borrow().job == job);
        found.ok_or_else(|| Failure::new(Reason::JobNotFound, format!("there is no job {job}")))
    }

    /// Answers as everything does while nothing can be shown.
    fn answer<T: Send + 'static>(&self, answer: Result<T, Failure>) -> PageAnswer<'_, T> {
        let failure = self.fleet.as_ref().err().cloned();
        Box::pin(std::future::ready(failure.map_or(answer, Err)))
    }
}

impl PageData for FakeData {
    fn now(&self) -> UnixTime {
        NOW
    }

    fn fleet(&self) -> PageAnswer<'_, Arc<FleetView>> {
        self.answer(self.fleet.clone())
    }

    fn jobs(&self, query: JobsQuery) -> PageAnswer<'_, JobsPage> {
        let all = self.jobs.iter().map(|job| Arc::clone(&job.borrow()));
        let fits =
            |job: &Arc<JobSnapshot>| query.filter.state.is_none_or(|state| job.state == state);
        let found: Vec<_> = all.filter(fits).collect();
        let place =
            |after| found.iter().position(|job| job.place() == after).map_or(0, |at| at + 1);
        let first = query.after.map_or(0, place);
        let jobs: Vec<_> = found[first..].iter().take(query.size).cloned().collect();
        let is_more = found.len() > first + jobs.len();
        let next = jobs.last().filter(|_| is_more).map(|job| job.place());
        self.answer(Ok(JobsPage { jobs, next }))
    }

    fn job(&self, job: JobId) -> PageAnswer<'_, Arc<JobSnapshot>> {
        self.answer(self.find(job).map(|found| Arc::clone(&found.borrow())))
    }

    fn watch(&self, job: JobId) -> PageAnswer<'_, watch::Receiver<Arc<JobSnapshot>>> {
        self.answer(self.find(job).cloned())
    }

    fn workers(&self) -> PageAnswer<'_, Vec<WorkerSnapshot>> {
        self.answer(Ok(self.workers.clone()))
    }

    fn costs(&self, month: Month) -> PageAnswer<'_, Vec<OwnerCost>> {
        self.answer(Ok(self.costs.get(&month).cloned().unwrap_or_default()))
    }

    fn act(&self, action: PageAction) -> PageAnswer<'_, ()> {
        let outcome = match action {
            PageAction::Hold(job) | PageAction::Release(job) | PageAction::Cancel(job) => {
                self.find(job).and_then(|found| match found.borrow().state.is_final() {
                    true => Err(Failure::new(Reason::JobEnded, format!("{job} has ended"))),
                    false => Ok(()),
                })
            }
            _ => Ok(()),
        };
        if outcome.is_ok() {
            self.done.lock().unwrap().push(action);
        }
        self.answer(outcome)
    }
}
