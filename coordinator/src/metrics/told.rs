//! What others are told: events of lineage, and alerts.

use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::labelled::Counters;

/// What is counted of it.
#[derive(Debug)]
pub(crate) struct ToldMetrics {
    pub(crate) lineage: Counters,
    pub(crate) webhooks: Counters,
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
        }
    }
}
