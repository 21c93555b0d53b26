//! Every mistake of one replication, at once.

use std::fmt;
use std::ops::RangeInclusive;

use super::bandwidth::{BandwidthLimit, BandwidthTimetable};
use super::checked::CheckedReplication;
use super::error::{Mistakes, SpecError};
use super::spec::{BandwidthSpec, BudgetSpec, CloneOptions, ReplicationSpec, WindowSpec};
use super::{schedule, tables};
use crate::budget::AtLimit;
use crate::calendar::days::Days;
use crate::calendar::window::{Window, WindowKind};
use crate::calendar::windows::Windows;
use crate::calendar::zone::Zone;
use crate::limits::{
    ALLOWED_FEATURES_MAX, BODY_BYTES_PER_SECOND_MIN, CLOSE_GRACE_MAX, CONNECTION_NAME_BYTES_MAX,
    FEATURE_NAME_BYTES_MAX, JOBS_AT_ONCE_MAX, LABEL_BYTES_MAX, LABELS_MAX, PROPERTIES_MAX,
    PROPERTY_NAME_BYTES_MAX, PROPERTY_VALUE_BYTES_MAX, TAKES_OVER_MAX, WINDOWS_MAX,
};
use crate::unix_time::UnixTime;

impl ReplicationSpec {
    /// Makes of each text what it means. Whether the lag can be kept is asked for the 400 days
    /// from `now` on.
    ///
    /// # Errors
    /// Every mistake, in the order of the fields.
    pub fn check(&self, now: UnixTime) -> Result<CheckedReplication, Vec<SpecError>> {
        let mut mistakes = Mistakes::default();
        check_names(self, &mut mistakes);
        let tables = tables::selection(&self.include, &self.exclude, &mut mistakes);
        check_clone(&self.clone, &mut mistakes);
        // With an unknown zone, the texts that need one are checked all the same.
        let zone = zone(&self.time_zone, &mut mistakes).unwrap_or(Zone::UTC);
        let trigger = schedule::trigger(&self.schedule, &zone, &mut mistakes);
        let windows = windows(&self.windows, &zone, &mut mistakes);
        let grace = self.close_grace;
        mistakes.add_if(grace > CLOSE_GRACE_MAX, "close_grace", "it is longer than 24h");
        schedule::check_lag(self.max_lag, &mut mistakes);
        if let Some(budget) = &self.budget {
            check_budget("budget", budget, &mut mistakes);
        }
        let bandwidth = bandwidth(&self.bandwidth, &zone, &mut mistakes);
        let audit = schedule::audit(self.audit.as_ref(), &zone, &mut mistakes);
        let vacuum = schedule::vacuum(self.vacuum.as_ref(), &zone, &mut mistakes);
        let jobs = 1..=JOBS_AT_ONCE_MAX;
        mistakes.add_if(!jobs.contains(&self.jobs_at_once), "jobs_at_once", between(&jobs));
        if let (Some(trigger), true) = (trigger, mistakes.is_empty()) {
            schedule::refuse_impossible(self, &trigger, &windows, now, &mut mistakes);
            if mistakes.is_empty() {
                let spec = self.clone();
                return Ok(CheckedReplication {
                    spec,
                    tables,
                    zone,
                    trigger,
                    windows,
                    bandwidth,
                    audit,
                    vacuum,
                });
            }
        }
        Err(mistakes.into_errors())
    }
}

impl ReplicationSpec {
    /// The windows in which it may copy. Those that mean nothing are left out, as is everything in
    /// a zone that does not exist.
    #[must_use]
    pub fn open_hours(&self) -> Windows {
        let zone = Zone::of_name(&self.time_zone);
        zone.map_or_else(Windows::default, |zone| {
            windows(&self.windows, &zone, &mut Mistakes::default())
        })
    }
}

fn check_names(spec: &ReplicationSpec, mistakes: &mut Mistakes) {
    for (at, former) in spec.renamed_from.iter().enumerate() {
        let field = format!("renamed_from[{at}]");
        mistakes.add_if(*former == spec.name, field.clone(), "it is the name itself");
        let is_twice = spec.renamed_from[..at].contains(former);
        mistakes.add_if(is_twice, field, format_args!("{former} is there twice"));
    }
    let taken = &spec.takes_over;
    check_count("takes_over", taken.len(), TAKES_OVER_MAX, mistakes);
    for (at, other) in taken.iter().enumerate() {
        let is_twice = taken[..at].contains(other);
        let why = format_args!("{other} is there twice");
        mistakes.add_if(is_twice, format!("takes_over[{at}]"), why);
    }
    for (field, value) in [("owner", &spec.owner), ("group", &spec.group)] {
        if let Some(value) = value {
            check_text(field, value, LABEL_BYTES_MAX, mistakes);
        }
    }
    check_count("labels", spec.labels.len(), LABELS_MAX, mistakes);
    for (key, value) in &spec.labels {
        let field = format!("labels.{key}");
        check_text(&field, key, LABEL_BYTES_MAX, mistakes);
        check_length(&field, value, LABEL_BYTES_MAX, mistakes);
    }
    for (field, connection) in [("source", &spec.source), ("target", &spec.target)] {
        let what = "it is empty: write the name of a connection";
        mistakes.add_if(connection.is_empty(), field, what);
        check_length(field, connection, CONNECTION_NAME_BYTES_MAX, mistakes);
    }
    let is_itself = !spec.source.is_empty() && spec.source == spec.target;
    let why = "it is the source, too: each table would be its own replica";
    mistakes.add_if(is_itself, "target", why);
}

