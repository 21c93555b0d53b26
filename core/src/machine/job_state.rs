//! Where a job stands, for others.

/// Where a job stands; the names of the API.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> Queued: submitted
///     Queued --> Planning: first of its target
///     Queued --> Cancelled: cancelled
///     Planning --> Copying: planned
///     Planning --> Succeeded: up to date, or its commit is found in the log
///     Planning --> Failed: refused
///     Planning --> Cancelled: cancelled
///     Planning --> Cancelling: cancelled while a commit may be in the log
///     Copying --> WaitingForWorkers: no worker takes it
///     Copying --> Held: held
///     Held --> Copying: held no more
///     Held --> Publishing: what was in flight was all
///     Held --> Cancelled: cancelled
///     WaitingForWorkers --> Copying: a worker takes it
///     WaitingForWorkers --> Failed: waited too long
///     Copying --> Planning: an object of the source is gone
///     Copying --> Publishing: every task is done
///     Copying --> Failed: a task failed for good
///     Copying --> Cancelled: cancelled
///     Publishing --> Succeeded: published
///     Publishing --> Planning: another sync won the version
///     Publishing --> Copying: objects are missing at the target
///     Publishing --> Failed: refused
///     Publishing --> Cancelling: cancelled
///     Cancelling --> Succeeded: the commit is in the log
///     Cancelling --> Cancelled: it is not
///     Cancelling --> Failed: refused
///     Succeeded --> [*]
///     Failed --> [*]
///     Cancelled --> [*]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Another job of the same target is under way.
    Queued,
    /// Both logs are being read.
    Planning,
    /// Workers copy its tasks, or may.
    Copying,
    /// There is something to copy and no live worker that knows both connections.
    WaitingForWorkers,
    /// There is something to copy, and no worker gets a task of it for now.
    Held,
    /// The commit is on its way.
    Publishing,
    /// The replica is at the source's version.
    Succeeded,
    /// Refused or failed; the replica is unchanged.
    Failed,
    /// Cancelled as soon as the replica's log shows that the commit did not land.
    Cancelling,
    /// Cancelled; the replica is unchanged.
    Cancelled,
}

impl JobState {
    /// Every state once, in the order of their names on the wire.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Planning,
        Self::Copying,
        Self::WaitingForWorkers,
        Self::Held,
        Self::Publishing,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// True when the job is over.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}
