//! The alerts that come with the documentation, checked by Prometheus's own tool.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use deepclone_tests::environment::environment;

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

#[test]
fn the_rules_fire_when_they_should() {
    promtool(&["check", "rules", "replications.rules.yml"], "");
    promtool(&["test", "rules", "replications.test.yml"], "");
}

#[tokio::test]
async fn the_metrics_are_as_prometheus_wants_them() {
    let body = Site::of(fleet()).await.get("/metrics").await.body;
    // The end of the exposition is OpenMetrics' own, and the tool's checks are for the older form.
    // There, a counter is described under its whole name.
    let ours = body.lines().filter(|line| line.contains("deepclone_repl"));
    let is_counter = |name: &str| body.contains(&format!("# TYPE {name} counter"));
    let text: String = ours
        .map(|line| match line.splitn(4, ' ').collect::<Vec<_>>().as_slice() {
            ["#", what, name, rest] if is_counter(name) => {
                format!("# {what} {name}_total {rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    promtool(&["check", "metrics"], &text);
}
