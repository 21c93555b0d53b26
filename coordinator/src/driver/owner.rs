//! The driver: owner of the machine, and of everything that is known beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{Epoch, JobId};
use deepclone_core::machine::{Machine, Moment};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::job_table::JobTable;
use super::message::Message;
use super::recall::{Recall, Recalls};
use super::worker_table::WorkerTable;
use crate::effects::Context;
use crate::metrics::CoordinatorMetrics;
use crate::traces::Traces;

/// The state of the loop. Its methods are where they are used: `take`, `reply`, `release`, `run`.
pub(super) struct Driver {
    pub(super) machine: Machine,
    pub(super) context: Context,
    pub(super) metrics: Arc<CoordinatorMetrics>,
    pub(super) epoch: Epoch,
    /// The zero of [`Moment`].
    pub(super) started: Instant,
    pub(super) jobs: JobTable,
    pub(super) traces: Traces,
    pub(super) workers: WorkerTable,
    /// Submissions of this turn that the machine refused.
    pub(super) refusals: BTreeMap<JobId, Failure>,
    pub(super) recalls: Recalls,
    /// Tasks that read the database beside the loop: plans, and look-ups of ended jobs.
    pub(super) reading: JoinSet<()>,
    /// Tasks that throw away the uploads of objects that were given up.
    pub(super) ending: JoinSet<()>,
    /// For effects, to send what they end with.
    pub(super) sender: mpsc::Sender<Message>,
}

impl Driver {
    pub(super) fn new(
        machine: Machine,
        (context, metrics): (Context, Arc<CoordinatorMetrics>),
        epoch: Epoch,
        (jobs, traces): (JobTable, Traces),
        sender: mpsc::Sender<Message>,
    ) -> Self {
        Self {
            machine,
            context,
            metrics,
            epoch,
            started: Instant::now(),
            jobs,
            traces,
            workers: WorkerTable::default(),
            refusals: BTreeMap::new(),
            recalls: Recalls::default(),
            reading: JoinSet::new(),
            ending: JoinSet::new(),
            sender,
        }
    }

    pub(super) fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn instant(&self, moment: Moment) -> Instant {
        self.started + Duration::from_millis(moment.0)
    }

    /// True when the machine shows the job.
    pub(super) fn knows(&self, job: JobId) -> bool {
        self.machine.job_state(job).is_some()
    }

    /// Looks a job up in the database. What the machine forgot of it is durable there.
    pub(super) fn recall(&mut self, job: JobId, recall: Recall) {
        if !self.recalls.add(job, recall) {
            return;
        }
        let (store, sender) = (Arc::clone(&self.context.store), self.sender.clone());
        self.reading.spawn(async move {
            let found = store.find(job).await;
            let _gone = sender.send(Message::Recalled(job, found)).await;
        });
    }
}
