//! The boards for Grafana that come with the documentation, against what `/metrics` has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deepclone_common::metrics::catalog::MetricKind;
use serde_json::Value;

use crate::alerts::promtool;
use crate::figures::{sections, words};
use crate::samples::fleet;
use crate::site::Site;

/// The labels of each metric with their values.
type Metrics = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A query, the text of its legend and where it is.
struct Query {
    place: String,
    expression: String,
    legend: String,
}

const BOARDS: [&str; 2] = ["replications", "operation"];

fn board(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dashboards");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// Returns the queries of all panels and variables.
fn queries(board: &Value) -> Vec<Query> {
    let mut found = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let place = text(panel, "title").to_owned();
            let expression = text(target, "expr").to_owned();
            found.push(Query { place, expression, legend: text(target, "legendFormat").into() });
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        if let Some(call) = variable["definition"].as_str() {
            let call = call.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (expression, label) = call.rsplit_once(", ").unwrap();
            let (expression, legend) = (expression.to_owned(), format!("{{{{{label}}}}}"));
            found.push(Query { place: text(variable, "name").into(), expression, legend });
        }
    }
    found
}

/// Returns what the processes have, with the label that Prometheus adds. The values of a label are
/// those that a coordinator of replications shows; none means that any may come.
async fn metrics() -> Metrics {
    let body = Site::of(fleet()).await.get("/metrics").await.body;
    let mut metrics = Metrics::new();
    for row in sections().into_iter().flat_map(|(_, rows)| rows) {
        let labels = row.labels.iter().chain(&["instance"]).map(|label| (*label).to_owned());
        let labels: BTreeMap<_, _> = labels.map(|label| (label, BTreeSet::new())).collect();
        if row.kind == MetricKind::Histogram {
            let of_bucket = [("le".to_owned(), BTreeSet::new())].into_iter().chain(labels.clone());
            metrics.insert(format!("{}_bucket", row.name), of_bucket.collect());
        }
        metrics.insert(row.name.to_owned(), labels);
    }
    for line in body.lines().filter(|line| line.starts_with("deepclone_")) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let known = metrics.entry(name.to_owned()).or_default();
        for (label, value) in matchers(labels.strip_suffix('}').unwrap()) {
            known.entry(label).or_default().insert(value);
        }
    }
    metrics
}

/// Returns the labels of a selector with what they are compared with.
fn matchers(selector: &str) -> Vec<(String, String)> {
    let parts = selector.split('"').collect::<Vec<_>>();
    let pairs = parts.chunks_exact(2).map(|pair| {
        (pair[0].trim_matches([',', ' ', '=', '~', '!']).to_owned(), pair[1].to_owned())
    });
    pairs.collect()
}

/// Says what of a query no process has.
fn mistakes(query: &Query, metrics: &Metrics) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut labels = BTreeSet::new();
    let words = words(&query.expression);
    let is_metric = |word: &str| word.starts_with("deepclone_") || word.starts_with("process_");
    for (metric, after) in words.iter().filter(|(word, _)| is_metric(word)) {
        let Some(known) = metrics.get(*metric) else {
            mistakes.push(format!("no metric {metric}"));
            continue;
        };
        labels.extend(known.keys().map(String::as_str));
        let selector = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        for (label, value) in matchers(selector.map_or("", |(selector, _)| selector)) {
            let values = known.get(&label);
            let is_known = |value: &str| {
                value.starts_with('$')
                    || values.is_some_and(|values| values.is_empty() || values.contains(value))
            };
            if values.is_none() || !value.split('|').all(is_known) {
                mistakes.push(format!("no {metric} has {label}={value}"));
            }
        }
    }
    let grouped = words.iter().filter(|(word, _)| ["by", "on"].contains(word));
    let lists = grouped.filter_map(|(_, after)| after.trim_start().strip_prefix('('));
    let named = lists.filter_map(|list| Some(list.split_once(')')?.0.split(", "))).flatten();
    let shown = query.legend.split("{{").skip(1).filter_map(|part| Some(part.split_once("}}")?.0));
    for label in named.chain(shown).filter(|label| !labels.contains(label)) {
        mistakes.push(format!("no label {label}"));
    }
    mistakes.into_iter().map(|mistake| format!("{}: {mistake}", query.place)).collect()
}

