//! What no other test sees: names, and transactions that fail or do not end.

use std::time::Duration;

use deepclone_common::metrics::exposition::classic;
use futures::FutureExt as _;

use super::*;
use crate::replications;

#[test]
fn names_are_as_prometheus_wants_them_and_there_once() {
    let (_, catalog) = CoordinatorMetrics::of_process(None);
    let rows: Vec<_> =
        catalog.rows().iter().copied().chain(replications::metrics::rows()).collect();
    let mut names = std::collections::BTreeSet::new();
    for row in rows {
        let is_ours = row.name.starts_with("deepclone_") || row.name.starts_with("process_");
        assert!(is_ours && names.insert(row.name), "{row:?}");
        assert_eq!(row.kind.name() == "counter", row.name.ends_with("_total"), "{row:?}");
        assert!(!row.help.ends_with('.'), "{row:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_does_not_end_grows_older() {
    let (metrics, catalog) = CoordinatorMetrics::of_process(None);
    let value = |name: &str| {
        let text = classic(catalog.registry()).unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse::<f64>().unwrap()
    };
    let age = "deepclone_database_commit_age_seconds";
    assert!(value(age).abs() < f64::EPSILON);
    let (fail, failed) = tokio::sync::oneshot::channel::<&str>();
    let mut commit = Box::pin(metrics.state.commit(async { Err::<(), _>(failed.await.unwrap()) }));
    assert!(commit.as_mut().now_or_never().is_none());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let first = value(age);
    assert!(first >= 0.3, "{first}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(value(age) > first, "it grows");
    fail.send("the disk is full").unwrap();
    assert_eq!(commit.await, Err("the disk is full"));
    assert!(value(age).abs() < f64::EPSILON);
    assert!((value("deepclone_database_commit_failures_total") - 1.0).abs() < f64::EPSILON);
    let bucket = "deepclone_database_commit_duration_seconds_bucket{le=\"0.1\"}";
    assert!(value(bucket).abs() < f64::EPSILON, "it took longer");
    metrics.state.commit(std::future::ready(Ok::<_, ()>(()))).await.unwrap();
    assert!((value(bucket) - 1.0).abs() < f64::EPSILON);
}
