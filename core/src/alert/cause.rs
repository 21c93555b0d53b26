//! What an alert is about, and what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What a receiver may want to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The newest sync of a table failed, or its source cannot be read.
    SyncFailed,
    /// Another writer changed a replica, or it is not there any more.
    Diverged,
    /// A replica is further behind than its replication allows.
    ObjectiveMissed,
    /// A budget is used up, or has no room for what is to be copied.
    BudgetReached,
    /// An audit or a vacuum of a replica could not be made.
    UpkeepFailed,
}

impl AlertKind {
    pub const ALL: [Self; 5] = [
        Self::SyncFailed,
        Self::Diverged,
        Self::ObjectiveMissed,
        Self::BudgetReached,
        Self::UpkeepFailed,
    ];

    /// Returns its name in settings and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SyncFailed => "sync_failed",
            Self::Diverged => "diverged",
            Self::ObjectiveMissed => "objective_missed",
            Self::BudgetReached => "budget_reached",
            Self::UpkeepFailed => "upkeep_failed",
        }
    }
}

/// What an alert is about. While one lasts it is told once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlertCause {
    pub kind: AlertKind,
    /// The replication, the budget, or the target of a sync that is of no replication.
    pub subject: String,
    /// The name of the reason of a failure; empty for the other kinds.
    pub reason: String,
}

/// What is known of a cause when it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDetail {
    /// One line for people.
    pub summary: String,
    /// The whole message of one failure; empty where there is none.
    pub error: String,
    /// The tables that it is about, or the first of them.
    pub tables: Vec<String>,
    /// How many there are.
    pub tables_count: u64,
    /// Who answers for the replication; empty for nobody.
    pub owner: String,
}

/// What is so at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    pub present: BTreeMap<AlertCause, AlertDetail>,
    /// Kinds of which nothing can be said of a subject: a cause that is not present may last.
    pub unsettled: BTreeSet<(AlertKind, String)>,
}

impl Sightings {
    /// Whether a cause may last although it is not present: nothing is known, or the same fails
    /// for another reason.
    #[must_use]
    pub fn may_last(&self, cause: &AlertCause) -> bool {
        let is_alike =
            |other: &AlertCause| other.kind == cause.kind && other.subject == cause.subject;
        self.unsettled.contains(&(cause.kind, cause.subject.clone()))
            || self.present.keys().any(is_alike)
    }
}
