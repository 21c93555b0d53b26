//! What a user declares as a standing replication: `ReplicationSpec` and its parts.
//!
//! Only what cannot be said in the types of `core` is refused here; `ReplicationSpec::check` does
//! the rest.

use std::time::Duration;

use deepclone_core::budget::AtLimit;
use deepclone_core::calendar::window::WindowKind;
use deepclone_core::money::Money;
use deepclone_core::replication::{
    AuditSpec, BandwidthSpec, BudgetSpec, CLOSE_GRACE_DEFAULT, CloneOptions, DAYS_DEFAULT, DueSpec,
    FROM_DEFAULT, JOBS_AT_ONCE_DEFAULT, MaxLag, MissedPolicy, OverlapPolicy, POLL_MAX_DEFAULT,
    POLL_MIN_DEFAULT, ReplicationName, ReplicationSpec, ResumePolicy, ScheduleSpec,
    TIME_ZONE_DEFAULT, TO_DEFAULT, VacuumSpec, WindowSpec,
};

use super::spec::{
    divergence_from_wire, divergence_to_wire, replaced_from_wire, replaced_to_wire,
    verification_from_client, verification_to_wire,
};
use super::time::{duration_from_wire, duration_to_wire};
use super::{WireError, required, unknown_enum};
use crate::v1;
use crate::v1::replication_spec as wire;

impl From<&ReplicationSpec> for v1::ReplicationSpec {
    fn from(spec: &ReplicationSpec) -> Self {
        Self {
            name: spec.name.to_string(),
            renamed_from: spec.renamed_from.iter().map(ToString::to_string).collect(),
            takes_over: spec.takes_over.iter().map(ToString::to_string).collect(),
            owner: spec.owner.clone().unwrap_or_default(),
            group: spec.group.clone().unwrap_or_default(),
            labels: spec.labels.clone(),
            source: spec.source.clone(),
            target: spec.target.clone(),
            include: spec.include.clone(),
            exclude: spec.exclude.clone(),
            clone: Some(clone_to_wire(&spec.clone)),
            time_zone: spec.time_zone.clone(),
            schedule: Some(schedule_to_wire(&spec.schedule)),
            on_missed: missed_to_wire(spec.on_missed).into(),
            on_overlap: overlap_to_wire(spec.on_overlap).into(),
            on_resume: resume_to_wire(spec.on_resume).into(),
            windows: spec.windows.iter().map(window_to_wire).collect(),
            close_grace: Some(duration_to_wire(spec.close_grace)),
            max_lag: spec.max_lag.map(lag_to_wire),
            budget: spec.budget.map(budget_to_wire),
            bandwidth: spec.bandwidth.iter().map(bandwidth_to_wire).collect(),
            ask_above_bytes: spec.ask_above_bytes.map(signed),
            priority: spec.priority,
            jobs_at_once: Some(i32::try_from(spec.jobs_at_once).unwrap_or(i32::MAX)),
            audit: spec.audit.as_ref().map(audit_to_wire),
            vacuum: spec.vacuum.as_ref().map(vacuum_to_wire),
        }
    }
}

impl TryFrom<v1::ReplicationSpec> for ReplicationSpec {
    type Error = WireError;

    fn try_from(spec: v1::ReplicationSpec) -> Result<Self, WireError> {
        let name = |text: String, field| {
            let parsed: Result<ReplicationName, _> = text.parse();
            parsed.map_err(|error| WireError::invalid(field, error.to_string()))
        };
        let former = spec.renamed_from.into_iter().map(|text| name(text, "spec.renamed_from"));
        let taken = spec.takes_over.into_iter().map(|text| name(text, "spec.takes_over"));
        let bandwidth = spec.bandwidth.into_iter().map(bandwidth_from_wire);
        let ask_above = spec.ask_above_bytes.map(|bytes| unsigned(bytes, "spec.ask_above_bytes"));
        let jobs = spec.jobs_at_once.map(|jobs| {
            u32::try_from(jobs).map_err(|_| negative("spec.jobs_at_once", i64::from(jobs)))
        });
        Ok(Self {
            name: name(spec.name, "spec.name")?,
            renamed_from: former.collect::<Result<_, _>>()?,
            takes_over: taken.collect::<Result<_, _>>()?,
            owner: Some(spec.owner).filter(|owner| !owner.is_empty()),
            group: Some(spec.group).filter(|group| !group.is_empty()),
            labels: spec.labels,
            source: spec.source,
            target: spec.target,
            include: spec.include,
            exclude: spec.exclude,
            clone: clone_from_wire(spec.clone)?,
            time_zone: or(spec.time_zone, TIME_ZONE_DEFAULT),
            schedule: schedule_from_wire(required(spec.schedule, "spec.schedule")?)?,
            on_missed: missed_from_wire(spec.on_missed)?,
            on_overlap: overlap_from_wire(spec.on_overlap)?,
            on_resume: resume_from_wire(spec.on_resume)?,
            windows: spec.windows.into_iter().map(window_from_wire).collect::<Result<_, _>>()?,
            close_grace: optional(spec.close_grace, "spec.close_grace")?
                .unwrap_or(CLOSE_GRACE_DEFAULT),
            max_lag: spec.max_lag.map(lag_from_wire).transpose()?,
            budget: spec.budget.map(budget_from_wire).transpose()?,
            bandwidth: bandwidth.collect::<Result<_, _>>()?,
            ask_above_bytes: ask_above.transpose()?,
            priority: spec.priority,
            jobs_at_once: jobs.transpose()?.unwrap_or(JOBS_AT_ONCE_DEFAULT),
            audit: spec.audit.map(audit_from_wire).transpose()?,
            vacuum: spec.vacuum.map(vacuum_from_wire).transpose()?,
        })
    }
}

