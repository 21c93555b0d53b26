//! Requests for an object that are sent again. The meter of the task's route hears of each one that
//! failed: no request for an object is sent again but by this file.

use std::sync::Arc;
use std::time::Duration;

use deepclone_common::connections::Side;
use deepclone_common::store::error::StoreError;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::{self, Patience, Retry};

use super::counts::Counts;

/// The failed attempts of one request.
pub(crate) struct ObjectRetry {
    retry: Retry,
    counts: Arc<Counts>,
}

impl ObjectRetry {
    /// Of a request that asks this of the store of a side.
    pub(crate) fn new(counts: &Arc<Counts>, side: Side, operation: StoreOperation) -> Self {
        let asked = counts.asked(side, operation);
        Self { retry: Retry::new(Patience::OBJECT, asked), counts: Arc::clone(counts) }
    }

    /// Counts an attempt that failed. Returns the pause before the next one, or `None` when the
    /// request has failed for good.
    pub(crate) fn next(&mut self, error: &StoreError) -> Option<Duration> {
        self.counts.failed(error);
        self.retry.next(error)
    }
}

/// Sends a request until it succeeds or has failed for good.
///
/// # Errors
/// That of the last attempt.
pub(crate) async fn retrying<T, F>(
    counts: &Counts,
    (side, operation): (Side, StoreOperation),
    mut request: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let attempt = || {
        let answer = request();
        async { answer.await.inspect_err(|error| counts.failed(error)) }
    };
    retry::retrying(Patience::OBJECT, counts.asked(side, operation), attempt).await
}
