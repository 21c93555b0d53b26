//! A proxy before a store: it counts what passes, delays and slows it, and breaks it on request.
//!
//! Requests pass byte for byte, the signed `Host` included, so signatures still hold. A *rule*
//! names the requests that it takes and the *fault* that it does to them; the first rule that
//! matches and is not used up decides. A *gate* holds requests until the test opens it, so that
//! "in the middle of the copy" is a fact and not a race.
//!
//! * `wire`  – the little of HTTP/1.1 that must be understood: heads and where bodies end
//! * `rules` – which requests, which fault, how often
//! * `shared` – what its connections share
//! * `pass`  – the way of one request

mod pass;
mod rules;
mod shared;
mod wire;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use rules::{Fault, Gate, Rule};
pub use shared::Seen;
use shared::{Shared, lock};

/// A running proxy; it ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
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

/// `ADDR:PORT` of a URL.
fn authority(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}
