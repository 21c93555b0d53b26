//! What the operating system says of this process, under the names that Prometheus's libraries use.
//!
//! It is read at each scrape, from `/proc`; where there is none, these metrics are absent.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::catalog::{Catalog, MetricRow};

/// A gauge of the process.
struct Figure {
    row: MetricRow,
    read: fn() -> Option<f64>,
}

const FIGURES: [Figure; 3] = [
    Figure {
        row: MetricRow::gauge(
            "process_resident_memory_bytes",
            &[],
            "Memory of the process that is in RAM",
        ),
        read: || resident_bytes(&read("status")?),
    },
    Figure {
        row: MetricRow::gauge("process_open_fds", &[], "Files and connections that are open"),
        read: open_files,
    },
    Figure {
        row: MetricRow::gauge("process_max_fds", &[], "The most of them; absent without a limit"),
        read: || files_max(&read("limits")?),
    },
];
const STARTED: MetricRow =
    MetricRow::gauge("process_start_time_seconds", &[], "When the process started");
const BUILD: MetricRow =
    MetricRow::gauge("deepclone_build_info", &["version"], "1 for the version that runs");

/// Adds the metrics of this process, which starts now and is of this version.
pub fn register(catalog: &mut Catalog, version: &'static str) {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let rows = FIGURES.iter().map(|figure| figure.row).chain([STARTED, BUILD]);
    let figures = ProcessFigures { started_seconds: started.as_secs_f64(), version };
    catalog.collect(rows, Box::new(figures));
}

#[derive(Debug)]
struct ProcessFigures {
    started_seconds: f64,
    version: &'static str,
}

impl Collector for ProcessFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let read = FIGURES.iter().filter_map(|figure| Some((figure.row, (figure.read)()?)));
        for (row, number) in read.chain([(STARTED, self.started_seconds)]) {
            let metric = encoder.encode_descriptor(row.name, row.help, None, MetricType::Gauge)?;
            ConstGauge::new(number).encode(metric)?;
        }
        let mut build =
            encoder.encode_descriptor(BUILD.name, BUILD.help, None, MetricType::Gauge)?;
        let labels = [("version", self.version)];
        ConstGauge::new(1_i64).encode(build.encode_family(&labels)?)
    }
}

fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/self/{file}")).ok()
}

fn open_files() -> Option<f64> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // The one that was open to count them is closed again.
    u32::try_from(open.saturating_sub(1)).ok().map(f64::from)
}

/// Returns the resident memory by a text as of `/proc/self/status`.
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Returns the soft limit by a text as of `/proc/self/limits`; `None` for one that is unlimited.
fn files_max(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::classic;

    fn figure(name: &str) -> f64 {
        let mut catalog = Catalog::default();
        register(&mut catalog, "1.2.3");
        let text = classic(catalog.registry()).unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    #[test]
    fn memory_and_files_are_this_process_s_own() {
        let before = figure("process_resident_memory_bytes");
        let held = vec![1_u8; 64 << 20];
        let after = figure("process_resident_memory_bytes");
        assert!(after - before > f64::from(32 << 20), "{before} {after} {}", held[9]);
        let before = figure("process_open_fds");
        let files: Vec<_> = (0..40).map(|_| tempfile::tempfile().unwrap()).collect();
        // Other tests of this process open and close some, too.
        let after = figure("process_open_fds");
        assert!(after >= before + 20.0, "{before} {after} {}", files.len());
        assert!(figure("process_max_fds") >= after);
        assert!(figure("process_start_time_seconds") > 1.7e9);
        assert!((figure("deepclone_build_info{version=\"1.2.3\"}") - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_another_system_says_is_no_figure() {
        assert_eq!(resident_bytes("VmRSS:\t    5120 kB\nx"), Some(5_242_880.0));
        assert_eq!(resident_bytes("VmRSS: many"), None);
        assert_eq!(resident_bytes(""), None);
        let limits = "Max open files            1024                 524288               files\n";
        assert_eq!(files_max(limits), Some(1024.0));
        assert_eq!(files_max("Max open files            unlimited            unlimited"), None);
    }
}
