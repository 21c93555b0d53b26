//! The calls of the API, by name.

use deepclone_common::metrics::buckets::CALL_SECONDS;
use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::labelled::{Counters, Gauges, Histograms};

/// What is counted of calls.
#[derive(Debug)]
pub(crate) struct CallMetrics {
    pub(crate) ended: Counters,
    pub(crate) seconds: Histograms,
    pub(crate) open: Gauges,
}

impl CallMetrics {
    pub(super) fn new(catalog: &mut Catalog) -> Self {
        Self {
            ended: catalog.counters(
                "deepclone_calls_total",
                &["method", "code"],
                "Calls of the API that ended, by their gRPC code",
            ),
            seconds: catalog.histograms(
                "deepclone_call_duration_seconds",
                &["method"],
                &CALL_SECONDS,
                "Time of a call to its end; AcquireTasks waits for work, WatchJob for the job",
            ),
            open: catalog.gauges(
                "deepclone_calls_open",
                &["method"],
                "Calls under way, streams among them",
            ),
        }
    }
}
