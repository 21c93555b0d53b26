//! Replications as they are → what is so now, for alerts: pure.
//!
//! The newest sync of a table is judged, and a first copy misses no objective. After a restart a
//! table of which nothing was heard since is neither well nor not: its causes may last.

use std::collections::BTreeMap;
use std::time::Duration;

use deepclone_core::alert::{AlertCause, AlertDetail, AlertKind, Sightings};
use deepclone_core::failure::Failure;
use deepclone_core::limits::ALERT_TABLES_MAX;
use deepclone_core::readiness::lag::Lag;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;

use crate::replications::view::{FleetView, ReplicationState, ReplicationView, TableView};

/// From which part of a budget on it is reached, in percent.
const BUDGET_PERCENT: u8 = 100;

/// Returns what is so at the moment of `fleet`, for a coordinator that runs since `started`.
#[must_use]
pub fn sightings(fleet: &FleetView, started: UnixTime) -> Sightings {
    let mut found = Sightings::default();
    for view in &fleet.replications {
        failures(view, fleet.at, started, &mut found);
        audits(view, &mut found);
        upkeep(view, &mut found);
        objective(view, fleet.at, &mut found);
    }
    budgets(fleet, &mut found);
    found
}

/// Returns the kind of alert that a failure is.
#[must_use]
pub fn kind_of(failure: &Failure) -> AlertKind {
    match failure.reason {
        Reason::TargetDiverged
        | Reason::TargetNotOurs
        | Reason::TargetOwned
        | Reason::TargetConflict
        | Reason::VerifyDifference => AlertKind::Diverged,
        _ => AlertKind::SyncFailed,
    }
}

fn failures(view: &ReplicationView, now: UnixTime, started: UnixTime, found: &mut Sightings) {
    let subject = view.spec.name.to_string();
    let mut causes: BTreeMap<AlertCause, Vec<&TableView>> = BTreeMap::new();
    let mut is_unsettled = false;
    for (table, lag) in view.lags(now) {
        match &table.failure {
            Some(failure) => {
                let kind = kind_of(failure);
                let reason = failure.reason.row().name.to_owned();
                let cause = AlertCause { kind, subject: subject.clone(), reason };
                causes.entry(cause).or_default().push(table);
            }
            None => is_unsettled |= !is_known(table, lag, started),
        }
    }
    if is_unsettled {
        for kind in [AlertKind::SyncFailed, AlertKind::Diverged] {
            found.unsettled.insert((kind, subject.clone()));
        }
    }
    for (cause, tables) in causes {
        let what = match cause.kind {
            AlertKind::Diverged => "a replica is not as its last sync left it",
            _ => "syncs fail",
        };
        let summary = format!("{subject}: {what} ({}, {})", cause.reason, counted(tables.len()));
        let error = tables.iter().find_map(|table| table.failure.as_ref());
        let error = error.map(|failure| failure.message.clone()).unwrap_or_default();
        let detail = AlertDetail { summary, error, ..of_tables(view, &tables) };
        found.present.insert(cause, detail);
    }
}

/// What the newest audits found lasts until the next one finds nothing.
fn audits(view: &ReplicationView, found: &mut Sightings) {
    let differs =
        |table: &&TableView| table.audit.as_ref().is_some_and(|audit| audit.differences() > 0);
    let tables: Vec<&TableView> = view.tables.iter().filter(differs).collect();
    let Some(first) = tables.first().and_then(|table| table.audit.as_ref()) else { return };
    let subject = view.spec.name.to_string();
    let reason = Reason::VerifyDifference.row().name.to_owned();
    let summary = format!("{subject}: an audit found differences ({})", counted(tables.len()));
    let differences = first.verdict.iter().flat_map(|verdict| &verdict.found);
    let error =
        differences.map(|one| format!("{} {}: {}", one.kind.name(), one.subject, one.detail));
    let error = error.take(1).collect();
    let cause = AlertCause { kind: AlertKind::Diverged, subject, reason };
    let detail = AlertDetail { summary, error, ..of_tables(view, &tables) };
    // A sync that says the same is the same cause.
    found.present.entry(cause).or_insert(detail);
}