fn clone_to_wire(clone: &CloneOptions) -> wire::CloneOptions {
    wire::CloneOptions {
        verification: verification_to_wire(clone.verification).into(),
        divergence_policy: divergence_to_wire(clone.divergence_policy).into(),
        source_replaced_policy: replaced_to_wire(clone.source_replaced_policy).into(),
        allowed_features: clone.allowed_features.clone(),
        properties: clone.properties.clone(),
    }
}

fn clone_from_wire(clone: Option<wire::CloneOptions>) -> Result<CloneOptions, WireError> {
    let clone = clone.unwrap_or_default();
    let verification = verification_from_client(clone.verification)
        .ok_or_else(|| unknown_enum("spec.clone.verification", clone.verification))?;
    Ok(CloneOptions {
        verification,
        divergence_policy: divergence_from_wire(clone.divergence_policy)?,
        source_replaced_policy: replaced_from_wire(clone.source_replaced_policy)?,
        allowed_features: clone.allowed_features,
        properties: clone.properties,
    })
}

fn schedule_to_wire(schedule: &ScheduleSpec) -> wire::Schedule {
    use wire::schedule::Due;
    let due = match &schedule.due {
        DueSpec::Every(interval) => Due::Every(duration_to_wire(*interval)),
        DueSpec::At { times, days } => {
            Due::At(wire::DailyTimes { times: times.clone(), days: days.clone() })
        }
        DueSpec::Cron(pattern) => Due::Cron(pattern.clone()),
        DueSpec::OnCommit { poll_min, poll_max } => Due::OnCommit(wire::OnCommit {
            poll_min: Some(duration_to_wire(*poll_min)),
            poll_max: Some(duration_to_wire(*poll_max)),
        }),
    };
    wire::Schedule { due: Some(due), spread: schedule.spread.map(duration_to_wire) }
}

fn schedule_from_wire(schedule: wire::Schedule) -> Result<ScheduleSpec, WireError> {
    use wire::schedule::Due;
    let due = match required(schedule.due, "spec.schedule.due")? {
        Due::Every(interval) => {
            DueSpec::Every(duration_from_wire(Some(interval), "spec.schedule.every")?)
        }
        Due::At(at) => DueSpec::At { times: at.times, days: or(at.days, DAYS_DEFAULT) },
        Due::Cron(pattern) => DueSpec::Cron(pattern),
        Due::OnCommit(polls) => DueSpec::OnCommit {
            poll_min: optional(polls.poll_min, "spec.schedule.on_commit.poll_min")?
                .unwrap_or(POLL_MIN_DEFAULT),
            poll_max: optional(polls.poll_max, "spec.schedule.on_commit.poll_max")?
                .unwrap_or(POLL_MAX_DEFAULT),
        },
    };
    Ok(ScheduleSpec { due, spread: optional(schedule.spread, "spec.schedule.spread")? })
}

fn audit_to_wire(audit: &AuditSpec) -> wire::Audit {
    wire::Audit {
        schedule: Some(schedule_to_wire(&audit.schedule)),
        sample_millionths: i32::try_from(audit.sample_millionths).unwrap_or(i32::MAX),
        proof_of_use: audit.proof_of_use,
    }
}

fn audit_from_wire(audit: wire::Audit) -> Result<AuditSpec, WireError> {
    let sample_millionths = u32::try_from(audit.sample_millionths)
        .map_err(|_| negative("spec.audit.sample_millionths", audit.sample_millionths.into()))?;
    Ok(AuditSpec {
        schedule: schedule_of(audit.schedule, "spec.audit.schedule")?,
        sample_millionths,
        proof_of_use: audit.proof_of_use,
    })
}

