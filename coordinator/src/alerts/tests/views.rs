//! Replications as tests need them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::budget::{BudgetKey, BudgetUnit, MonthUse};
use deepclone_core::calendar::zone::Month;
use deepclone_core::failure::Failure;
use deepclone_core::readiness::lag::{AnswerValidity, ReplicaFreshness};
use deepclone_core::readiness::retention::RetentionFacts;
use deepclone_core::reason::Reason;
use deepclone_core::replication::{
    CloneOptions, DueSpec, MaxLag, MissedPolicy, OverlapPolicy, ReplicationSpec, ResumePolicy,
    ScheduleSpec,
};
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::verify::{Difference, DifferenceKind, KeptVerdict};

use crate::replications::lag_history::LagHistory;
use crate::replications::upkeep_kept::{KeptAudit, UpkeepFailure};
use crate::replications::view::{
    FleetView, ReplicationCounts, ReplicationState, ReplicationView, StateView, TableView,
};

/// The moment of every fleet.
pub(super) const NOW: UnixTime = UnixTime(1_795_699_200_000);

pub(super) fn seconds_ago(seconds: u64) -> UnixTime {
    NOW.before(Duration::from_secs(seconds))
}

/// A table that lacks nothing, was copied long ago, and was checked so many seconds ago.
pub(super) fn current(path: &str, checked: u64) -> TableView {
    let checked = Some(seconds_ago(checked));
    let freshness = ReplicaFreshness {
        is_copied: true,
        checked,
        check_failed: false,
        lacks_since: None,
        replica_checked: checked,
    };
    TableView {
        path: path.to_owned(),
        freshness,
        source_version: Some(7),
        synced: Some((7, 4)),
        synced_at: Some(seconds_ago(100_000)),
        failure: None,
        failing_since: None,
        job: None,
        retention: RetentionFacts::default(),
        audit: None,
        vacuum: None,
        next_audit: None,
        next_vacuum: None,
    }
}

/// The same, whose newest audit found so many differences; `None`: none could be made.
pub(super) fn audited(table: TableView, differences: Option<u64>) -> TableView {
    let verdict = differences.map(|differences| KeptVerdict {
        time_ms: seconds_ago(60).0,
        replica_version: 4,
        source_version: 7,
        differences,
        objects_compared: 0,
        bytes_compared: 0,
        sample: None,
        found: vec![Difference {
            kind: DifferenceKind::ObjectMissing,
            subject: "a.parquet".to_owned(),
            detail: "not at the target".to_owned(),
        }],
        objects: 3,
        target_bytes_read: 0,
        source_bytes_read: 0,
        proof: None,
    });
    let failure = UpkeepFailure {
        at: seconds_ago(30),
        reason: "STORAGE_UNAVAILABLE".to_owned(),
        message: "no answer".to_owned(),
    };
    let failure = verdict.is_none().then_some(failure);
    TableView { audit: Some(KeptAudit { verdict, failure }), ..table }
}

/// A table that lacks a commit for so many seconds.
pub(super) fn behind(path: &str, seconds: u64) -> TableView {
    let mut table = current(path, 10);
    table.freshness.lacks_since = Some(seconds_ago(seconds));
    table
}

/// A table whose newest sync failed.
pub(super) fn failing(path: &str, reason: Reason) -> TableView {
    let mut table = current(path, 10);
    table.freshness.check_failed = true;
    table.failure = Some(Failure::new(reason, format!("{path} fails")));
    table
}

/// A replication that allows a lag of ten minutes.
pub(super) fn replication(name: &str, tables: Vec<TableView>) -> ReplicationView {
    let day = Duration::from_secs(86_400);
    let state = StateView {
        state: ReplicationState::WaitingForSlot,
        reason: "the next slot".to_owned(),
        until: None,
    };
    ReplicationView {
        spec: Arc::new(spec(name)),
        state,
        pause: None,
        tables,
        unapproved: vec![],
        slots: vec![],
        rounds: vec![],
        counts: ReplicationCounts::default(),
        budgets: vec![],
        lag_history: Arc::new(LagHistory::default()),
        valid_for: AnswerValidity { source: day, replica: day },
        created: NOW,
        updated: NOW,
    }
}

/// The same with a budget of which so many of 100 bytes are spent.
pub(super) fn with_budget(view: ReplicationView, key: &str, spent: u64) -> ReplicationView {
    let month = Month { year: 2026, month: 11 };
    let used = MonthUse { month, unit: BudgetUnit::Bytes, limit: 100, spent, reserved: 0 };
    ReplicationView { budgets: vec![(BudgetKey(key.to_owned()), used)], ..view }
}

pub(super) fn fleet(replications: Vec<ReplicationView>) -> FleetView {
    FleetView { at: NOW, replications: replications.into_iter().map(Arc::new).collect() }
}

fn spec(name: &str) -> ReplicationSpec {
    let every = DueSpec::Every(Duration::from_secs(3_600));
    ReplicationSpec {
        name: name.parse().unwrap(),
        renamed_from: vec![],
        takes_over: vec![],
        owner: Some("team".to_owned()),
        group: None,
        labels: BTreeMap::new(),
        source: "prod".to_owned(),
        target: "dr".to_owned(),
        include: vec!["**".to_owned()],
        exclude: vec![],
        clone: CloneOptions::default(),
        time_zone: "UTC".to_owned(),
        schedule: ScheduleSpec { due: every, spread: None },
        on_missed: MissedPolicy::Once,
        on_overlap: OverlapPolicy::Skip,
        on_resume: ResumePolicy::NextSlot,
        windows: vec![],
        close_grace: Duration::ZERO,
        max_lag: Some(MaxLag { warn: None, page: Some(Duration::from_secs(600)) }),
        budget: None,
        bandwidth: vec![],
        ask_above_bytes: None,
        priority: 0,
        jobs_at_once: 1,
        audit: None,
        vacuum: None,
    }
}
