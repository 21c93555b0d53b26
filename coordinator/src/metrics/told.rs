//! What others are told: events of lineage, alerts, and spans of traces.

use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::labelled::Counters;
use deepclone_common::telemetry::spans::span_counters;

/// What is counted of it.
#[derive(Debug)]
pub(crate) struct ToldMetrics {
    pub(crate) lineage: Counters,
    pub(crate) webhooks: Counters,
    pub(crate) spans: Counters,
}

impl ToldMetrics {
    pub(super) fn new(catalog: &mut Catalog) -> Self {
        Self {
            lineage: catalog.counters(
                "deepclone_lineage_events_total",
                &["sink", "outcome"],
                "Events of lineage by what became of them: sent, failed after all attempts, or \
                 dropped because too many waited",
            ),
            webhooks: catalog.counters(
                "deepclone_webhook_messages_total",
                &["webhook", "outcome"],
                "Messages to a webhook by what became of them: sent, repeated after an attempt \
                 that failed, given_up after all attempts, or dropped because there were too many",
            ),
            spans: span_counters(catalog),
        }
    }
}