fn check_clone(clone: &CloneOptions, mistakes: &mut Mistakes) {
    let field = "clone.allow_features";
    check_count(field, clone.allowed_features.len(), ALLOWED_FEATURES_MAX, mistakes);
    for (at, feature) in clone.allowed_features.iter().enumerate() {
        check_text(&format!("{field}[{at}]"), feature, FEATURE_NAME_BYTES_MAX, mistakes);
    }
    check_count("clone.properties", clone.properties.len(), PROPERTIES_MAX, mistakes);
    for (key, value) in &clone.properties {
        let field = format!("clone.properties.{key}");
        check_text(&field, key, PROPERTY_NAME_BYTES_MAX, mistakes);
        check_length(&field, value, PROPERTY_VALUE_BYTES_MAX, mistakes);
    }
}

pub(super) fn zone(name: &str, mistakes: &mut Mistakes) -> Option<Zone> {
    let why = || format!("{name:?} is no time zone: write an IANA name such as Europe/Berlin");
    mistakes.take("time_zone", Zone::of_name(name).ok_or_else(why))
}

fn windows(specs: &[WindowSpec], zone: &Zone, mistakes: &mut Mistakes) -> Windows {
    check_count("window", specs.len(), WINDOWS_MAX, mistakes);
    let windows = specs.iter().enumerate().filter_map(|(at, spec)| {
        let WindowSpec { kind, days, from, to } = spec;
        hours(&format!("window[{at}]"), *kind, [days, from, to], zone, mistakes)
    });
    Windows::new(windows.collect())
}

fn bandwidth(specs: &[BandwidthSpec], zone: &Zone, mistakes: &mut Mistakes) -> BandwidthTimetable {
    check_count("bandwidth", specs.len(), WINDOWS_MAX, mistakes);
    let limits = specs.iter().enumerate().filter_map(|(at, spec)| {
        let BandwidthSpec { days, from, to, bytes_per_second } = spec;
        let field = format!("bandwidth[{at}]");
        check_rate(&format!("{field}.rate"), *bytes_per_second, mistakes);
        let window = hours(&field, WindowKind::Allow, [days, from, to], zone, mistakes)?;
        let bytes_per_second = *bytes_per_second;
        Some(BandwidthLimit { hours: Windows::new(vec![window]), bytes_per_second })
    });
    BandwidthTimetable { limits: limits.collect() }
}

/// Each text is checked by itself, so that two wrong ones are two mistakes.
fn hours(
    field: &str,
    kind: WindowKind,
    [days, from, to]: [&str; 3],
    zone: &Zone,
    mistakes: &mut Mistakes,
) -> Option<Window> {
    let window = |from: &str, to: &str| Window::new(kind, Days::ALL, from, to, zone.clone());
    let days = mistakes.take(format!("{field}.days"), days.parse::<Days>());
    let is_begin = mistakes.take(format!("{field}.from"), window(from, "24:00")).is_some();
    // Any beginning that is not the end itself.
    let other = if to == "00:00" { "00:01" } else { "00:00" };
    let is_end = mistakes.take(format!("{field}.to"), window(other, to)).is_some();
    let days = days.filter(|_| is_begin && is_end)?;
    mistakes.take(format!("{field}.to"), Window::new(kind, days, from, to, zone.clone()))
}

/// Checks a budget, whose fields are below `path`.
pub(super) fn check_budget(path: &str, budget: &BudgetSpec, mistakes: &mut Mistakes) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    let (bytes, money) = (budget.bytes.is_some(), budget.money.is_some());
    mistakes.add_if(bytes && money, below("money"), "write bytes or money, not both");
    mistakes.add_if(!bytes && !money, path, "it has no limit: write bytes or money");
    if let AtLimit::Slow { bytes_per_second } = budget.at_limit {
        check_rate(&below("slow_to"), bytes_per_second, mistakes);
    }
}

fn check_rate(field: &str, bytes_per_second: u64, mistakes: &mut Mistakes) {
    let kib = BODY_BYTES_PER_SECOND_MIN >> 10;
    let why = format!("no copy could go on: write {kib} KiB/s or more");
    mistakes.add_if(bytes_per_second < BODY_BYTES_PER_SECOND_MIN, field, why);
}

pub(super) fn check_text(field: &str, text: &str, bytes_max: usize, mistakes: &mut Mistakes) {
    mistakes.add_if(text.trim().is_empty(), field, "it is empty");
    check_length(field, text, bytes_max, mistakes);
}

fn check_length(field: &str, text: &str, bytes_max: usize, mistakes: &mut Mistakes) {
    let why = format!("it has {} bytes, at most {bytes_max}", text.len());
    mistakes.add_if(text.len() > bytes_max, field, why);
    let is_control = text.chars().any(char::is_control);
    mistakes.add_if(is_control, field, "it has a control character");
}

fn check_count(field: &str, count: usize, most: usize, mistakes: &mut Mistakes) {
    let why = format!("there are {count}, at most {most}");
    mistakes.add_if(count > most, field, why);
}

fn between(range: &RangeInclusive<u32>) -> impl fmt::Display {
    format!("write {} to {}", range.start(), range.end())
}
