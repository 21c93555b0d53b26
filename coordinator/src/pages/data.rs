//! What the pages are made from: the seam between them and the rest of the coordinator.

use std::sync::Arc;

use deepclone_common::clock::Clock;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::job_limits::LimitsChange;
use deepclone_core::replication::ReplicationName;
use deepclone_core::unix_time::UnixTime;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::driver::Handle;
use crate::driver::message::Message;
use crate::driver::snapshot::{JobSnapshot, JobsPage, JobsQuery, WorkerSnapshot};
use crate::replications::message::{EngineMessage, Replications};
use crate::replications::view::FleetView;

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
    /// Lets no worker get a task of a job for now.
    Hold(JobId),
    Release(JobId),
    Cancel(JobId),
    /// Lets a worker finish what it holds, and leave.
    Drain(WorkerId),
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
    /// Does something; that is durable once it is answered.
    fn act(&self, action: PageAction) -> PageAnswer<'_, ()>;
}

/// The coordinator of this process.
pub struct LiveData {
    engine: Replications,
    driver: Handle,
    clock: Clock,
}

impl LiveData {
    #[must_use]
    pub fn new(engine: Replications, driver: Handle, clock: Clock) -> Self {
        Self { engine, driver, clock }
    }
}

impl PageData for LiveData {
    fn now(&self) -> UnixTime {
        UnixTime(self.clock.now_ms())
    }

    fn fleet(&self) -> PageAnswer<'_, Arc<FleetView>> {
        Box::pin(self.engine.ask(EngineMessage::Fleet))
    }

    fn jobs(&self, query: JobsQuery) -> PageAnswer<'_, JobsPage> {
        Box::pin(self.driver.ask(move |reply| Message::Jobs(query, reply)))
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
                PageAction::Hold(job) => {
                    driver.ask(|reply| Message::Limit(job, held(true), reply)).await.map(drop)
                }
                PageAction::Release(job) => {
                    driver.ask(|reply| Message::Limit(job, held(false), reply)).await.map(drop)
                }
                PageAction::Cancel(job) => {
                    driver.ask(|reply| Message::Cancel(job, reply)).await.map(drop)
                }
                PageAction::Drain(worker) => {
                    driver.ask(|reply| Message::Drain(worker, reply)).await.map(drop)
                }
            }
        })
    }
}
