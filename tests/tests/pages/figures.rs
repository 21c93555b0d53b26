//! The metrics of replications, as `/metrics` shows them, and the document of all metrics.

use std::path::Path;

use deepclone_common::metrics::catalog::{Catalog, MetricRow, table};
use deepclone_common::metrics::process;
use deepclone_common::store::counts;
use deepclone_coordinator::metrics::CoordinatorMetrics;
use deepclone_coordinator::replications;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_worker::metrics::WorkerMetrics;

use crate::samples::{absent, fleet, fleet_of, many, small};
use crate::site::Site;

pub(crate) async fn metrics(site: &Site) -> Vec<String> {
    let body = site.get("/metrics").await.body;
    body.lines().filter(|line| line.starts_with("deepclone_repl")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn each_replication_has_its_series() {
    let lines = metrics(&Site::of(fleet()).await).await;
    let orders = "replication=\"orders-dr\",owner=\"team-finance\"";
    let clicks = "replication=\"clickstream\",owner=\"team-web\"";
    let archive = "replication=\"archive\",owner=\"platform\"";
    for line in [
        "deepclone_replications 9.0".to_owned(),
        "deepclone_replications_ready{group=\"\",answer=\"no\"} 1.0".to_owned(),
        "deepclone_replications_ready{group=\"shop\",answer=\"no\"} 1.0".to_owned(),
        "deepclone_replications_recovery_point_timestamp_seconds{group=\"shop\"} 1795697940.0"
            .to_owned(),
        format!("deepclone_replication_rounds_total{{{orders},outcome=\"done\"}} 40.0"),
        format!("deepclone_replication_rounds_total{{{orders},outcome=\"failed\"}} 3.0"),
        format!("deepclone_replication_slots_skipped_total{{{orders}}} 2.0"),
        format!("deepclone_replication_read_bytes_total{{{orders}}} 7516192768.0"),
        format!("deepclone_replication_spent_money_total{{{orders},currency=\"EUR\"}} 1.25"),
        "deepclone_replications_viewed_timestamp_seconds 1795699200.0".to_owned(),
        format!("deepclone_replication_state{{{orders},state=\"running\"}} 1.0"),
        format!("deepclone_replication_state{{{orders},state=\"paused\"}} 0.0"),
        format!("deepclone_replication_ready{{{orders},answer=\"no\"}} 1.0"),
        format!("deepclone_replication_ready{{{orders},answer=\"yes\"}} 0.0"),
        format!("deepclone_replication_lag_known{{{orders}}} 1.0"),
        format!("deepclone_replication_lag_seconds{{{orders}}} 1080.0"),
        format!("deepclone_replication_lag_limit_seconds{{{orders},severity=\"warn\"}} 600.0"),
        format!("deepclone_replication_lag_limit_seconds{{{orders},severity=\"page\"}} 900.0"),
        format!("deepclone_replication_source_checked_timestamp_seconds{{{orders}}} 1795699180.0"),
        format!("deepclone_replication_recovery_point_timestamp_seconds{{{orders}}} 1795698120.0"),
        format!("deepclone_replication_last_success_timestamp_seconds{{{orders}}} 1795698360.0"),
        format!("deepclone_replication_tables{{{orders},condition=\"current\"}} 174.0"),
        format!("deepclone_replication_tables{{{orders},condition=\"behind\"}} 13.0"),
        format!("deepclone_replication_failing_tables{{{orders}}} 12.0"),
        format!("deepclone_replication_lag_known{{{clicks}}} 0.0"),
        format!("deepclone_replication_ready{{{clicks},answer=\"unknown\"}} 1.0"),
        format!("deepclone_replication_tables{{{clicks},condition=\"unknown\"}} 96.0"),
        format!("deepclone_replication_tables{{{archive},condition=\"not_copied\"}} 9.0"),
        format!("deepclone_replication_unapproved_tables{{{archive}}} 2.0"),
        "deepclone_replication_budget_limit{budget=\"orders-dr\",unit=\"EUR\"} 300.0".to_owned(),
        "deepclone_replication_budget_spent{budget=\"orders-dr\",unit=\"EUR\"} 212.0".to_owned(),
        "deepclone_replication_budget_reserved{budget=\"orders-dr\",unit=\"EUR\"} 9.0".to_owned(),
        "deepclone_replication_budget_limit{budget=\"owner team-finance\",unit=\"bytes\"} \
         21990232555520.0"
            .to_owned(),
    ] {
        assert!(lines.contains(&line), "no {line} in\n{}", lines.join("\n"));
    }
    // What is not known has no number.
    for absent in [
        format!("deepclone_replication_lag_seconds{{{clicks}}}"),
        format!("deepclone_replication_lag_at_least_seconds{{{clicks}}}"),
        format!("deepclone_replication_recovery_point_timestamp_seconds{{{archive}}}"),
        format!("deepclone_replication_lag_limit_seconds{{{archive}"),
    ] {
        assert!(!lines.iter().any(|line| line.starts_with(&absent)), "{absent}");
    }
}

#[tokio::test]
async fn a_failing_check_turns_nothing_green() {
    let lag = |lines: &[String], name: &str| -> Vec<String> {
        let start = format!("deepclone_replication_lag_{name}{{");
        let found = lines.iter().filter(|line| line.starts_with(&start));
        found.filter_map(|line| line.rsplit(' ').next()).map(ToOwned::to_owned).collect()
    };
    let mut view = small("a", 2);
    view.tables[0].freshness.check_failed = true;
    view.tables[1].freshness.lacks_since = Some(crate::samples::minutes_ago(5));
    let lines = metrics(&Site::of(fleet_of(vec![view.clone()])).await).await;
    assert_eq!(lag(&lines, "known"), ["0.0"]);
    assert_eq!(lag(&lines, "seconds"), [""; 0]);
    assert_eq!(lag(&lines, "at_least_seconds"), ["300.0"]);
    view.tables = vec![absent("a")];
    let lines = metrics(&Site::of(fleet_of(vec![view])).await).await;
    assert_eq!((lag(&lines, "known"), lag(&lines, "seconds")), (vec!["0.0".into()], vec![]));
    let failure = Failure::new(Reason::CoordinatorUnavailable, "the coordinator is stopping");
    let lines = metrics(&Site::answering(Err(failure)).await).await;
    assert_eq!(lines, [""; 0]);
}

#[tokio::test]
async fn the_number_of_series_grows_with_replications_alone() {
    let count = |lines: Vec<String>| lines.len();
    let one = count(metrics(&Site::of(fleet_of(vec![small("a", 1)])).await).await);
    assert_eq!(count(metrics(&Site::of(fleet_of(vec![small("a", 1_000)])).await).await), one);
    let hundred = count(metrics(&Site::of(many(100)).await).await);
    // Six are of all replications together.
    assert_eq!(hundred - 6, (one - 6) * 100);
    assert!(one < 40, "{one} series");
}

/// `DEEPCLONE_WRITE_DOCS=1` writes the tables anew.
#[test]
fn the_document_has_all_metrics() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut expected = text.clone();
    for (section, rows) in sections() {
        let begin = format!("<!-- metrics: {section} -->\n");
        let start = expected.find(&begin).unwrap() + begin.len();
        let end = start + expected[start..].find("<!-- end -->").unwrap();
        expected.replace_range(start..end, &table(&rows));
    }
    if text != expected && std::env::var_os("DEEPCLONE_WRITE_DOCS").is_some() {
        std::fs::write(&file, expected).unwrap();
        return;
    }
    assert_eq!(text, expected, "DEEPCLONE_WRITE_DOCS=1 writes docs/metrics.md anew");
}

/// Returns the metrics by who has them.
pub(crate) fn sections() -> [(&'static str, Vec<MetricRow>); 4] {
    let mut of_each = Catalog::default();
    counts::register(&mut of_each);
    process::register(&mut of_each, "1");
    let (_, coordinator) = CoordinatorMetrics::of_process(None);
    let (_, worker) = WorkerMetrics::of_process();
    let process = of_each.rows().to_vec();
    let own = |catalog: &Catalog| {
        catalog.rows().iter().copied().filter(|row| !process.contains(row)).collect()
    };
    let (coordinator, worker) = (own(&coordinator), own(&worker));
    [
        ("process", process),
        ("coordinator", coordinator),
        ("worker", worker),
        ("replications", replications::metrics::rows()),
    ]
}

/// Returns the words of a text, each with what follows it.
pub(crate) fn words(text: &str) -> Vec<(&str, &str)> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_inner) {
        let word = &rest[start..];
        let end = word.find(|c| !is_inner(c)).unwrap_or(word.len());
        words.push((&word[..end], &word[end..]));
        rest = &word[end..];
    }
    words
}
