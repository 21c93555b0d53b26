//! The timing of a replication: what makes it due, and whether its lag can be kept.

use std::time::Duration;

use super::checked::ReplicationTrigger;
use super::error::Mistakes;
use super::spec::{AuditSpec, DueSpec, MaxLag, ReplicationSpec, ScheduleSpec, VacuumSpec};
use crate::calendar::days::Days;
use crate::calendar::feasible;
use crate::calendar::schedule::{INTERVAL_MIN, Schedule, ScheduleError};
use crate::calendar::windows::Windows;
use crate::calendar::zone::Zone;
use crate::limits::{POLL_MAX, POLL_MIN, SAMPLE_MILLIONTHS_MAX, SCHEDULE_TIMES_MAX};
use crate::unix_time::UnixTime;

/// Returns what makes the replication due; `None` when it has a mistake.
pub(super) fn trigger(
    spec: &ScheduleSpec,
    zone: &Zone,
    mistakes: &mut Mistakes,
) -> Option<ReplicationTrigger> {
    let schedule = match &spec.due {
        DueSpec::Every(interval) => mistakes.take("schedule.every", Schedule::every(*interval)),
        DueSpec::At { times, days } => at(times, days, zone, mistakes),
        DueSpec::Cron(pattern) => {
            mistakes.take("schedule.cron", Schedule::cron(pattern, zone.clone()))
        }
        DueSpec::OnCommit { poll_min, poll_max } => {
            let why = "commits have no slots: leave it out";
            mistakes.add_if(spec.spread.is_some(), "schedule.spread", why);
            return on_commit(*poll_min, *poll_max, mistakes);
        }
    };
    let spread = spec.spread.unwrap_or(Duration::ZERO);
    let schedule = mistakes.take("schedule.spread", schedule?.with_spread(spread));
    schedule.map(ReplicationTrigger::Slots)
}

/// Returns when the replicas are audited; `None` when that is not wanted, or has a mistake.
pub(super) fn audit(
    spec: Option<&AuditSpec>,
    zone: &Zone,
    mistakes: &mut Mistakes,
) -> Option<Schedule> {
    let spec = spec?;
    let why = "it is more than all: write at most 100%";
    mistakes.add_if(spec.sample_millionths > SAMPLE_MILLIONTHS_MAX, "audit.sample", why);
    slots("audit", &spec.schedule, zone, mistakes)
}

/// Returns when the replicas are vacuumed; `None` when that is not wanted, or has a mistake.
pub(super) fn vacuum(
    spec: Option<&VacuumSpec>,
    zone: &Zone,
    mistakes: &mut Mistakes,
) -> Option<Schedule> {
    slots("vacuum", &spec?.schedule, zone, mistakes)
}

/// Returns the schedule of a part that has slots.
fn slots(
    part: &'static str,
    spec: &ScheduleSpec,
    zone: &Zone,
    mistakes: &mut Mistakes,
) -> Option<Schedule> {
    let mut own = Mistakes::default();
    let schedule = match trigger(spec, zone, &mut own) {
        Some(ReplicationTrigger::Slots(schedule)) => Some(schedule),
        Some(ReplicationTrigger::Commits { .. }) => {
            own.add("schedule.on_commit", "it has no slots: write every, at or cron");
            None
        }
        None => None,
    };
    mistakes.extend_below(part, own);
    schedule
}

/// Each time is checked by itself, so that two wrong ones are two mistakes.
fn at(times: &[String], days: &str, zone: &Zone, mistakes: &mut Mistakes) -> Option<Schedule> {
    let count = times.len();
    let why = format!("there are {count} times, at most {SCHEDULE_TIMES_MAX}");
    mistakes.add_if(count > SCHEDULE_TIMES_MAX, "schedule.at", why);
    let mut is_right = true;
    for (index, time) in times.iter().enumerate() {
        let alone = Schedule::at(&[time], Days::ALL, zone.clone());
        is_right &= mistakes.take(format!("schedule.at[{index}]"), alone).is_some();
    }
    let days = mistakes.take("schedule.days", days.parse::<Days>());
    let days = days.filter(|_| is_right)?;
    mistakes.take("schedule.at", Schedule::at(times, days, zone.clone()))
}

fn on_commit(
    poll_min: Duration,
    poll_max: Duration,
    mistakes: &mut Mistakes,
) -> Option<ReplicationTrigger> {
    let field = |name: &str| format!("schedule.on_commit.{name}");
    let cases = [
        (poll_min < POLL_MIN, "poll_min", "it is shorter than a second"),
        (poll_max > POLL_MAX, "poll_max", "it is longer than 24h"),
        (poll_max < poll_min, "poll_max", "it is shorter than poll_min"),
    ];
    for (is_mistake, name, why) in cases {
        mistakes.add_if(is_mistake, field(name), why);
    }
    let is_right = !cases.iter().any(|(is_mistake, _, _)| *is_mistake);
    is_right.then_some(ReplicationTrigger::Commits { poll_min, poll_max })
}

pub(super) fn check_lag(max_lag: Option<MaxLag>, mistakes: &mut Mistakes) {
    match max_lag {
        Some(MaxLag { warn: None, page: None }) => {
            mistakes.add("max_lag", "it has no limit: write warn or page");
        }
        Some(MaxLag { warn: Some(warn), page: Some(page) }) if warn >= page => {
            mistakes.add("max_lag.warn", "it is not shorter than page");
        }
        _ => {}
    }
}

/// Refuses a lag that schedule and windows cannot keep: the longest one that is asked for. A
/// shorter `warn` may be passed each time that windows are closed, if the user wishes to be told.
pub(super) fn refuse_impossible(
    spec: &ReplicationSpec,
    trigger: &ReplicationTrigger,
    windows: &Windows,
    now: UnixTime,
    mistakes: &mut Mistakes,
) {
    let state = windows.at(now);
    if !state.is_open && state.until.is_none() {
        mistakes.add("window", "copying is never allowed: some window denies whatever is allowed");
        return;
    }
    let Some(MaxLag { warn, page }) = spec.max_lag else { return };
    let limits = [("max_lag.page", page), ("max_lag.warn", warn)];
    let found = limits.into_iter().find_map(|(field, limit)| Some((field, limit?)));
    let Some((field, max_lag)) = found else { return };
    match trigger {
        ReplicationTrigger::Slots(schedule) => {
            let delay = schedule.delay(spec.name.as_str());
            let checked = feasible::refuse_impossible(schedule, windows, delay, max_lag, now);
            mistakes.take(field, checked);
        }
        ReplicationTrigger::Commits { poll_max, .. } => {
            let why = "it is shorter than poll_max: the source may not be asked for that long";
            mistakes.add_if(max_lag < *poll_max, field, why);
            mistakes.take(field, refuse_closed(windows, max_lag, now));
        }
    }
}

/// While windows are open, a source that is asked may always lead to a start.
fn refuse_closed(windows: &Windows, max_lag: Duration, now: UnixTime) -> Result<(), String> {
    let minutely =
        Schedule::every(INTERVAL_MIN).map_err(|error: ScheduleError| error.to_string())?;
    let max_lag = max_lag.max(INTERVAL_MIN);
    let checked = feasible::refuse_impossible(&minutely, windows, Duration::ZERO, max_lag, now);
    checked.map_err(|error| error.to_string())
}
