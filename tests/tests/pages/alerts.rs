//! The alerts that come with the documentation, checked by Prometheus's own tool.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use deepclone_common::metrics::exposition::classic;
use deepclone_tests::environment::environment;
use deepclone_worker::metrics::WorkerMetrics;

use crate::figures::{sections, words};
use crate::samples::fleet;
use crate::site::Site;

/// Runs the tool in the folder of the rules, and demands that it finds no mistake.
pub(crate) fn promtool(arguments: &[&str], input: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts");
    let mut command = Command::new(&environment().tools.promtool);
    command.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", told(&output.stdout), told(&output.stderr));
}

const FILES: [&str; 2] = ["replications", "operation"];

#[test]
fn the_rules_fire_when_they_should() {
    for file in FILES {
        promtool(&["check", "rules", &format!("{file}.rules.yml")], "");
        promtool(&["test", "rules", &format!("{file}.test.yml")], "");
    }
}

/// A rule over a metric that nobody has never fires; one without a test may not fire either.
#[test]
fn the_rules_are_over_metrics_that_there_are_and_each_is_tested() {
    let rows: Vec<_> = sections().into_iter().flat_map(|(_, rows)| rows).collect();
    for file in FILES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts");
        let read =
            |kind| std::fs::read_to_string(folder.join(format!("{file}.{kind}.yml"))).unwrap();
        let (rules, tests) = (read("rules"), read("test"));
        let is_named = |name: &str| name.starts_with("deepclone_") || name.starts_with("process_");
        let named: Vec<_> =
            words(&rules).into_iter().map(|(word, _)| word).filter(|word| is_named(word)).collect();
        assert!(named.len() > 5, "{file}: {named:?}");
        for name in named {
            let base = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(rows.iter().any(|row| row.name == base), "{file}: no metric {name}");
        }
        for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
            let tested = format!("alertname: {alert}\n");
            assert!(tests.contains(&tested), "{file}: nothing tests {alert}");
        }
    }
}

#[tokio::test]
async fn the_metrics_are_as_prometheus_wants_them() {
    let answer = Site::of(fleet()).await.get("/metrics").await;
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    promtool(&["check", "metrics"], &answer.body);
    let (_, worker) = WorkerMetrics::of_process();
    promtool(&["check", "metrics"], &classic(worker.registry()).unwrap());
}
