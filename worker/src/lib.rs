//! The worker: acquire, copy, digest, report. It keeps nothing and sees no table log.
//!
//! [`run`] serves a coordinator over any channel: the binary gives it URLs, the command line the
//! coordinator inside its own process.
//!
//! Layout: [`start`] is the binary, `session` talks to the coordinator, `held` keeps what was
//! granted, `guard` refuses what a worker must not do, `copy` moves the bytes; `budget` and `lease`
//! bound it in memory and time; [`metrics`] counts it.

mod budget;
mod copy;
mod guard;
mod held;
mod lease;
pub mod metrics;
mod session;
pub mod start;

pub use session::run;

use std::time::Duration;

use metrics::Metrics;
use tonic::transport::Channel;

/// What a worker is.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Its name: stable over restarts; the incarnation is minted by [`run`].
    pub name: String,
    /// Bytes of objects that it holds in memory at once.
    pub memory_bytes: u64,
    /// How long it goes on with what it holds once it should leave; what is not done then is given
    /// back.
    pub drain_max: Duration,
    /// Where it counts.
    pub metrics: Metrics,
}

/// A coordinator that it may serve.
#[derive(Clone, Debug)]
pub struct Coordinator {
    /// For people.
    pub url: String,
    /// The way to it; reconnects by itself.
    pub channel: Channel,
}
