//! What the connections of a proxy share: its rules, what it saw, and how slow it is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::rules::{Fault, Rule};

/// A request that the proxy saw whole, or as far as it went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The HTTP method: `GET`, `PUT`, …
    pub method: String,
    /// Path and query as they were sent: still percent-encoded.
    pub target: String,
    /// The status of the answer that the client got; none when it got none.
    pub status: Option<u16>,
    /// Bytes of the request's body that reached the proxy.
    pub bytes_in: u64,
    /// Bytes of the answer's body that went to the client.
    pub bytes_out: u64,
}

/// What the connections of a proxy share.
pub(super) struct Shared {
    pub(super) upstream: SocketAddr,
    pub(super) rules: Mutex<Vec<Rule>>,
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) latency_us: AtomicU64,
    /// Bytes per second and direction; zero is unlimited.
    pub(super) bytes_per_s: AtomicU64,
    /// When the line is free again for bytes, if it is slowed.
    pub(super) line_free: Mutex<Option<Instant>>,
}

impl Shared {
    /// The fault for a request, if a rule takes it.
    pub(super) fn fault(&self, method: &str, target: &str) -> Option<Fault> {
        lock(&self.rules).iter_mut().find_map(|rule| rule.take(method, target))
    }

    pub(super) fn record(&self, seen: Seen) {
        lock(&self.seen).push(seen);
    }

    pub(super) async fn wait_latency(&self) {
        let latency = Duration::from_micros(self.latency_us.load(Ordering::Relaxed));
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    /// Waits until the slowed line has carried these bytes.
    pub(super) async fn wait_bandwidth(&self, bytes: usize) {
        let bytes_per_s = self.bytes_per_s.load(Ordering::Relaxed);
        if bytes_per_s == 0 {
            return;
        }
        let takes = Duration::from_secs(1).mul_f64(bytes as f64 / bytes_per_s as f64);
        let until = {
            let mut free = lock(&self.line_free);
            let now = Instant::now();
            let until = free.map_or(now, |free| free.max(now)) + takes;
            *free = Some(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
