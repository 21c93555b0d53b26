//! A metric of each replication, and what its samples are made from.

use deepclone_core::readiness::verdict::ReadyVerdict;
use deepclone_core::unix_time::UnixTime;

use super::audit_summary::AuditSummary;
use super::lag_summary::LagSummary;
use super::view::ReplicationView;

/// One replication with what is known of all its tables.
pub(super) struct Figures<'a> {
    pub(super) view: &'a ReplicationView,
    pub(super) now: UnixTime,
    pub(super) lag: LagSummary,
    pub(super) verdict: ReadyVerdict,
    pub(super) audits: AuditSummary,
}

/// A metric of each replication: a counter if its name says that it is a total, else a gauge.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// `replication`, `owner`, and at most one more.
    pub(super) labels: &'static [&'static str],
    /// The values of that other label with those of the metric.
    pub(super) samples: for<'a> fn(&'a Figures<'a>) -> Vec<(&'a str, f64)>,
}

impl<'a> Figures<'a> {
    pub(super) fn new(view: &'a ReplicationView, now: UnixTime) -> Self {
        let (lag, verdict) = (LagSummary::of(view, now), view.verdict(now));
        Self { view, now, lag, verdict, audits: AuditSummary::of(view) }
    }

    pub(super) fn names(&self) -> [&'a str; 2] {
        let spec = &self.view.spec;
        [spec.name.as_str(), spec.owner.as_deref().unwrap_or_default()]
    }
}

pub(super) fn one(number: f64) -> Vec<(&'static str, f64)> {
    vec![("", number)]
}

pub(super) fn some(number: Option<f64>) -> Vec<(&'static str, f64)> {
    number.map(one).unwrap_or_default()
}

pub(super) fn number(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// Returns seconds since 1970.
pub(super) fn seconds(time: UnixTime) -> f64 {
    let ms = i32::try_from(time.0.rem_euclid(1000)).unwrap_or(0);
    wide(time.0.div_euclid(1000)) + f64::from(ms) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "what is measured has no 53 bits")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "what is measured has no 53 bits")]
pub(super) fn wide(count: i64) -> f64 {
    count as f64
}
