//! What a replication wants, as the scheduler sees it: times and numbers, no table.

use std::collections::BTreeMap;
use std::time::Duration;

use super::upkeep::UpkeepKind;
use crate::budget::MonthBudget;
use crate::calendar::schedule::Schedule;
use crate::calendar::windows::Windows;
use crate::replication::{MissedPolicy, OverlapPolicy, ReplicationTrigger, ResumePolicy};

/// What a replication wants. It comes from a declaration without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// It decides the delay of each slot, see [`Order::delay`].
    pub name: String,
    pub trigger: ReplicationTrigger,
    pub windows: Windows,
    /// How long what is in flight may go on after the windows close.
    pub close_grace: Duration,
    pub on_missed: MissedPolicy,
    pub on_overlap: OverlapPolicy,
    pub on_resume: ResumePolicy,
    /// Of the rounds that wait for their turn, one of the highest number is the next.
    pub priority: i32,
    /// Jobs of one round at once. Those that a budget holds are not counted.
    pub jobs_at_once: u32,
    /// A number for its two connections: rounds of one number share a limit.
    pub pair: u64,
    /// All those under which its jobs fall.
    pub budgets: Vec<MonthBudget>,
    /// When the replicas are audited, and when they are vacuumed.
    pub upkeep: BTreeMap<UpkeepKind, Schedule>,
}

impl Order {
    /// How long after a slot its work starts.
    #[must_use]
    pub fn delay(&self) -> Duration {
        match &self.trigger {
            ReplicationTrigger::Slots(schedule) => schedule.delay(&self.name),
            ReplicationTrigger::Commits { .. } => Duration::ZERO,
        }
    }
}
