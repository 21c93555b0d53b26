//! Metrics with labels, whose values are given in the order of the labels' names.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// The labels of a series, with their values.
pub(super) type SeriesLabels = Vec<(&'static str, String)>;

/// Makes histograms with the same buckets.
#[derive(Clone, Copy, Debug)]
pub struct WithBuckets(&'static [f64]);

impl MetricConstructor<Histogram> for WithBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Counters by labels; clones share them.
#[derive(Clone, Debug)]
pub struct Counters {
    labels: &'static [&'static str],
    pub(super) family: Family<SeriesLabels, Counter>,
}

/// Gauges by labels; clones share them.
#[derive(Clone, Debug)]
pub struct Gauges {
    labels: &'static [&'static str],
    pub(super) family: Family<SeriesLabels, Gauge>,
}

/// Histograms by labels; clones share them.
#[derive(Clone, Debug)]
pub struct Histograms {
    labels: &'static [&'static str],
    pub(super) family: Family<SeriesLabels, Histogram, WithBuckets>,
}

impl Counters {
    /// Makes counters with these labels.
    #[must_use]
    pub fn new(labels: &'static [&'static str]) -> Self {
        Self { labels, family: Family::default() }
    }

    /// Returns the counter with these values of the labels; it is shown from then on.
    #[must_use]
    pub fn with(&self, values: &[&str]) -> Counter {
        self.family.get_or_create_owned(&series(self.labels, values))
    }
}

impl Gauges {
    /// Makes gauges with these labels.
    #[must_use]
    pub fn new(labels: &'static [&'static str]) -> Self {
        Self { labels, family: Family::default() }
    }

    /// Returns the gauge with these values of the labels; it is shown from then on.
    #[must_use]
    pub fn with(&self, values: &[&str]) -> Gauge {
        self.family.get_or_create_owned(&series(self.labels, values))
    }

    /// Sets the gauge with these values of the labels.
    pub fn set(&self, values: &[&str], number: u64) {
        self.with(values).set(i64::try_from(number).unwrap_or(i64::MAX));
    }
}

impl Histograms {
    /// Makes histograms with these labels and buckets.
    #[must_use]
    pub fn new(labels: &'static [&'static str], buckets: &'static [f64]) -> Self {
        Self { labels, family: Family::new_with_constructor(WithBuckets(buckets)) }
    }

    /// Returns the histogram with these values of the labels; it is shown from then on.
    #[must_use]
    pub fn with(&self, values: &[&str]) -> Histogram {
        self.family.get_or_create_owned(&series(self.labels, values))
    }
}

fn series(labels: &'static [&'static str], values: &[&str]) -> SeriesLabels {
    debug_assert_eq!(labels.len(), values.len(), "of {labels:?}");
    labels.iter().zip(values).map(|(label, value)| (*label, (*value).to_owned())).collect()
}
