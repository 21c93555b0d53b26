//! A replication as the coordinator shows it, converted from the wire.

use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::money::Money;
use deepclone_proto::convert::replication::money_from_wire;
use deepclone_proto::v1;
use deepclone_proto::v1::replication as wire;

use super::cost::{self, CostInfo, SentInfo};
use super::job::milliseconds;
use super::status::malformed;
use super::upkeep::{self, AuditInfo, VacuumInfo};

/// A replication and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicationInfo {
    pub name: String,
    pub source: String,
    pub target: String,
    pub owner: String,
    pub group: String,
    /// The state's name on the wire.
    pub state: &'static str,
    /// Why, in one line.
    pub reason: String,
    /// Times are in milliseconds since 1970.
    pub until_time_ms: Option<i64>,
    pub lag: LagInfo,
    pub tables_total: i32,
    pub tables_behind: i32,
    pub tables_late: i32,
    pub tables: Vec<TableInfo>,
    /// Tables that wait for approval, with their bytes.
    pub unapproved: Vec<(String, i64)>,
    /// How long the sources still keep what syncs need; `None` when it is known of no table.
    pub retention_headroom: Option<Duration>,
    /// Tables of which that is not known.
    pub retention_unknown: i32,
    pub next_slots: Vec<SlotInfo>,
    pub last_rounds: Vec<RoundInfo>,
    pub verdict: VerdictInfo,
    /// What its jobs sent in its month.
    pub month_usage: Option<MonthUsageInfo>,
}

/// What the jobs of a replication sent in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthUsageInfo {
    /// As `2026-11`, in the zone of the replication.
    pub month: String,
    pub sent: SentInfo,
}

/// How far replicas are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LagInfo {
    /// `None` while it is not known.
    pub age: Option<Duration>,
    pub check_time_ms: Option<i64>,
    pub initial_copy: bool,
}

/// One table of a replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    pub path: String,
    pub source_version: Option<i64>,
    pub replicated_version: Option<i64>,
    pub lag: LagInfo,
    pub sync_time_ms: Option<i64>,
    pub failure: Option<Failure>,
    /// The id of the sync that is under way; empty: none.
    pub job: String,
    pub bytes_total: i64,
    pub bytes_copied: i64,
    /// When its replica was last looked at, or written.
    pub target_check_time_ms: Option<i64>,
    pub retention_headroom: Option<Duration>,
    /// `None` where none is declared, and there was none.
    pub audit: Option<AuditInfo>,
    pub vacuum: Option<VacuumInfo>,
}

/// A slot that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    pub time_ms: Option<i64>,
    /// Why it will not start then; empty when it will.
    pub note: String,
}

/// A round, or slots that were skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundInfo {
    /// `None` for skipped slots.
    pub number: Option<i64>,
    pub cause: String,
    pub start_time_ms: Option<i64>,
    pub end_time_ms: Option<i64>,
    pub tables_done: i32,
    pub tables_failed: i32,
    pub bytes_read: i64,
    /// What its jobs cost.
    pub cost: Option<CostInfo>,
}

/// Whether tables can be failed over to, all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictInfo {
    /// `YES`, `NO` or `UNKNOWN`.
    pub readiness: &'static str,
    pub recovery_point_time_ms: Option<i64>,
    /// The replication, the path and the cause of the first tables that are not ready.
    pub not_ready: Vec<(String, String, &'static str)>,
    pub not_ready_total: i32,
}

/// What becomes of a replication when a set is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInfo {
    pub name: String,
    /// The kind's name on the wire, such as `CREATE`.
    pub kind: &'static str,
    /// Empty but for `RENAME`.
    pub former_name: String,
    pub changed_fields: Vec<String>,
    /// Tables that its patterns find.
    pub tables: Option<i64>,
    /// Those of them that it has not synced.
    pub new_tables: Option<i64>,
    /// Tables with a replica at the target; `None` when none was looked at.
    pub replicas: Option<i64>,
    /// Bytes that its first round would copy.
    pub bytes: Option<i64>,
    /// They are those of some of its tables.
    pub bytes_at_least: bool,
    /// What that would cost by list prices.
    pub cost: Option<Money>,
    pub notices: Vec<String>,
}

/// All that applying a set changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetChanges {
    pub replications: Vec<ChangeInfo>,
    /// Each shared budget that changes, and the kind's name on the wire.
    pub budgets: Vec<(String, &'static str)>,
}

impl SetChanges {
    /// True when there is anything to do.
    #[must_use]
    pub fn is_change(&self) -> bool {
        let is_same = |change: &ChangeInfo| change.kind == "UNCHANGED";
        !self.budgets.is_empty() || !self.replications.iter().all(is_same)
    }
}

/// Returns the resource name of a replication.
#[must_use]
pub fn resource(name: &str) -> String {
    format!("replications/{}", own_name(name))
}

/// The name without the collection, which may be typed, too.
#[must_use]
pub fn own_name(name: &str) -> &str {
    name.strip_prefix("replications/").unwrap_or(name)
}

impl TryFrom<v1::Replication> for ReplicationInfo {
    type Error = Failure;

