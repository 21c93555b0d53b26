//! The answers of `deepclone replication …`, but those of `apply` and `diff`.

use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use serde::Serialize;

use super::cost::{self, CostObject, SentObject};
use super::upkeep::{self, AuditObject, VacuumObject};
use super::{CommandOutput, table, units};
use crate::client::replication::{
    LagInfo, ReplicationInfo, RoundInfo, SlotInfo, TableInfo, VerdictInfo,
};

/// The exit code of `ready` when the answer is not yes.
const NOT_READY: u8 = 6;

#[derive(Debug, Serialize)]
struct Object<'a> {
    name: &'a str,
    state: &'static str,
    reason: &'a str,
    until_time: Option<String>,
    source: &'a str,
    target: &'a str,
    owner: &'a str,
    group: &'a str,
    ready: &'static str,
    recovery_point_time: Option<String>,
    lag_seconds: Option<f64>,
    check_time: Option<String>,
    initial_copy: bool,
    tables_total: i32,
    tables_behind: i32,
    retention_headroom_seconds: Option<f64>,
    retention_unknown: i32,
    unapproved: Vec<UnapprovedObject<'a>>,
    tables_late: i32,
    next_slots: Vec<SlotObject<'a>>,
    last_rounds: Vec<RoundObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month_usage: Option<MonthUsageObject<'a>>,
    /// Shown by `get` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<Vec<TableObject<'a>>>,
}

#[derive(Debug, Serialize)]
struct UnapprovedObject<'a> {
    path: &'a str,
    bytes: i64,
}

#[derive(Debug, Serialize)]
struct SlotObject<'a> {
    slot_time: Option<String>,
    note: &'a str,
}

#[derive(Debug, Serialize)]
struct RoundObject<'a> {
    number: Option<i64>,
    cause: &'a str,
    start_time: Option<String>,
    end_time: Option<String>,
    tables_done: i32,
    tables_failed: i32,
    bytes_read: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<CostObject<'a>>,
}

#[derive(Debug, Serialize)]
struct MonthUsageObject<'a> {
    month: &'a str,
    #[serde(flatten)]
    sent: Option<SentObject<'a>>,
}

#[derive(Debug, Serialize)]
struct TableObject<'a> {
    path: &'a str,
    source_version: Option<i64>,
    replicated_version: Option<i64>,
    lag_seconds: Option<f64>,
    check_time: Option<String>,
    initial_copy: bool,
    sync_time: Option<String>,
    failure: Option<FailureObject<'a>>,
    job_id: Option<&'a str>,
    bytes_total: i64,
    bytes_copied: i64,
    retention_headroom_seconds: Option<f64>,
    target_check_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<AuditObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vacuum: Option<VacuumObject<'a>>,
}

#[derive(Debug, Serialize)]
struct FailureObject<'a> {
    reason: &'static str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct VerdictObject<'a> {
    ready: &'static str,
    recovery_point_time: Option<String>,
    not_ready_total: i32,
    not_ready: Vec<NotReadyObject<'a>>,
}

#[derive(Debug, Serialize)]
struct NotReadyObject<'a> {
    replication: &'a str,
    path: &'a str,
    cause: &'static str,
}

/// Returns the answer for one replication, with its tables.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn one(replication: &ReplicationInfo) -> Result<CommandOutput, Failure> {
    let mut text = vec![visible(&replication.name).into_owned(), table::pairs(&rows(replication))];
    if !replication.tables.is_empty() {
        text.push(tables(&replication.tables));
        text.extend(upkeep::audits(&replication.tables));
        text.extend(upkeep::vacuums(&replication.tables));
    }
    if !replication.unapproved.is_empty() {
        text.push(unapproved(&replication.unapproved));
    }
    if !replication.next_slots.is_empty() {
        text.push(slots(&replication.next_slots));
    }
    if !replication.last_rounds.is_empty() {
        text.push(rounds(&replication.last_rounds));
    }
    let tables = Some(table_objects(&replication.tables));
    CommandOutput::new(text.join("\n\n"), &Object { tables, ..object(replication) })
}

/// Returns the answer for several replications.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn many(replications: &[ReplicationInfo]) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct List<'a> {
        replications: Vec<Object<'a>>,
    }
    let text = match replications.is_empty() {
        true => "no replications: declare some by `deepclone replication apply FILE`".to_owned(),
        false => grid(replications),
    };
    CommandOutput::new(text, &List { replications: replications.iter().map(object).collect() })
}

