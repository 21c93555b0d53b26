//! What is kept of a job: facts with their time, and what the machine does not see of them.

use std::collections::BTreeMap;

use deepclone_common::connections::Resolved;
use deepclone_core::machine::Fact;
use deepclone_core::spec::CloneSpec;

/// A fact as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened.
    pub fact: Fact,
    /// What the engine does not see of a plan; with `Planned` and `Ended` facts only.
    pub note: Option<PlanNote>,
    /// When, in milliseconds since 1970 (UTC).
    pub recorded_ms: i64,
}

/// What people are told of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanNote {
    /// Databricks' figures under their own names; sizes in bytes.
    pub clone_metrics: BTreeMap<String, i64>,
    /// Remarks, one line each.
    pub notices: Vec<String>,
}

/// A job's order as it was accepted: the spec and both sides as they were resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// What was asked for.
    pub spec: CloneSpec,
    /// The table copied from.
    pub source: Resolved,
    /// Where to.
    pub target: Resolved,
}
