//! Makes the metrics of a process, and keeps what each is called, is and means.

use std::fmt::{self, Write as _};

use prometheus_client::collector::Collector;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::labelled::{Counters, Gauges, Histograms};

/// What a metric is, by Prometheus's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values in buckets, by how large they are.
    Histogram,
}

/// A metric as it is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricRow {
    /// The name as a scrape shows it.
    pub name: &'static str,
    pub kind: MetricKind,
    /// The names of its labels, in their order.
    pub labels: &'static [&'static str],
    /// One sentence without its full stop.
    pub help: &'static str,
}

/// The metrics of a process.
#[derive(Debug, Default)]
pub struct Catalog {
    registry: Registry,
    rows: Vec<MetricRow>,
}

impl MetricKind {
    /// Returns Prometheus's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl MetricRow {
    /// Describes a metric that only grows.
    #[must_use]
    pub const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Counter, labels, help }
    }

    /// Describes a metric that goes up and down.
    #[must_use]
    pub const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Gauge, labels, help }
    }

    /// Describes a metric that counts in buckets.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Histogram, labels, help }
    }

    /// Returns the name as an encoder takes it, which adds the ending of a counter by itself.
    #[must_use]
    pub fn encoded_name(&self) -> &'static str {
        match self.kind {
            MetricKind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            MetricKind::Gauge | MetricKind::Histogram => self.name,
        }
    }
}

impl Catalog {
    /// Makes a counter without labels.
    pub fn counter(&mut self, name: &'static str, help: &'static str) -> Counter {
        let counter = Counter::default();
        self.show(MetricRow::counter(name, &[], help), counter.clone());
        counter
    }

    /// Makes counters by labels.
    pub fn counters(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Counters {
        let counters = Counters::new(labels);
        self.show_counters(MetricRow::counter(name, labels, help), &counters);
        counters
    }

    /// Makes a gauge without labels.
    pub fn gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        let gauge = Gauge::default();
        self.show(MetricRow::gauge(name, &[], help), gauge.clone());
        gauge
    }

    /// Makes gauges by labels.
    pub fn gauges(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Gauges {
        let gauges = Gauges::new(labels);
        self.show_gauges(MetricRow::gauge(name, labels, help), &gauges);
        gauges
    }

    /// Makes a histogram without labels.
    pub fn histogram(
        &mut self,
        name: &'static str,
        buckets: &'static [f64],
        help: &'static str,
    ) -> Histogram {
        let histogram = Histogram::new(buckets.iter().copied());
        self.show(MetricRow::histogram(name, &[], help), histogram.clone());
        histogram
    }

    /// Makes histograms by labels, all with these buckets.
    pub fn histograms(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        buckets: &'static [f64],
        help: &'static str,
    ) -> Histograms {
        let histograms = Histograms::new(labels, buckets);
        self.show_histograms(MetricRow::histogram(name, labels, help), &histograms);
        histograms
    }

    /// Adds counters that are made already.
    pub fn show_counters(&mut self, row: MetricRow, counters: &Counters) {
        self.show(row, counters.family.clone());
    }

    /// Adds gauges that are made already.
    pub fn show_gauges(&mut self, row: MetricRow, gauges: &Gauges) {
        self.show(row, gauges.family.clone());
    }

    /// Adds histograms that are made already.
    pub fn show_histograms(&mut self, row: MetricRow, histograms: &Histograms) {
        self.show(row, histograms.family.clone());
    }

    /// Adds what is asked at each scrape; `rows` describe all that it may answer.
    pub fn collect(
        &mut self,
        rows: impl IntoIterator<Item = MetricRow>,
        collector: Box<dyn Collector>,
    ) {
        self.rows.extend(rows);
        self.registry.register_collector(collector);
    }

    /// Returns what is documented of each metric, in the order in which they were made.
    #[must_use]
    pub fn rows(&self) -> &[MetricRow] {
        &self.rows
    }

    /// Returns the registry, to be encoded.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn show(&mut self, row: MetricRow, metric: impl Metric) {
        self.rows.push(row);
        self.registry.register(row.encoded_name(), row.help, metric);
    }
}

/// Returns these metrics as a table in Markdown.
#[must_use]
pub fn table<'a>(rows: impl IntoIterator<Item = &'a MetricRow>) -> String {
    let mut text =
        "| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n".to_owned();
    for row in rows {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{}", Line(row));
    }
    text
}

struct Line<'a>(&'a MetricRow);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MetricRow { name, kind, labels, help } = self.0;
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        write!(f, "| `{name}` | {} | {} | {help} |", kind.name(), labels.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::classic;

    #[test]
    fn what_is_made_is_shown_and_described() {
        let mut catalog = Catalog::default();
        catalog.counter("things_total", "Things").inc_by(3);
        catalog.counters("of_total", &["a", "b"], "Of").with(&["1", "2"]).inc();
        catalog.gauge("now", "Now").set(-1);
        catalog.gauges("held_bytes", &["by"], "Held").set(&["x"], u64::MAX);
        catalog.histogram("wait_seconds", &[0.5], "Wait").observe(0.1);
        catalog.histograms("each_seconds", &["of"], &[0.5], "Each").with(&["y"]).observe(1.0);
        let text = classic(catalog.registry()).unwrap();
        for line in [
            "# HELP things_total Things.",
            "# TYPE things_total counter",
            "things_total 3",
            "of_total{a=\"1\",b=\"2\"} 1",
            "# TYPE now gauge",
            "now -1",
            "held_bytes{by=\"x\"} 9223372036854775807",
            "# TYPE wait_seconds histogram",
            "wait_seconds_bucket{le=\"0.5\"} 1",
            "each_seconds_bucket{le=\"0.5\",of=\"y\"} 0",
            "each_seconds_count{of=\"y\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        let table = table(catalog.rows());
        assert_eq!(table.lines().count(), 2 + 6);
        assert!(table.contains("\n| `of_total` | counter | `a`, `b` | Of |\n"), "{table}");
    }
}