fn vacuum_to_wire(vacuum: &VacuumSpec) -> wire::Vacuum {
    wire::Vacuum {
        schedule: Some(schedule_to_wire(&vacuum.schedule)),
        retention: vacuum.retention.map(duration_to_wire),
        with_log: vacuum.with_log,
    }
}

fn vacuum_from_wire(vacuum: wire::Vacuum) -> Result<VacuumSpec, WireError> {
    Ok(VacuumSpec {
        schedule: schedule_of(vacuum.schedule, "spec.vacuum.schedule")?,
        retention: optional(vacuum.retention, "spec.vacuum.retention")?,
        with_log: vacuum.with_log,
    })
}

/// Returns the schedule of a part, whose mistakes are told by its own field.
fn schedule_of(
    schedule: Option<wire::Schedule>,
    field: &'static str,
) -> Result<ScheduleSpec, WireError> {
    let schedule = schedule_from_wire(required(schedule, field)?);
    schedule.map_err(|error| WireError::invalid(field, error.to_string()))
}

fn missed_to_wire(policy: MissedPolicy) -> wire::MissedPolicy {
    match policy {
        MissedPolicy::Once => wire::MissedPolicy::Once,
        MissedPolicy::Skip => wire::MissedPolicy::Skip,
    }
}

fn missed_from_wire(number: i32) -> Result<MissedPolicy, WireError> {
    match wire::MissedPolicy::try_from(number) {
        Ok(wire::MissedPolicy::Unspecified) => Ok(MissedPolicy::default()),
        Ok(wire::MissedPolicy::Once) => Ok(MissedPolicy::Once),
        Ok(wire::MissedPolicy::Skip) => Ok(MissedPolicy::Skip),
        Err(_) => Err(unknown_enum("spec.on_missed", number)),
    }
}

fn overlap_to_wire(policy: OverlapPolicy) -> wire::OverlapPolicy {
    match policy {
        OverlapPolicy::Skip => wire::OverlapPolicy::SkipSlot,
        OverlapPolicy::QueueOne => wire::OverlapPolicy::QueueOne,
    }
}

fn overlap_from_wire(number: i32) -> Result<OverlapPolicy, WireError> {
    match wire::OverlapPolicy::try_from(number) {
        Ok(wire::OverlapPolicy::Unspecified) => Ok(OverlapPolicy::default()),
        Ok(wire::OverlapPolicy::SkipSlot) => Ok(OverlapPolicy::Skip),
        Ok(wire::OverlapPolicy::QueueOne) => Ok(OverlapPolicy::QueueOne),
        Err(_) => Err(unknown_enum("spec.on_overlap", number)),
    }
}

fn resume_to_wire(policy: ResumePolicy) -> wire::ResumePolicy {
    match policy {
        ResumePolicy::NextSlot => wire::ResumePolicy::NextSlot,
        ResumePolicy::AtOnce => wire::ResumePolicy::AtOnce,
    }
}

fn resume_from_wire(number: i32) -> Result<ResumePolicy, WireError> {
    match wire::ResumePolicy::try_from(number) {
        Ok(wire::ResumePolicy::Unspecified) => Ok(ResumePolicy::default()),
        Ok(wire::ResumePolicy::NextSlot) => Ok(ResumePolicy::NextSlot),
        Ok(wire::ResumePolicy::AtOnce) => Ok(ResumePolicy::AtOnce),
        Err(_) => Err(unknown_enum("spec.on_resume", number)),
    }
}

fn window_to_wire(window: &WindowSpec) -> wire::Window {
    let kind = match window.kind {
        WindowKind::Allow => wire::window::Kind::Allow,
        WindowKind::Deny => wire::window::Kind::Deny,
    };
    let WindowSpec { days, from, to, .. } = window.clone();
    wire::Window { kind: kind.into(), days, from, to }
}

fn window_from_wire(window: wire::Window) -> Result<WindowSpec, WireError> {
    let field = "spec.windows.kind";
    let kind = match wire::window::Kind::try_from(window.kind) {
        Ok(wire::window::Kind::Unspecified) => return Err(WireError::Missing { field }),
        Ok(wire::window::Kind::Allow) => WindowKind::Allow,
        Ok(wire::window::Kind::Deny) => WindowKind::Deny,
        Err(_) => return Err(unknown_enum(field, window.kind)),
    };
    let days = or(window.days, DAYS_DEFAULT);
    Ok(WindowSpec { kind, days, from: window.from, to: window.to })
}

