//! What is kept of a job: facts with their time, and what the machine does not see of a job.

use std::collections::BTreeMap;

use deepclone_common::connections::Resolved;
use deepclone_core::copy_plan::CopyRequests;
use deepclone_core::ids::ReplicationId;
use deepclone_core::machine::Fact;
use deepclone_core::ownership::OwnerClaim;
use deepclone_core::price::Traffic;
use deepclone_core::readiness::retention::SourceRetention;
use deepclone_core::spec::CloneSpec;
use deepclone_core::unix_time::UnixTime;

use crate::costs::priced::Priced;

/// A fact with what is kept beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub fact: Fact,
    /// `None` for every fact but `Planned` and `Ended`.
    pub note: Option<PlanNote>,
    /// Milliseconds since 1970 (UTC).
    pub recorded_ms: i64,
}

/// What clients are shown of a plan and the machine does not see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanNote {
    /// Databricks' figures under their own names; sizes in bytes.
    pub clone_metrics: BTreeMap<String, i64>,
    /// Remarks, one line each.
    pub notices: Vec<String>,
    /// How long the source keeps what a sync may need; `None` when its log was not read.
    pub kept: Option<SourceRetention>,
    /// Requests that copying the plan takes.
    pub requests: CopyRequests,
    /// What the coordinator read for the job so far.
    pub logs: Traffic,
    /// What the job sent and what that cost; only with its end.
    pub sent: Option<JobSent>,
}

/// What a job sent, and what that cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSent {
    pub traffic: Traffic,
    pub cost: Priced,
}

/// What a client asked for, with both sides as they were resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    pub spec: CloneSpec,
    pub source: Resolved,
    pub target: Resolved,
    /// The replication whose job it is; `None` for a job that a client made.
    pub claim: Option<OwnerClaim>,
    /// The replication that it is of; `None` for a job of its own.
    pub origin: Option<JobOrigin>,
    /// The principal that created it; `None` where callers are not asked who they are.
    pub submitter: Option<String>,
}

/// The replication that a job is of, as it was when the job began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobOrigin {
    pub replication: String,
    /// `None` in specs of versions that did not keep it.
    pub id: Option<ReplicationId>,
    /// Empty for one that nobody owns.
    pub owner: String,
    /// The name of the zone of its months.
    pub time_zone: String,
    /// The round; `None` for none, and in specs of versions that did not keep it.
    pub round: Option<JobRound>,
}

/// The round of a replication that a job is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobRound {
    pub number: u64,
    /// The newest slot that the round is for; `None` when it is for none.
    pub slot: Option<UnixTime>,
}