/// Returns the answer of `ready`.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn verdict(verdict: &VerdictInfo) -> Result<CommandOutput, Failure> {
    let point = verdict.recovery_point_time_ms.and_then(units::time);
    let mut text = format!("can we fail over? {}", verdict.readiness);
    text.push_str(&match &point {
        Some(point) => format!("\ncomplete together up to {point}"),
        None => "\nno time is known up to which all are complete".to_owned(),
    });
    if verdict.not_ready_total > 0 {
        let rows = verdict.not_ready.iter().map(|(replication, path, cause)| {
            [(*cause).to_owned(), replication.clone(), path.clone()]
        });
        let shown = table::grid(["WHY", "REPLICATION", "TABLE"], &rows.collect::<Vec<_>>());
        text.push_str(&format!("\n\n{shown}"));
        let more = usize::try_from(verdict.not_ready_total).unwrap_or(0);
        if more > verdict.not_ready.len() {
            text.push_str(&format!("\nand {} more", more - verdict.not_ready.len()));
        }
    }
    let not_ready = verdict.not_ready.iter().map(|(replication, path, cause)| NotReadyObject {
        replication,
        path,
        cause,
    });
    let object = VerdictObject {
        ready: verdict.readiness,
        recovery_point_time: point,
        not_ready_total: verdict.not_ready_total,
        not_ready: not_ready.collect(),
    };
    let exit = if verdict.readiness == "YES" { 0 } else { NOT_READY };
    Ok(CommandOutput { exit, ..CommandOutput::new(text, &object)? })
}

fn rows(replication: &ReplicationInfo) -> Vec<(&'static str, String)> {
    let verdict = &replication.verdict;
    let mut rows = vec![
        ("state", state(replication)),
        ("ready to fail over", ready(replication)),
        ("behind", lag(replication.lag)),
        (
            "complete up to",
            verdict.recovery_point_time_ms.and_then(units::time).unwrap_or_default(),
        ),
        ("tables", counts(replication)),
        ("source keeps", kept(replication)),
        ("from, to", format!("{} → {}", replication.source, replication.target)),
    ];
    if let Some(usage) = &replication.month_usage {
        rows.push(("month", format!("{}: {}", usage.month, cost::sent(&usage.sent))));
        rows.extend(usage.sent.cost.as_ref().map(|cost| ("cost", cost::text(cost))));
    }
    for (label, value) in [("owner", &replication.owner), ("group", &replication.group)] {
        rows.extend((!value.is_empty()).then(|| (label, value.clone())));
    }
    rows
}

/// How long the sources still keep what syncs need.
fn kept(replication: &ReplicationInfo) -> String {
    let unknown = match replication.retention_unknown {
        0 => String::new(),
        count => format!("; of {} it is not known", units::count(count.into(), "table")),
    };
    match replication.retention_headroom {
        None => "what syncs need: not known".to_owned(),
        Some(Duration::ZERO) => {
            format!("not all that syncs need: whole tables are compared{unknown}")
        }
        Some(left) => format!("what syncs need for {}{unknown}", units::duration(left)),
    }
}

fn ready(replication: &ReplicationInfo) -> String {
    match replication.verdict.readiness {
        "YES" if replication.tables_late > 0 => "YES, late".to_owned(),
        readiness => readiness.to_owned(),
    }
}

fn counts(replication: &ReplicationInfo) -> String {
    let ReplicationInfo { tables_total, tables_behind, tables_late, .. } = replication;
    let late = match tables_late {
        0 => String::new(),
        late => format!(", {late} of them late"),
    };
    format!("{tables_total}, {tables_behind} behind{late}")
}

fn state(replication: &ReplicationInfo) -> String {
    let until = replication.until_time_ms.and_then(units::time);
    let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
    format!("{}: {}{until}", replication.state, replication.reason)
}

fn lag(lag: LagInfo) -> String {
    let checked = match lag.check_time_ms.and_then(units::time) {
        Some(checked) => format!(" (asked {checked})"),
        None => String::new(),
    };
    match lag {
        LagInfo { initial_copy: true, .. } => "the first copy is not complete".to_owned(),
        LagInfo { age: None, .. } => format!("unknown{checked}"),
        LagInfo { age: Some(Duration::ZERO), .. } => format!("nothing{checked}"),
        LagInfo { age: Some(age), .. } => format!("{}{checked}", units::duration(age)),
    }
}

fn grid(replications: &[ReplicationInfo]) -> String {
    let row = |replication: &ReplicationInfo| {
        let next = replication.next_slots.first().and_then(|slot| slot.time_ms);
        [
            replication.name.clone(),
            ready(replication),
            lag(LagInfo { check_time_ms: None, ..replication.lag }),
            state(replication),
            next.and_then(units::time).unwrap_or_default(),
            format!("{}/{}", replication.tables_behind, replication.tables_total),
        ]
    };
    let rows: Vec<_> = replications.iter().map(row).collect();
    table::grid(["NAME", "READY", "BEHIND", "STATE", "NEXT SLOT", ">TABLES BEHIND"], &rows)
}

fn tables(tables: &[TableInfo]) -> String {
    let version = |version: Option<i64>| version.map(|version| version.to_string());
    let row = |table: &TableInfo| {
        let now = match (&table.failure, table.job.as_str()) {
            (_, job) if !job.is_empty() => format!(
                "copying {} of {} by {job}",
                units::bytes(table.bytes_copied),
                units::bytes(table.bytes_total)
            ),
            (Some(failure), _) => format!("{}: {failure}", failure.reason.row().name),
            (None, _) => String::new(),
        };
        [
            table.path.clone(),
            version(table.source_version).unwrap_or_default(),
            version(table.replicated_version).unwrap_or_default(),
            lag(table.lag),
            table.target_check_time_ms.and_then(units::time).unwrap_or_default(),
            table.sync_time_ms.and_then(units::time).unwrap_or_default(),
            now,
        ]
    };
    let rows: Vec<_> = tables.iter().map(row).collect();
    table::grid(["TABLE", ">SOURCE", ">REPLICA", "BEHIND", "REPLICA SEEN", "SYNCED", "NOW"], &rows)
}

