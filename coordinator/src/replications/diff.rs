//! What applying a set of replications would change.

use deepclone_core::budget::BudgetKey;
use deepclone_core::replication::{ReplicationName, ReplicationSpec, SharedBudgetSpec};

/// What becomes of one replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationDiff {
    pub name: ReplicationName,
    pub change: ReplicationChange,
    /// The fields that change, by the names of the file.
    pub fields: Vec<String>,
}

/// What applying does to a replication. None of it touches data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicationChange {
    Create,
    /// It is new, and replicas that it may sync are at its target.
    Adopt,
    Change,
    /// What was known under the other name goes on under the new one.
    Rename {
        from: ReplicationName,
    },
    /// It is not in the set: no round begins any more, and its replicas stay as they are.
    Retire,
    Unchanged,
}

/// What becomes of one budget of several replications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetDiff {
    pub key: BudgetKey,
    pub change: ReplicationChange,
    /// `None` when it ends.
    pub next: Option<SharedBudgetSpec>,
}

/// All that applying a set changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetDiff {
    pub replications: Vec<ReplicationDiff>,
    pub budgets: Vec<BudgetDiff>,
}

/// Compares the replications that are kept with those that are wanted. Each of `wanted` is without
/// mistakes.
#[must_use]
pub fn diff(kept: &[&ReplicationSpec], wanted: &[ReplicationSpec]) -> Vec<ReplicationDiff> {
    let of_name = |name: &ReplicationName| kept.iter().find(|spec| spec.name == *name);
    let mut taken = Vec::new();
    let mut diffs: Vec<ReplicationDiff> = wanted
        .iter()
        .map(|spec| {
            let former = spec.renamed_from.iter().find(|former| of_name(former).is_some());
            let (change, fields) = match (of_name(&spec.name), former) {
                (Some(known), _) if **known == *spec => (ReplicationChange::Unchanged, Vec::new()),
                (Some(known), _) => (ReplicationChange::Change, changed_fields(known, spec)),
                (None, Some(former)) => {
                    taken.push(former);
                    let fields = of_name(former).map(|known| changed_fields(known, spec));
                    let change = ReplicationChange::Rename { from: former.clone() };
                    (change, fields.unwrap_or_default())
                }
                (None, None) => (ReplicationChange::Create, Vec::new()),
            };
            ReplicationDiff { name: spec.name.clone(), change, fields }
        })
        .collect();
    let is_gone = |name: &ReplicationName| {
        !taken.contains(&name) && !wanted.iter().any(|spec| spec.name == *name)
    };
    let gone = kept.iter().filter(|spec| is_gone(&spec.name));
    diffs.extend(gone.map(|spec| ReplicationDiff {
        name: spec.name.clone(),
        change: ReplicationChange::Retire,
        fields: Vec::new(),
    }));
    diffs
}

macro_rules! changed {
    ($one:expr, $other:expr, [$($field:ident => $name:literal),+ $(,)?]) => {
        [$(($name, $one.$field != $other.$field)),+]
    };
}

fn changed_fields(known: &ReplicationSpec, wanted: &ReplicationSpec) -> Vec<String> {
    let fields = changed!(known, wanted, [
        renamed_from => "renamed_from",
        takes_over => "takes_over",
        owner => "owner",
        group => "group",
        labels => "labels",
        source => "source",
        target => "target",
        include => "include",
        exclude => "exclude",
        clone => "clone",
        time_zone => "time_zone",
        schedule => "schedule",
        on_missed => "on_missed",
        on_overlap => "on_overlap",
        on_resume => "on_resume",
        windows => "window",
        close_grace => "close_grace",
        max_lag => "max_lag",
        budget => "budget",
        bandwidth => "bandwidth",
        ask_above_bytes => "new_tables.ask_above",
        priority => "priority",
        jobs_at_once => "jobs_at_once",
        audit => "audit",
        vacuum => "vacuum",
    ]);
    fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect()
}