/// What keeps the newest audits and vacuums from being made lasts until one of them is.
fn upkeep(view: &ReplicationView, found: &mut Sightings) {
    let subject = view.spec.name.to_string();
    let mut causes: BTreeMap<AlertCause, (String, Vec<&TableView>)> = BTreeMap::new();
    for table in &view.tables {
        let audit = table.audit.as_ref().and_then(|audit| audit.failure.as_ref());
        let vacuum = table.vacuum.as_ref().and_then(|vacuum| vacuum.failure.as_ref());
        for (what, failure) in [("audit", audit), ("vacuum", vacuum)] {
            let Some(failure) = failure else { continue };
            let (kind, reason) = (AlertKind::UpkeepFailed, failure.reason.clone());
            let cause = AlertCause { kind, subject: subject.clone(), reason };
            let message = || format!("{what} of {}: {}", table.path, failure.message);
            let (_, tables) = causes.entry(cause).or_insert_with(|| (message(), Vec::new()));
            if tables.last().is_none_or(|last| last.path != table.path) {
                tables.push(table);
            }
        }
    }
    for (cause, (error, tables)) in causes {
        let counted = counted(tables.len());
        let summary =
            format!("{subject}: audits or vacuums cannot be made ({}, {counted})", cause.reason);
        found.present.insert(cause, AlertDetail { summary, error, ..of_tables(view, &tables) });
    }
}

/// Whether a table without a failure is well: nothing of before the start is remembered.
fn is_known(table: &TableView, lag: Lag, started: UnixTime) -> bool {
    let is_synced = table.synced_at.is_some_and(|at| at >= started);
    is_synced || matches!(lag, Lag::Current { checked } if checked >= started)
}

fn objective(view: &ReplicationView, now: UnixTime, found: &mut Sightings) {
    let most = view.spec.max_lag.and_then(|most| most.page.or(most.warn));
    let Some(most) = most else { return };
    let subject = view.spec.name.to_string();
    let (mut late, mut oldest) = (Vec::new(), Duration::ZERO);
    let mut is_unknown = false;
    for (table, lag) in view.lags(now) {
        match lag {
            Lag::Behind { since, .. } if now.since(since) > most => {
                oldest = oldest.max(now.since(since));
                late.push(table);
            }
            Lag::Unknown { .. } => is_unknown = true,
            Lag::InitialCopy | Lag::Current { .. } | Lag::Behind { .. } => {}
        }
    }
    if is_unknown {
        found.unsettled.insert((AlertKind::ObjectiveMissed, subject.clone()));
    }
    if late.is_empty() {
        return;
    }
    let summary = format!(
        "{subject}: {} behind by {} s, of {} s that are allowed",
        counted(late.len()),
        oldest.as_secs(),
        most.as_secs()
    );
    let cause = AlertCause { kind: AlertKind::ObjectiveMissed, subject, reason: String::new() };
    let detail = AlertDetail { summary, ..of_tables(view, &late) };
    found.present.insert(cause, detail);
}

/// A budget that several replications share is one cause.
fn budgets(fleet: &FleetView, found: &mut Sightings) {
    for view in &fleet.replications {
        let mut reached = Vec::new();
        for (key, used) in &view.budgets {
            if used.warn_level(&[BUDGET_PERCENT]).is_some() {
                let summary = format!("the budget of the month is used up: {key}");
                reached.push((key.to_string(), summary));
            }
        }
        if reached.is_empty() && view.state.state == ReplicationState::WaitingForBudget {
            let name = &view.spec.name;
            reached.push((format!("replication {name}"), format!("{name}: {}", view.state.reason)));
        }
        for (subject, summary) in reached {
            let cause =
                AlertCause { kind: AlertKind::BudgetReached, subject, reason: String::new() };
            let owner = view.spec.owner.clone().unwrap_or_default();
            let detail = AlertDetail { summary, owner, ..AlertDetail::default() };
            found.present.entry(cause).or_insert(detail);
        }
    }
}

fn of_tables(view: &ReplicationView, tables: &[&TableView]) -> AlertDetail {
    AlertDetail {
        tables: tables.iter().take(ALERT_TABLES_MAX).map(|table| table.path.clone()).collect(),
        tables_count: tables.len() as u64,
        owner: view.spec.owner.clone().unwrap_or_default(),
        ..AlertDetail::default()
    }
}

fn counted(tables: usize) -> String {
    if tables == 1 { "1 table".to_owned() } else { format!("{tables} tables") }
}
