//! The states of jobs in words.

use deepclone_core::machine::{End, JobState};

use crate::driver::snapshot::JobSnapshot;

/// A state as a word of an address and of a list, such as `waiting-for-workers`.
pub(super) fn word(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Planning => "planning",
        JobState::Copying => "copying",
        JobState::WaitingForWorkers => "waiting-for-workers",
        JobState::Held => "held",
        JobState::Publishing => "publishing",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::Cancelling => "cancelling",
        JobState::Cancelled => "cancelled",
    }
}

/// The name of a state for people.
pub(super) fn name(state: JobState) -> String {
    word(state).replace('-', " ")
}

/// What a job does now, or how it ended, as a sentence.
pub(super) fn sentence(job: &JobSnapshot) -> &'static str {
    match (job.state, &job.end) {
        (JobState::Queued, _) => "Queued: another sync of the same target goes first.",
        (JobState::Planning, _) => "Planning: the logs of both tables are read.",
        (JobState::Copying, _) => "Copying.",
        (JobState::WaitingForWorkers, _) => {
            "Waiting for workers: none that is live knows both connections."
        }
        (JobState::Held, _) => "Held: no worker gets a task of it for now.",
        (JobState::Publishing, _) => "Publishing: all is copied, and the commit is on its way.",
        (_, Some(End::Succeeded { up_to_date: true, .. })) => {
            "Succeeded: the replica was up to date already."
        }
        (JobState::Succeeded, _) => "Succeeded: the replica is at the source's version.",
        (JobState::Failed, _) => "Failed: the replica is as it was.",
        (JobState::Cancelling, _) => {
            "Cancelling: it ends when the replica's log shows that its commit did not land."
        }
        (JobState::Cancelled, _) => "Cancelled: the replica is as it was.",
    }
}

/// The class of the style sheet for a state.
pub(super) fn class(state: JobState) -> &'static str {
    match state {
        JobState::Succeeded => "yes",
        JobState::Failed => "no",
        JobState::WaitingForWorkers | JobState::Held => "unknown",
        JobState::Queued
        | JobState::Planning
        | JobState::Copying
        | JobState::Publishing
        | JobState::Cancelling
        | JobState::Cancelled => "neutral",
    }
}
