//! What the pages are made from: the seam between them and the rest of the coordinator.

use std::sync::Arc;

use deepclone_common::clock::Clock;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
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
}
