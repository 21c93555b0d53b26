//! The text of `/metrics`: Prometheus's own form, or OpenMetrics for who asks for it.
//!
//! The encoder writes OpenMetrics, which describes a counter without the ending of its name and
//! closes with a mark. In Prometheus's own form a counter is described under its whole name.

use std::collections::BTreeSet;
use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The content type of Prometheus's own form.
pub const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The content type of OpenMetrics.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What a request says that takes OpenMetrics.
const TAKES_OPEN_METRICS: &str = "application/openmetrics-text";

/// Returns all metrics with the content type of their text, by the `accept` of a request.
///
/// # Errors
/// A collector's.
pub fn text(registry: &Registry, accept: &str) -> Result<(&'static str, String), fmt::Error> {
    match accept.contains(TAKES_OPEN_METRICS) {
        true => Ok((OPEN_METRICS, open_metrics(registry)?)),
        false => Ok((CLASSIC, classic(registry)?)),
    }
}

/// Returns all metrics in Prometheus's own form.
///
/// # Errors
/// A collector's.
pub fn classic(registry: &Registry) -> Result<String, fmt::Error> {
    let open = open_metrics(registry)?;
    let counters: BTreeSet<&str> = open.lines().filter_map(counter).collect();
    let mut text = String::with_capacity(open.len());
    for line in open.lines().filter(|line| *line != "# EOF") {
        match described(line).filter(|(_, name, _)| counters.contains(name)) {
            Some((what, name, rest)) => {
                text.push_str("# ");
                text.push_str(what);
                text.push(' ');
                text.push_str(name);
                text.push_str("_total ");
                text.push_str(rest);
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    Ok(text)
}

fn open_metrics(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(text)
}

/// Returns what a line describes of which metric, and how.
fn described(line: &str) -> Option<(&str, &str, &str)> {
    let (what, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    Some((what, name, rest))
}

/// Returns the name of a counter whose kind a line tells.
fn counter(line: &str) -> Option<&str> {
    let (what, name, kind) = described(line)?;
    (what == "TYPE" && kind == "counter").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalog::Catalog;

    #[test]
    fn each_reader_gets_the_form_that_it_asks_for() {
        let mut catalog = Catalog::default();
        catalog.counter("a_total", "A").inc();
        catalog.gauge("b", "B").set(2);
        let modern = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        for (accept, kind, counter, is_closed) in [
            ("", CLASSIC, "# TYPE a_total counter", false),
            ("text/plain;version=0.0.4", CLASSIC, "# TYPE a_total counter", false),
            (modern, OPEN_METRICS, "# TYPE a counter", true),
        ] {
            let (is, text) = text(catalog.registry(), accept).unwrap();
            assert_eq!(is, kind, "{accept}");
            for line in [counter, "a_total 1", "# TYPE b gauge", "b 2"] {
                assert!(text.lines().any(|found| found == line), "{accept}: no {line} in\n{text}");
            }
            assert_eq!(text.ends_with("# EOF\n"), is_closed, "{accept}: {text}");
        }
    }
}