#[tokio::test]
async fn the_boards_show_what_processes_have() {
    let metrics = metrics().await;
    let queries: Vec<_> = BOARDS.iter().flat_map(|name| queries(&board(name))).collect();
    let mistakes: Vec<_> = queries.iter().flat_map(|query| mistakes(query, &metrics)).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    // What is on the board in another form: the answer of one replication in that of its group and
    // in its lag, and the rest in what the panels of their names say.
    let apart = [
        "deepclone_replication_ready",
        "deepclone_replication_lag_known",
        "deepclone_replication_last_success_timestamp_seconds",
        "deepclone_replications",
        "deepclone_replications_recovery_point_timestamp_seconds",
    ];
    let is_shown = |name: &str| {
        queries.iter().any(|query| words(&query.expression).iter().any(|(word, _)| *word == name))
    };
    let names = sections().into_iter().flat_map(|(_, rows)| rows).map(|row| match row.kind {
        MetricKind::Histogram => format!("{}_bucket", row.name),
        MetricKind::Counter | MetricKind::Gauge => row.name.to_owned(),
    });
    let missing: Vec<_> =
        names.filter(|name| !is_shown(name) && !apart.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "no panel shows {missing:?}");
}

#[tokio::test]
async fn a_board_of_other_metrics_is_noticed() {
    let metrics = metrics().await;
    for (expression, legend, mistake) in [
        ("rate(deepclone_replication_state{state=\"paused\"}[5m])", "{{owner}}", None),
        ("deepclone_replication_lags", "", Some("no metric deepclone_replication_lags")),
        ("deepclone_jobs{state=\"held|lost\"}", "", Some("no deepclone_jobs has state=held|lost")),
        ("deepclone_jobs{kind=\"a\"}", "", Some("no deepclone_jobs has kind=a")),
        ("sum by (group) (deepclone_jobs)", "", Some("no label group")),
        ("deepclone_jobs", "{{owner}}", Some("no label owner")),
    ] {
        let (place, expression) = ("a".into(), expression.to_owned());
        let query = Query { place, expression, legend: legend.to_owned() };
        let expected: Vec<_> = mistake.map(|mistake| format!("a: {mistake}")).into_iter().collect();
        assert_eq!(mistakes(&query, &metrics), expected);
    }
}

#[test]
fn prometheus_understands_the_queries() {
    let mut rules = "groups:\n  - name: board\n    rules:\n".to_owned();
    let queries = BOARDS.iter().flat_map(|name| queries(&board(name)));
    for (number, query) in queries.enumerate() {
        let expression = query.expression.replace("$__rate_interval", "1m");
        let expression = expression.replace("$__range", "1d");
        let expression = expression.replace("$coordinator", ".*").replace("$replication", ".*");
        let expression = expression.replace("$worker", ".*");
        rules += &format!("      - record: board:{number}\n        expr: >-\n");
        rules += &format!("          {expression}\n");
    }
    promtool(&["check", "rules", "/dev/stdin"], &rules);
}

#[test]
fn each_panel_has_its_place() {
    let boards = BOARDS.map(board);
    let panels = boards.iter().zip(BOARDS).flat_map(|(board, name)| {
        board["panels"].as_array().unwrap().iter().map(move |panel| (name, panel))
    });
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (name, panel) in panels {
        let place = &panel["gridPos"];
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place[key].as_u64().unwrap());
        assert!(x + w <= 24, "{} is too wide", panel["title"]);
        for column in x..x + w {
            for row in y..y + h {
                let place = (name, column, row);
                assert!(taken.insert(place), "{} covers another panel", panel["title"]);
            }
        }
        assert!(ids.insert((name, panel["id"].as_u64().unwrap())));
    }
}
