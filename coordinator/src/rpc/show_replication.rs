//! Views of replications → wire types.

use deepclone_core::budget::{BudgetAmount, MonthUse};
use deepclone_core::readiness::lag::Lag;
use deepclone_core::readiness::verdict::{NotReady, Readiness, ReadyVerdict};
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::convert::replication::money_to_wire;
use deepclone_proto::convert::time::{duration_to_wire, timestamp_to_wire};
use deepclone_proto::v1::{self, replication as wire};
use prost_types::Timestamp;

use super::show::{self, short, signed};
use super::show_upkeep;
use crate::replications::diff::{BudgetDiff, ReplicationChange};
use crate::replications::lag_summary::LagSummary;
use crate::replications::planned::{PlannedChange, PlannedSet};
use crate::replications::view::{
    FleetView, ReplicationState, ReplicationView, RoundView, SlotView, TableView,
};

/// Rounds that are shown.
const ROUNDS_SHOWN: usize = 20;
/// Tables that are shown of one replication.
const TABLES_SHOWN: usize = 1_000;
/// Tables that are named in a verdict.
const NOT_READY_SHOWN: usize = 100;

/// How much is shown of a replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// All but its tables.
    Short,
    All,
}

/// Returns a replication as clients see it.
pub(super) fn replication(
    view: &ReplicationView,
    now: UnixTime,
    detail: Detail,
) -> v1::Replication {
    let lags: Vec<(&TableView, Lag)> = view.lags(now).collect();
    let is_behind = |lag: &Lag| !matches!(lag, Lag::Current { .. });
    let shown = lags.iter().take(if detail == Detail::All { TABLES_SHOWN } else { 0 });
    v1::Replication {
        name: format!("replications/{}", view.spec.name),
        spec: Some((&*view.spec).into()),
        state: state(view.state.state).into(),
        reason: view.state.reason.clone(),
        until_time: view.state.until.map(time),
        lag: worst(&lags, now).map(|lag| lag_to_wire(lag, now)),
        next_slots: view.slots.iter().map(slot).collect(),
        last_rounds: view.rounds.iter().take(ROUNDS_SHOWN).map(round).collect(),
        tables: shown.map(|(shown, lag)| table(shown, *lag, now)).collect(),
        tables_total: short(lags.len() as u64),
        tables_behind: short(lags.iter().filter(|(_, lag)| is_behind(lag)).count() as u64),
        tables_late: short(LagSummary::of(view, now).late),
        unapproved: view
            .unapproved
            .iter()
            .map(|(path, bytes)| wire::UnapprovedTable {
                path: path.clone(),
                bytes: signed(*bytes),
            })
            .collect(),
        budgets: view.budgets.iter().map(|(key, used)| budget(&key.0, used)).collect(),
        verdict: Some(of_one(view, now)),
        create_time: Some(time(view.created)),
        update_time: Some(time(view.updated)),
        retention_headroom: view.headroom(now).0.map(duration_to_wire),
        retention_unknown: short(view.headroom(now).1 as u64),
        month_usage: None,
    }
}

