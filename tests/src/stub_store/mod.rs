//! A strict store of our own that speaks S3 over HTTP, and lies or fails on order. It can be read
//! in the ways of Azure and Google Cloud Storage, too, and written to in the way of the latter.
//!
//! It really stores objects and refuses what S3 refuses: a wrong condition, a part that is too
//! small, parts out of order, an unknown upload, a wrong checksum, a header of S3's own that is not
//! signed. It remembers every request. A *rule* names requests by kind and key, and the *lie* that
//! is their answer; the first rule that fits and is not used up decides.
//!
//! * `wire`    – the little of HTTP/1.1 that a server needs
//! * `request` – what a request asks for, and what is remembered of it
//! * `rules`   – which requests are answered wrongly, how, how often
//! * `bucket`  – the objects and uploads
//! * `held`    – an object as it is stored
//! * `google`  – what Google Cloud Storage does otherwise
//! * `listing` – pages of keys
//! * `passes`  – credentials that count for some time
//! * `shared`  – what its connections share
//! * `serve`   – the way of one request

mod bucket;
mod google;
mod held;
mod listing;
mod passes;
mod request;
mod rules;
mod serve;
mod shared;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use bucket::Manners;
pub use passes::Passes;
pub use request::{Kind, Seen};
pub use rules::{Lie, Rule, StoreAnswer, error};

use bucket::Bucket;
use shared::{IDLE, Shared, lock};

/// A running store with one bucket; it ends when dropped. It has threads of its own, so that tests
/// may wait for processes.
pub struct StubStore {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl StubStore {
    /// Starts a store with an empty bucket of this name.
    #[must_use]
    pub fn start(bucket: &str) -> Self {
        Self::with(bucket, Manners::default())
    }

    /// As [`Self::start`], with these manners.
    #[must_use]
    pub fn with(bucket: &str, manners: Manners) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread of its own");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            bucket: Mutex::new(Bucket::new(bucket, manners)),
            rules: Mutex::default(),
            seen: Mutex::default(),
            idle_us: AtomicU64::new(micros(IDLE)),
            connections: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
        });
        runtime.spawn(serve::accept(listener, Arc::clone(&shared)));
        Self { address, shared, runtime: Some(runtime) }
    }

    /// The URL for a client's settings.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule behind those that are there.
    pub fn add(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Closes a connection that is idle for this long.
    pub fn close_idle_after(&self, time: Duration) {
        self.shared.idle_us.store(micros(time), Ordering::Relaxed);
    }

    /// Stores an object without a request.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        lock(&self.shared.bucket).put(key, bytes.into());
    }

    /// Removes an object without a request.
    pub fn remove(&self, key: &str) {
        lock(&self.shared.bucket).remove(key);
    }

    /// The bytes of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Bytes> {
        lock(&self.shared.bucket).get(key)
    }

    /// The keys of all objects.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<String> {
        lock(&self.shared.bucket).keys()
    }

    /// The keys of the uploads that are neither completed nor aborted.
    #[must_use]
    pub fn uploads(&self) -> Vec<String> {
        lock(&self.shared.bucket).uploads()
    }

    /// Removes all uploads, as a lifecycle rule does.
    pub fn forget_uploads(&self) {
        lock(&self.shared.bucket).forget_uploads();
    }

    /// Every request since the start.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// The requests of this kind whose key contains `key`.
    #[must_use]
    pub fn seen_of(&self, kind: Kind, key: &str) -> Vec<Seen> {
        let fits = |seen: &&Seen| seen.kind == kind && seen.key.contains(key);
        lock(&self.shared.seen).iter().filter(fits).cloned().collect()
    }

    /// Bytes of the bodies of all answers that were sent, also of those that were cut.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// How many connections were opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for StubStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a short time")
}
