//! What the pages are made from: the seam between them and the rest of the coordinator.

use std::sync::Arc;

use deepclone_core::calendar::zone::Month;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::job_limits::LimitsChange;
use deepclone_core::price::Traffic;
use deepclone_core::replication::ReplicationName;
use deepclone_core::unix_time::UnixTime;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::costs::priced::Priced;
use crate::driver::Handle;
use crate::driver::job_list::list_jobs;
use crate::driver::job_query::{JobsPage, JobsQuery};
use crate::driver::message::Message;
use crate::driver::snapshot::{JobSnapshot, WorkerSnapshot};
use crate::effects::Context;
use crate::replications::message::{EngineMessage, Replications};
use crate::replications::view::FleetView;
use crate::state::{UsageBy, UsageCalendar, UsageQuery, UsageSum};

/// An answer to a page.
pub type PageAnswer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// What is done by a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageAction {
    /// Begins a round now, as if a slot had come.
    Run(ReplicationName),
    /// Begins no round until a time, or until it is resumed.
    Pause(ReplicationName, Option<UnixTime>),
    Resume(ReplicationName),
    /// Copies a table that a pattern newly found.
    Approve(ReplicationName, String),
    /// Lets no worker get a task of a job for now.
    Hold(JobId),
    Release(JobId),
    Cancel(JobId),
    /// Lets a worker finish what it holds, and leave.
    Drain(WorkerId),
}

/// What the replications of one owner sent in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerCost {
    /// Empty for what has no owner.
    pub owner: String,
    pub traffic: Traffic,
    pub cost: Priced,
}

/// Answers what pages ask for.
pub trait PageData: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> UnixTime;
    /// The replications that are kept, all at one moment.
    fn fleet(&self) -> PageAnswer<'_, Arc<FleetView>>;
    /// Some jobs, the newest first.
    fn jobs(&self, query: JobsQuery) -> PageAnswer<'_, JobsPage>;
    /// One job, also one that ended.
    fn job(&self, job: JobId) -> PageAnswer<'_, Arc<JobSnapshot>>;
    /// One job from now on. What it is sent ends with the job, or with the coordinator.
    fn watch(&self, job: JobId) -> PageAnswer<'_, watch::Receiver<Arc<JobSnapshot>>>;
    /// All workers that are known.
    fn workers(&self) -> PageAnswer<'_, Vec<WorkerSnapshot>>;
    /// What was sent in a month, by owner, and in each currency by itself.
    fn costs(&self, month: Month) -> PageAnswer<'_, Vec<OwnerCost>>;
    /// Does something; that is durable once it is answered.
    fn act(&self, action: PageAction) -> PageAnswer<'_, ()>;
}

/// The coordinator of this process.
pub struct LiveData {
    engine: Replications,
    driver: Handle,
    context: Context,
}

impl LiveData {
    #[must_use]
    pub fn new(engine: Replications, driver: Handle, context: Context) -> Self {
        Self { engine, driver, context }
    }
}

impl PageData for LiveData {
    fn now(&self) -> UnixTime {
        UnixTime(self.context.clock.now_ms())
    }

    fn fleet(&self) -> PageAnswer<'_, Arc<FleetView>> {
        Box::pin(self.engine.ask(EngineMessage::Fleet))
    }

    fn jobs(&self, query: JobsQuery) -> PageAnswer<'_, JobsPage> {
        Box::pin(async move { list_jobs(&self.driver, self.context.store.as_ref(), &query).await })
    }

    fn job(&self, job: JobId) -> PageAnswer<'_, Arc<JobSnapshot>> {
        Box::pin(self.driver.ask(move |reply| Message::Job(job, reply)))
    }

    fn watch(&self, job: JobId) -> PageAnswer<'_, watch::Receiver<Arc<JobSnapshot>>> {
        Box::pin(self.driver.ask(move |reply| Message::Watch(job, reply)))
    }

    fn workers(&self) -> PageAnswer<'_, Vec<WorkerSnapshot>> {
        Box::pin(self.driver.ask(Message::Workers))
    }

    fn costs(&self, month: Month) -> PageAnswer<'_, Vec<OwnerCost>> {
        let (by, calendar) = (UsageBy::Owner, UsageCalendar::Utc);
        let query = UsageQuery { by, month: month.to_string(), calendar };
        Box::pin(async move {
            let sums = self.context.store.usage(&query).await.map_err(|error| error.failure())?;
            let cost = |UsageSum { labels, sums }| OwnerCost {
                owner: labels.owner,
                traffic: sums.traffic,
                cost: self.context.pricing.of_sums(&sums),
            };
            Ok(sums.into_iter().map(cost).collect())
        })
    }

    fn act(&self, action: PageAction) -> PageAnswer<'_, ()> {
        let (engine, driver) = (&self.engine, &self.driver);
        let held = |held| LimitsChange { held: Some(held), ..LimitsChange::default() };
        Box::pin(async move {
            match action {
                PageAction::Run(name) => {
                    engine.ask(|answer| EngineMessage::Run(name, answer)).await.map(drop)
                }
                PageAction::Pause(name, until) => {
                    engine.ask(|answer| EngineMessage::Pause(name, until, answer)).await.map(drop)
                }
                PageAction::Resume(name) => {
                    engine.ask(|answer| EngineMessage::Resume(name, answer)).await.map(drop)
                }
                PageAction::Approve(name, path) => {
                    let approve = |answer| EngineMessage::Approve(name, vec![path], answer);
                    engine.ask(approve).await.map(drop)
                }
                PageAction::Hold(job) => {
                    driver.ask(|reply| Message::Limit(job, held(true), reply)).await.map(drop)
                }
                PageAction::Release(job) => {
                    driver.ask(|reply| Message::Limit(job, held(false), reply)).await.map(drop)
                }
                PageAction::Cancel(job) => {
                    driver.ask(|reply| Message::Cancel(job, None, reply)).await.map(drop)
                }
                PageAction::Drain(worker) => {
                    driver.ask(|reply| Message::Drain(worker, reply)).await.map(drop)
                }
            }
        })
    }
}