    fn try_from(wire: v1::Replication) -> Result<Self, Failure> {
        let state = match wire.state() {
            wire::State::Unspecified => {
                return Err(malformed(format!("Replication.state is {}", wire.state)));
            }
            state => state.as_str_name(),
        };
        let spec = wire.spec.ok_or_else(|| malformed("Replication.spec is missing".to_owned()))?;
        Ok(Self {
            name: own_name(&wire.name).to_owned(),
            source: spec.source,
            target: spec.target,
            owner: spec.owner,
            group: spec.group,
            state,
            reason: wire.reason,
            until_time_ms: wire.until_time.as_ref().map(milliseconds),
            lag: lag(wire.lag),
            tables_total: wire.tables_total,
            tables_behind: wire.tables_behind,
            tables_late: wire.tables_late,
            tables: wire.tables.into_iter().map(table).collect::<Result<_, _>>()?,
            unapproved: wire.unapproved.into_iter().map(|one| (one.path, one.bytes)).collect(),
            retention_headroom: span(wire.retention_headroom),
            retention_unknown: wire.retention_unknown,
            next_slots: wire.next_slots.into_iter().map(slot).collect(),
            last_rounds: wire.last_rounds.into_iter().map(round).collect::<Result<_, _>>()?,
            verdict: verdict(wire.verdict.unwrap_or_default())?,
            month_usage: wire.month_usage.map(month_usage).transpose()?,
        })
    }
}

impl TryFrom<v1::ApplyReplicationsResponse> for SetChanges {
    type Error = Failure;

    fn try_from(wire: v1::ApplyReplicationsResponse) -> Result<Self, Failure> {
        let budgets = wire.budgets.into_iter().map(|change| {
            let kind = change.kind().as_str_name();
            (change.budget, kind)
        });
        let replications = wire.changes.into_iter().map(ChangeInfo::try_from);
        Ok(Self {
            replications: replications.collect::<Result<_, _>>()?,
            budgets: budgets.collect(),
        })
    }
}

impl TryFrom<v1::ReplicationChange> for ChangeInfo {
    type Error = Failure;

    fn try_from(wire: v1::ReplicationChange) -> Result<Self, Failure> {
        let kind = match wire.kind() {
            v1::replication_change::Kind::Unspecified => {
                return Err(malformed(format!("ReplicationChange.kind is {}", wire.kind)));
            }
            kind => kind.as_str_name(),
        };
        let cost = wire.cost.map(|cost| money_from_wire(&cost, "cost")).transpose();
        Ok(Self {
            name: own_name(&wire.name).to_owned(),
            kind,
            former_name: own_name(&wire.former_name).to_owned(),
            changed_fields: wire.changed_fields,
            tables: wire.tables,
            new_tables: wire.new_tables,
            replicas: wire.replicas,
            bytes: wire.bytes,
            bytes_at_least: wire.bytes_at_least,
            cost: cost.map_err(|error| malformed(format!("ReplicationChange.cost: {error}")))?,
            notices: wire.notices,
        })
    }
}

pub(super) fn verdict(wire: v1::Verdict) -> Result<VerdictInfo, Failure> {
    let readiness = match wire.readiness() {
        v1::verdict::Readiness::Unspecified => {
            return Err(malformed(format!("Verdict.readiness is {}", wire.readiness)));
        }
        readiness => readiness.as_str_name(),
    };
    let not_ready = wire.not_ready.iter().map(|one| {
        let replication = own_name(&one.replication).to_owned();
        (replication, one.path.clone(), one.cause().as_str_name())
    });
    Ok(VerdictInfo {
        readiness,
        recovery_point_time_ms: wire.recovery_point_time.as_ref().map(milliseconds),
        not_ready: not_ready.collect(),
        not_ready_total: wire.not_ready_total,
    })
}

fn lag(wire: Option<wire::Lag>) -> LagInfo {
    let wire = wire.unwrap_or_default();
    LagInfo {
        age: wire.age.and_then(|age| Duration::try_from(age).ok()),
        check_time_ms: wire.check_time.as_ref().map(milliseconds),
        initial_copy: wire.initial_copy,
    }
}

fn table(wire: wire::Table) -> Result<TableInfo, Failure> {
    Ok(TableInfo {
        path: wire.path,
        source_version: wire.source_version,
        replicated_version: wire.replicated_version,
        lag: lag(wire.lag),
        sync_time_ms: wire.sync_time.as_ref().map(milliseconds),
        failure: wire
            .failure
            .map(Failure::try_from)
            .transpose()
            .map_err(|error| malformed(format!("Table.failure: {error}")))?,
        job: wire.job.strip_prefix("jobs/").unwrap_or(&wire.job).to_owned(),
        bytes_total: wire.bytes_total,
        bytes_copied: wire.bytes_copied,
        target_check_time_ms: wire.target_check_time.as_ref().map(milliseconds),
        retention_headroom: span(wire.retention_headroom),
        audit: wire.audit.map(upkeep::audit).transpose()?,
        vacuum: wire.vacuum.map(upkeep::vacuum),
    })
}

fn span(wire: Option<prost_types::Duration>) -> Option<Duration> {
    wire.and_then(|span| Duration::try_from(span).ok())
}

fn slot(wire: wire::Slot) -> SlotInfo {
    SlotInfo { time_ms: wire.slot_time.as_ref().map(milliseconds), note: wire.note }
}

fn month_usage(wire: wire::MonthUsage) -> Result<MonthUsageInfo, Failure> {
    let sent = SentInfo {
        bytes_read: wire.bytes_read,
        source_requests: wire.source_requests,
        target_requests: wire.target_requests,
        cost: cost::cost(wire.cost)?,
    };
    Ok(MonthUsageInfo { month: wire.month, sent })
}

fn round(wire: wire::Round) -> Result<RoundInfo, Failure> {
    Ok(RoundInfo {
        number: wire.number,
        cause: wire.cause,
        start_time_ms: wire.start_time.as_ref().map(milliseconds),
        end_time_ms: wire.end_time.as_ref().map(milliseconds),
        tables_done: wire.tables_done,
        tables_failed: wire.tables_failed,
        bytes_read: wire.bytes_read,
        cost: cost::cost(wire.cost)?,
    })
}