fn lag_to_wire(lag: MaxLag) -> wire::MaxLag {
    wire::MaxLag { warn: lag.warn.map(duration_to_wire), page: lag.page.map(duration_to_wire) }
}

fn lag_from_wire(lag: wire::MaxLag) -> Result<MaxLag, WireError> {
    let warn = optional(lag.warn, "spec.max_lag.warn")?;
    Ok(MaxLag { warn, page: optional(lag.page, "spec.max_lag.page")? })
}

/// A budget with both limits, which is refused everywhere, keeps the one in bytes.
pub(super) fn budget_to_wire(budget: BudgetSpec) -> wire::Budget {
    use wire::budget::Limit;
    let money = budget.money.map(|money| Limit::Money(money_to_wire(money)));
    let (at_limit, rate) = match budget.at_limit {
        AtLimit::Hold => (wire::budget::AtLimit::Hold, 0),
        AtLimit::Slow { bytes_per_second } => (wire::budget::AtLimit::Slow, bytes_per_second),
        AtLimit::AlertOnly => (wire::budget::AtLimit::AlertOnly, 0),
    };
    wire::Budget {
        limit: budget.bytes.map(|bytes| Limit::Bytes(signed(bytes))).or(money),
        at_limit: at_limit.into(),
        slow_bytes_per_second: signed(rate),
    }
}

pub(super) fn budget_from_wire(budget: wire::Budget) -> Result<BudgetSpec, WireError> {
    use wire::budget::{AtLimit as Wire, Limit};
    let (bytes, money) = match budget.limit {
        None => (None, None),
        Some(Limit::Bytes(bytes)) => (Some(unsigned(bytes, "spec.budget.bytes")?), None),
        Some(Limit::Money(money)) => (None, Some(money_from_wire(&money, "spec.budget.money")?)),
    };
    let field = "spec.budget.slow_bytes_per_second";
    let bytes_per_second = unsigned(budget.slow_bytes_per_second, field)?;
    let at_limit = match Wire::try_from(budget.at_limit) {
        Ok(Wire::Unspecified | Wire::Hold) => AtLimit::Hold,
        Ok(Wire::Slow) => AtLimit::Slow { bytes_per_second },
        Ok(Wire::AlertOnly) => AtLimit::AlertOnly,
        Err(_) => return Err(unknown_enum("spec.budget.at_limit", budget.at_limit)),
    };
    if bytes_per_second > 0 && !matches!(at_limit, AtLimit::Slow { .. }) {
        return Err(WireError::invalid(field, "it is for SLOW only"));
    }
    Ok(BudgetSpec { bytes, money, at_limit })
}

/// Returns the wire form of an amount of money.
#[must_use]
pub fn money_to_wire(money: Money) -> v1::Money {
    v1::Money { micros: money.micros, currency: money.currency.code().to_owned() }
}

/// Returns an amount of money that is not negative.
///
/// # Errors
/// A negative amount, or a text that is not a currency.
pub fn money_from_wire(money: &v1::Money, field: &'static str) -> Result<Money, WireError> {
    let currency = money.currency.parse();
    let currency = currency
        .map_err(|error: deepclone_core::money::CurrencyError| error.to_string())
        .map_err(|why| WireError::invalid(field, why))?;
    match money.micros {
        micros @ 0.. => Ok(Money { micros, currency }),
        micros => Err(negative(field, micros)),
    }
}

fn bandwidth_to_wire(limit: &BandwidthSpec) -> wire::Bandwidth {
    let BandwidthSpec { days, from, to, bytes_per_second } = limit.clone();
    wire::Bandwidth { days, from, to, bytes_per_second: signed(bytes_per_second) }
}

fn bandwidth_from_wire(limit: wire::Bandwidth) -> Result<BandwidthSpec, WireError> {
    let field = "spec.bandwidth.bytes_per_second";
    Ok(BandwidthSpec {
        days: or(limit.days, DAYS_DEFAULT),
        from: or(limit.from, FROM_DEFAULT),
        to: or(limit.to, TO_DEFAULT),
        bytes_per_second: unsigned(limit.bytes_per_second, field)?,
    })
}

fn optional(
    duration: Option<prost_types::Duration>,
    field: &'static str,
) -> Result<Option<Duration>, WireError> {
    duration.map(|duration| duration_from_wire(Some(duration), field)).transpose()
}

fn or(text: String, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64, field: &'static str) -> Result<u64, WireError> {
    u64::try_from(number).map_err(|_| negative(field, number))
}

fn negative(field: &'static str, number: i64) -> WireError {
    WireError::invalid(field, format!("{number} is negative"))
}

#[cfg(test)]
mod tests;