/// Returns what applying a set changes, those with a change first.
pub(super) fn changes(set: &PlannedSet) -> Vec<v1::ReplicationChange> {
    use v1::replication_change::Kind;
    let change = |planned: &PlannedChange| {
        let PlannedChange { diff, survey, cost } = planned;
        let survey = survey.as_ref();
        let copies = survey.and_then(|survey| survey.copies);
        let count = |count: Option<usize>| count.map(|count| signed(count as u64));
        let (kind, former) = match &diff.change {
            ReplicationChange::Create => (Kind::Create, None),
            ReplicationChange::Adopt => (Kind::Adopt, None),
            ReplicationChange::Change => (Kind::Change, None),
            ReplicationChange::Rename { from } => (Kind::Rename, Some(from)),
            ReplicationChange::Retire => (Kind::Retire, None),
            ReplicationChange::Unchanged => (Kind::Unchanged, None),
        };
        v1::ReplicationChange {
            name: format!("replications/{}", diff.name),
            kind: kind.into(),
            former_name: former.map(|name| format!("replications/{name}")).unwrap_or_default(),
            changed_fields: diff.fields.clone(),
            tables: count(survey.and_then(|survey| survey.tables)),
            bytes: copies.and_then(|copies| copies.known_bytes()).map(signed),
            cost: cost.map(money_to_wire),
            price_table: cost.map(|_| set.price_table.clone()).unwrap_or_default(),
            notices: survey.map(|survey| survey.notices.clone()).unwrap_or_default(),
            new_tables: count(survey.and_then(|survey| survey.new_tables)),
            replicas: count(survey.map(|survey| survey.replicas)),
            bytes_at_least: copies.is_some_and(|copies| copies.is_at_least()),
        }
    };
    let is_same = |planned: &&PlannedChange| planned.diff.change == ReplicationChange::Unchanged;
    let (same, others): (Vec<_>, Vec<_>) = set.replications.iter().partition(is_same);
    others.into_iter().chain(same).map(change).collect()
}

/// Returns what becomes of the budgets of several replications.
pub(super) fn budget_changes(diffs: &[BudgetDiff]) -> Vec<v1::BudgetChange> {
    use v1::replication_change::Kind;
    let kind = |change: &ReplicationChange| match change {
        ReplicationChange::Create | ReplicationChange::Adopt => Kind::Create,
        ReplicationChange::Change | ReplicationChange::Rename { .. } => Kind::Change,
        ReplicationChange::Retire => Kind::Retire,
        ReplicationChange::Unchanged => Kind::Unchanged,
    };
    let change = |diff: &BudgetDiff| v1::BudgetChange {
        budget: diff.key.to_string(),
        kind: kind(&diff.change).into(),
    };
    diffs.iter().map(change).collect()
}

/// Returns whether a group, or all, can be failed over to.
pub(super) fn verdict(fleet: &FleetView, group: Option<&str>) -> v1::Verdict {
    let tables: Vec<(&str, &str)> = fleet
        .of_group(group)
        .flat_map(|view| view.tables.iter().map(|table| (view.spec.name.as_str(), &*table.path)))
        .collect();
    verdict_to_wire(&fleet.verdict(group), &tables)
}

fn of_one(view: &ReplicationView, now: UnixTime) -> v1::Verdict {
    let name = view.spec.name.as_str();
    let tables: Vec<(&str, &str)> = view.tables.iter().map(|table| (name, &*table.path)).collect();
    verdict_to_wire(&view.verdict(now), &tables)
}

/// `tables` has the replication and the path of each place of the verdict.
fn verdict_to_wire(verdict: &ReadyVerdict, tables: &[(&str, &str)]) -> v1::Verdict {
    use v1::verdict as wire;
    let cause = |why: NotReady| match why {
        NotReady::LagUnknown => wire::not_ready::Cause::LagUnknown,
        NotReady::SyncFailing => wire::not_ready::Cause::SyncFailing,
        NotReady::TooFarBehind => wire::not_ready::Cause::TooFarBehind,
        NotReady::NotCopied => wire::not_ready::Cause::NotCopied,
    };
    let named = verdict.not_ready.iter().filter_map(|(place, why)| {
        let (replication, path) = tables.get(*place)?;
        Some(wire::NotReady {
            replication: format!("replications/{replication}"),
            path: (*path).to_owned(),
            cause: cause(*why).into(),
        })
    });
    let readiness = match verdict.readiness {
        Readiness::Yes => wire::Readiness::Yes,
        Readiness::No => wire::Readiness::No,
        Readiness::Unknown => wire::Readiness::Unknown,
    };
    v1::Verdict {
        readiness: readiness.into(),
        recovery_point_time: verdict.recovery_point.map(time),
        not_ready: named.take(NOT_READY_SHOWN).collect(),
        not_ready_total: short(verdict.not_ready.len() as u64),
    }
}

