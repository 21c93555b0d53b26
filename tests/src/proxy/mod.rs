//! A proxy before a store: it counts what passes, delays and slows it, and breaks it on request.
//!
//! Requests pass byte for byte, the signed `Host` included, so signatures still hold. A *rule*
//! names the requests that it takes and the *fault* that it does to them; the first rule that
//! matches and is not used up decides. A *gate* holds requests until the test opens it, so that
//! "in the middle of the copy" is a fact and not a race.
//!
//! * `wire`  – the little of HTTP/1.1 that must be understood: heads and where bodies end
//! * `rules` – which requests, which fault, how often
//! * `pass`  – the way of one request

mod pass;
mod rules;
mod wire;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use rules::{Fault, Gate, Rule};

/// A request that the proxy saw whole, or as far as it went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// `GET`, `PUT`, …
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

/// A running proxy; it ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What the connections of a proxy share.
struct Shared {
    upstream: SocketAddr,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    latency_us: AtomicU64,
    /// Zero is unlimited.
    bytes_per_s: AtomicU64,
    /// When the line is free again for bytes, if it is slowed.
    line_free: Mutex<Option<Instant>>,
}

impl Proxy {
    /// Starts a proxy before the store at an endpoint such as `http://127.0.0.1:9000/account`.
    pub async fn start(endpoint: &str) -> Self {
        let upstream = authority(endpoint).parse().expect("an endpoint names address and port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared {
            upstream,
            rules: Mutex::default(),
            seen: Mutex::default(),
            latency_us: AtomicU64::new(0),
            bytes_per_s: AtomicU64::new(0),
            line_free: Mutex::default(),
        });
        let accepting = tokio::spawn(pass::accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// The endpoint to give to a client in place of the store's own.
    #[must_use]
    pub fn endpoint(&self, store: &str) -> String {
        store.replacen(authority(store), &self.address.to_string(), 1)
    }

    /// Adds a rule behind those that are there.
    pub fn add(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Takes all rules away; held requests stay held until their gates open.
    pub fn clear(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Delays every request by this long before it goes on.
    pub fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).expect("a short latency");
        self.shared.latency_us.store(micros, Ordering::Relaxed);
    }

    /// Slows all bodies, of both directions together, to this; zero is unlimited.
    pub fn set_bytes_per_s(&self, bytes_per_s: u64) {
        self.shared.bytes_per_s.store(bytes_per_s, Ordering::Relaxed);
    }

    /// Every request that has ended since the start or the last [`Proxy::forget`].
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// How many requests have this method and this text in their target; empty is any.
    #[must_use]
    pub fn count(&self, method: &str, containing: &str) -> usize {
        let fits = |seen: &&Seen| {
            (method.is_empty() || seen.method == method) && seen.target.contains(containing)
        };
        lock(&self.shared.seen).iter().filter(fits).count()
    }

    /// Forgets what was seen.
    pub fn forget(&self) {
        lock(&self.shared.seen).clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// The fault for a request, if a rule takes it.
    fn fault(&self, method: &str, target: &str) -> Option<Fault> {
        lock(&self.rules).iter_mut().find_map(|rule| rule.take(method, target))
    }

    fn record(&self, seen: Seen) {
        lock(&self.seen).push(seen);
    }

    async fn wait_latency(&self) {
        let latency = Duration::from_micros(self.latency_us.load(Ordering::Relaxed));
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    /// Waits until the slowed line has carried these bytes.
    async fn wait_bandwidth(&self, bytes: usize) {
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

/// `ADDR:PORT` of a URL.
fn authority(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
