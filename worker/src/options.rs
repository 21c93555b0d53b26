//! What a worker is told by the process that runs it.

use std::time::Duration;

use tonic::transport::Channel;

use crate::metrics::WorkerMetrics;

/// How a worker runs.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Its name, which stays over restarts; [`run`](crate::run) mints the incarnation.
    pub name: String,
    /// Bytes of objects that it holds in memory at once.
    pub memory_bytes: u64,
    /// How long it goes on with what it holds once it should leave. What is not done then is given
    /// back.
    pub drain_max: Duration,
    /// Where it counts what it does.
    pub metrics: WorkerMetrics,
}

/// A coordinator that a worker may serve.
#[derive(Clone, Debug)]
pub struct CoordinatorEndpoint {
    /// Its URL, as logs and the ready line show it.
    pub url: String,
    /// The connection to it, which reconnects by itself.
    pub channel: Channel,
}
