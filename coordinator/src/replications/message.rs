//! What reaches the engine: requests, each with a way to answer it, and the ends of what it began.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::price::Traffic;
use deepclone_core::reason::Reason;
use deepclone_core::replication::{ReplicationName, ReplicationSpec, SharedBudgetSpec};
use deepclone_core::standing::UpkeepKind;
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::verify::KeptVerdict;
use tokio::sync::{mpsc, oneshot};

use super::news::JobNews;
use super::planned::PlannedSet;
use super::probe::Probed;
use super::survey::Survey;
use super::view::{FleetView, ReplicationView};

/// Takes the answer to a request.
pub type EngineReply<T> = oneshot::Sender<Result<T, Failure>>;

/// A request of a client, or the end of something that the engine began.
pub enum EngineMessage {
    /// The replications are to be these and no others.
    Apply {
        specs: Vec<ReplicationSpec>,
        /// The budgets of several of them, all of them.
        budgets: Vec<SharedBudgetSpec>,
        validate_only: bool,
        answer: EngineReply<PlannedSet>,
    },
    /// What such a set would meet was looked at.
    Surveyed(Box<SurveyedSet>),
    Fleet(EngineReply<Arc<FleetView>>),
    Pause(ReplicationName, Option<UnixTime>, EngineReply<Arc<ReplicationView>>),
    Resume(ReplicationName, EngineReply<Arc<ReplicationView>>),
    Run(ReplicationName, EngineReply<Arc<ReplicationView>>),
    Retire(ReplicationName, EngineReply<Arc<ReplicationView>>),
    /// These tables of a replication are to be copied.
    Approve(ReplicationName, Vec<String>, EngineReply<Arc<ReplicationView>>),
    /// The source of a replication says that it has a new commit.
    SourceChanged(ReplicationName, EngineReply<()>),
    /// The sources of a replication were asked, which took so much: for a round, or in between.
    Probed(ReplicationId, Option<u64>, Traffic, Result<Probed, Failure>),
    Job(JobId, JobNews),
    /// An audit or a vacuum is over.
    KeptUp(Box<UpkeepEnd>),
}

/// The end of an audit or of a vacuum of one replica.
pub struct UpkeepEnd {
    pub replication: ReplicationId,
    pub table: TableNumber,
    pub kind: UpkeepKind,
    pub found: Result<UpkeepFound, Failure>,
}

/// The verdict of an audit, or what a vacuum deleted.
pub enum UpkeepFound {
    Verdict(Box<KeptVerdict>),
    Deleted { objects: u64, bytes: u64 },
}

/// A declared set, and what it would meet.
pub struct SurveyedSet {
    pub specs: Vec<ReplicationSpec>,
    pub budgets: Vec<SharedBudgetSpec>,
    pub validate_only: bool,
    pub surveys: Vec<Survey>,
    pub answer: EngineReply<PlannedSet>,
}

/// Sends requests to the engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Replications {
    sender: mpsc::Sender<EngineMessage>,
}

impl Replications {
    pub(crate) fn new(sender: mpsc::Sender<EngineMessage>) -> Self {
        Self { sender }
    }

    /// Sends a request and waits for its answer, which comes once it is durable.
    ///
    /// # Errors
    /// Why it is refused, or `CoordinatorUnavailable` when the engine has stopped.
    pub async fn ask<T>(
        &self,
        request: impl FnOnce(EngineReply<T>) -> EngineMessage,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let stopped =
            || Failure::new(Reason::CoordinatorUnavailable, "the coordinator is stopping");
        self.sender.send(request(answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

/// Returns the refusal of a name that none of the kept replications has.
#[must_use]
pub fn unknown_replication(name: &ReplicationName) -> Failure {
    let message = format!("there is no replication {name}");
    Failure::new(Reason::ReplicationNotFound, message).with("replication", name.to_string())
}
