//! Bounds the bytes per second that copies move.
//!
//! Every flow reads piece by piece, and waits for its turn with each piece. A piece is paid for in
//! small slices, first come, first served, so flows with large and with small pieces get the same.
//! A slice has a place among all bytes that were asked for, not a time: when the rate changes, the
//! flows that wait look again when their place is reached.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that a flow pays for at once.
const SLICE_BYTES: u64 = 16 << 10;
/// How long the bytes that nobody used may be used later: the timer is about a millisecond late.
const BURST: Duration = Duration::from_millis(50);

/// A bound of the bytes per second that copies move, which may change; clones share it.
#[derive(Clone, Debug)]
pub struct Bandwidth(Arc<BandwidthShared>);

#[derive(Debug)]
struct BandwidthShared {
    account: Mutex<Account>,
    /// False while the rate is `None`: nobody has to look at the account.
    is_bounded: AtomicBool,
    /// Notified when the rate changes.
    changed: Notify,
}

/// Which bytes may be moved, counted from the first that was ever asked for.
#[derive(Debug)]
struct Account {
    /// Bytes per second; `None` for no bound.
    rate: Option<u64>,
    /// Bytes that were asked for.
    asked: u64,
    /// Bytes that might be moved at `since`; from then on more by the rate.
    allowed: u64,
    since: Instant,
}

impl Bandwidth {
    /// A bound of so many bytes per second, from now on; `None` for no bound.
    #[must_use]
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        let rate = bytes_per_second.map(|rate| rate.max(1));
        let account = Account { rate, asked: 0, allowed: 0, since: Instant::now() };
        Self(Arc::new(BandwidthShared {
            is_bounded: AtomicBool::new(rate.is_some()),
            account: Mutex::new(account),
            changed: Notify::new(),
        }))
    }

    /// Changes the bound, also for the flows that wait.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let rate = bytes_per_second.map(|rate| rate.max(1));
        let mut account = self.lock();
        if account.rate != rate {
            account.change(rate, Instant::now());
            self.0.is_bounded.store(rate.is_some(), Ordering::Relaxed);
            drop(account);
            self.0.changed.notify_waiters();
        }
    }

    /// Bytes per second; `None` for no bound.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        self.lock().rate
    }

    fn is_bounded(&self) -> bool {
        self.0.is_bounded.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.account.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Waits until the byte at this place may be moved.
    async fn wait(&self, place: u64) {
        while self.lock().when(place, Instant::now()).is_some() {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            // Registered before the rate is read, so that no change is missed in between.
            changed.as_mut().enable();
            let Some(at) = self.lock().when(place, Instant::now()) else { return };
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = changed => {}
            }
        }
    }
}

/// Waits until so many bytes may be moved within all of these bounds.
pub(crate) async fn take(bounds: &[&Bandwidth], bytes: usize) {
    let mut left = bytes as u64;
    while left > 0 && bounds.iter().any(|bound| bound.is_bounded()) {
        let slice = left.min(SLICE_BYTES);
        left -= slice;
        let now = Instant::now();
        // Asked for at all of them before the first wait, which passes for the others, too.
        let places: Vec<u64> = bounds.iter().map(|bound| bound.lock().ask(slice, now)).collect();
        for (bound, place) in bounds.iter().zip(places) {
            bound.wait(place).await;
        }
    }
}

impl Account {
    /// Bytes that may be moved at `now`.
    fn allowed_at(&self, rate: u64, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.since);
        self.allowed.saturating_add(bytes_in(rate, elapsed))
    }

    /// The place of the next slice: after all that were asked for before it.
    fn ask(&mut self, bytes: u64, now: Instant) -> u64 {
        if let Some(rate) = self.rate {
            let most = self.asked.saturating_add(bytes_in(rate, BURST));
            if self.allowed_at(rate, now) > most {
                (self.allowed, self.since) = (most, now);
            }
        }
        let place = self.asked;
        self.asked = self.asked.saturating_add(bytes);
        place
    }

    /// When the byte at this place may be moved; `None` for at once.
    fn when(&self, place: u64, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        let wait = u128::from(place.saturating_sub(self.allowed)) * 1_000_000_000;
        let nanoseconds = u64::try_from(wait.div_ceil(u128::from(rate))).unwrap_or(u64::MAX);
        let at = self.since + Duration::from_nanos(nanoseconds);
        (at > now).then_some(at)
    }

    /// Goes on with another rate. What was moved without a bound is not counted.
    fn change(&mut self, rate: Option<u64>, now: Instant) {
        self.allowed = match self.rate {
            Some(before) => self.allowed_at(before, now),
            None => self.asked,
        };
        (self.rate, self.since) = (rate, now);
    }
}

fn bytes_in(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