fn unapproved(unapproved: &[(String, i64)]) -> String {
    let row = |(path, bytes): &(String, i64)| [path.clone(), units::bytes(*bytes)];
    let rows: Vec<_> = unapproved.iter().map(row).collect();
    table::grid(["WAITS FOR APPROVAL", ">BYTES"], &rows)
}

fn slots(slots: &[SlotInfo]) -> String {
    let row = |slot: &SlotInfo| {
        [slot.time_ms.and_then(units::time).unwrap_or_default(), slot.note.clone()]
    };
    table::grid(["NEXT SLOTS", "NOTE"], &slots.iter().map(row).collect::<Vec<_>>())
}

fn rounds(rounds: &[RoundInfo]) -> String {
    let row = |round: &RoundInfo| {
        let number = round.number.map(|number| number.to_string());
        [
            number.unwrap_or_else(|| "skipped".to_owned()),
            round.start_time_ms.and_then(units::time).unwrap_or_default(),
            round.end_time_ms.and_then(units::time).unwrap_or_default(),
            round.tables_done.to_string(),
            round.tables_failed.to_string(),
            units::bytes(round.bytes_read),
            cost::short(round.cost.as_ref()),
            round.cause.clone(),
        ]
    };
    let headings = [">ROUND", "BEGAN", "ENDED", ">DONE", ">FAILED", ">READ", ">COST", "CAUSE"];
    table::grid(headings, &rounds.iter().map(row).collect::<Vec<_>>())
}

fn object(replication: &ReplicationInfo) -> Object<'_> {
    let rounds = replication.last_rounds.iter().map(|round| RoundObject {
        number: round.number,
        cause: &round.cause,
        start_time: round.start_time_ms.and_then(units::time),
        end_time: round.end_time_ms.and_then(units::time),
        tables_done: round.tables_done,
        tables_failed: round.tables_failed,
        bytes_read: round.bytes_read,
        cost: cost::object(round.cost.as_ref()),
    });
    let unapproved =
        replication.unapproved.iter().map(|(path, bytes)| UnapprovedObject { path, bytes: *bytes });
    let slots = replication
        .next_slots
        .iter()
        .map(|slot| SlotObject { slot_time: slot.time_ms.and_then(units::time), note: &slot.note });
    Object {
        name: &replication.name,
        state: replication.state,
        reason: &replication.reason,
        until_time: replication.until_time_ms.and_then(units::time),
        source: &replication.source,
        target: &replication.target,
        owner: &replication.owner,
        group: &replication.group,
        ready: replication.verdict.readiness,
        recovery_point_time: replication.verdict.recovery_point_time_ms.and_then(units::time),
        lag_seconds: seconds(replication.lag),
        check_time: replication.lag.check_time_ms.and_then(units::time),
        initial_copy: replication.lag.initial_copy,
        tables_total: replication.tables_total,
        tables_behind: replication.tables_behind,
        retention_headroom_seconds: replication.retention_headroom.map(|left| left.as_secs_f64()),
        retention_unknown: replication.retention_unknown,
        unapproved: unapproved.collect(),
        tables_late: replication.tables_late,
        next_slots: slots.collect(),
        last_rounds: rounds.collect(),
        month_usage: replication.month_usage.as_ref().map(|usage| MonthUsageObject {
            month: &usage.month,
            sent: cost::sent_object(Some(&usage.sent)),
        }),
        tables: None,
    }
}

fn table_objects(tables: &[TableInfo]) -> Vec<TableObject<'_>> {
    let objects = tables.iter().map(|table| TableObject {
        path: &table.path,
        source_version: table.source_version,
        replicated_version: table.replicated_version,
        lag_seconds: seconds(table.lag),
        check_time: table.lag.check_time_ms.and_then(units::time),
        initial_copy: table.lag.initial_copy,
        sync_time: table.sync_time_ms.and_then(units::time),
        failure: table.failure.as_ref().map(|failure| FailureObject {
            reason: failure.reason.row().name,
            message: &failure.message,
        }),
        job_id: Some(table.job.as_str()).filter(|job| !job.is_empty()),
        bytes_total: table.bytes_total,
        bytes_copied: table.bytes_copied,
        retention_headroom_seconds: table.retention_headroom.map(|left| left.as_secs_f64()),
        target_check_time: table.target_check_time_ms.and_then(units::time),
        audit: table.audit.as_ref().map(upkeep::audit_object),
        vacuum: table.vacuum.as_ref().map(upkeep::vacuum_object),
    });
    objects.collect()
}

fn seconds(lag: LagInfo) -> Option<f64> {
    lag.age.map(|age| age.as_secs_f64())
}