/// The lag of the table that is most behind: unknown before a first copy, that before a known one.
fn worst(lags: &[(&TableView, Lag)], now: UnixTime) -> Option<Lag> {
    let rank = |lag: &Lag| match lag {
        Lag::Unknown { .. } => (2, None),
        Lag::InitialCopy => (1, None),
        Lag::Current { .. } | Lag::Behind { .. } => (0, lag.age(now)),
    };
    lags.iter().map(|(_, lag)| *lag).max_by_key(rank)
}

fn lag_to_wire(lag: Lag, now: UnixTime) -> wire::Lag {
    let checked = match lag {
        Lag::InitialCopy => None,
        Lag::Unknown { checked } => checked,
        Lag::Current { checked } | Lag::Behind { checked, .. } => Some(checked),
    };
    wire::Lag {
        age: lag.age(now).map(duration_to_wire),
        check_time: checked.map(time),
        initial_copy: lag == Lag::InitialCopy,
    }
}

fn table(view: &TableView, lag: Lag, now: UnixTime) -> wire::Table {
    let job = view.job.as_ref();
    wire::Table {
        path: view.path.clone(),
        source_version: view.source_version.map(signed),
        replicated_version: view.synced.map(|(source, _)| signed(source)),
        target_version: view.synced.map(|(_, replica)| signed(replica)),
        lag: Some(lag_to_wire(lag, now)),
        sync_time: view.synced_at.map(time),
        failure: view.failure.as_ref().map(Into::into),
        job: job.map(|job| format!("jobs/{}", job.id)).unwrap_or_default(),
        job_state: job
            .and_then(|job| v1::job::State::from_str_name(job.state))
            .map_or(0, Into::into),
        bytes_total: job.map_or(0, |job| signed(job.bytes_total)),
        bytes_copied: job.map_or(0, |job| signed(job.bytes_done)),
        retention_headroom: view.retention.headroom(lag, now).map(duration_to_wire),
        target_check_time: view.freshness.replica_checked.map(time),
        audit: show_upkeep::audit(view),
        vacuum: show_upkeep::vacuum(view),
    }
}

fn slot(view: &SlotView) -> wire::Slot {
    wire::Slot { slot_time: Some(time(view.at)), note: view.note.clone() }
}

fn round(view: &RoundView) -> wire::Round {
    wire::Round {
        number: view.number.map(signed),
        cause: view.cause.clone(),
        start_time: Some(time(view.began)),
        end_time: view.ended.map(time),
        tables_done: i32::try_from(view.done).unwrap_or(i32::MAX),
        tables_failed: i32::try_from(view.failed).unwrap_or(i32::MAX),
        bytes_read: signed(view.bytes_read),
        cost: view.cost.as_ref().map(|cost| show::cost(&cost.into())),
    }
}

fn budget(name: &str, used: &MonthUse) -> wire::BudgetUse {
    let amount = |count| {
        let unit = match used.unit.amount(count) {
            BudgetAmount::Bytes(bytes) => wire::amount::Unit::Bytes(signed(bytes)),
            BudgetAmount::Money(money) => wire::amount::Unit::Money(money_to_wire(money)),
        };
        Some(wire::Amount { unit: Some(unit) })
    };
    wire::BudgetUse {
        budget: name.to_owned(),
        month: used.month.to_string(),
        limit: amount(used.limit),
        spent: amount(used.spent),
        reserved: amount(used.reserved),
        reset_time: None,
    }
}

fn state(state: ReplicationState) -> wire::State {
    match state {
        ReplicationState::Running => wire::State::Running,
        ReplicationState::WaitingForSlot => wire::State::WaitingForSlot,
        ReplicationState::WaitingForWindow => wire::State::WaitingForWindow,
        ReplicationState::WaitingForTurn => wire::State::WaitingForTurn,
        ReplicationState::WaitingForBudget => wire::State::WaitingForBudget,
        ReplicationState::Paused => wire::State::Paused,
        ReplicationState::Retired => wire::State::Retired,
    }
}

fn time(time: UnixTime) -> Timestamp {
    timestamp_to_wire(time.0)
}
