//! What one caller may ask for at once and in a time, so that a flood of one leaves the others
//! their turn.
//!
//! Callers count by their principal; those who are not known by the address that they come from,
//! and only their refusals count.

use std::sync::Arc;

use dashmap::DashMap;
use deepclone_core::access::{CallBucket, CallRate, Role};
use deepclone_core::failure::Failure;
use deepclone_core::limits::{
    CALLS_OF_A_FLEET, CALLS_OF_ONE, CALLS_OF_UNKNOWN, WATCHERS_PER_PRINCIPAL_MAX,
};
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;

/// Callers that are counted; from here on those who asked for nothing lately are forgotten.
const COUNTED_MAX: usize = 10_000;

/// What callers have asked for.
#[derive(Debug, Default)]
pub struct Quota {
    calls: DashMap<String, (CallBucket, CallRate)>,
    streams: DashMap<String, usize>,
}

impl Quota {
    /// Allows one more call of a principal.
    ///
    /// # Errors
    /// `OVERLOADED`: it makes too many.
    pub fn allow_known(&self, name: &str, role: Role, now: UnixTime) -> Result<(), Failure> {
        let rate = if role == Role::Worker { CALLS_OF_A_FLEET } else { CALLS_OF_ONE };
        self.allow(name.to_owned(), rate, now)
    }

    /// Allows one more refusal of a caller from this address.
    ///
    /// # Errors
    /// `OVERLOADED`: there are too many.
    pub fn allow_unknown(&self, address: &str, now: UnixTime) -> Result<(), Failure> {
        // No principal has a name with a colon.
        self.allow(format!("from:{address}"), CALLS_OF_UNKNOWN, now)
    }

    fn allow(&self, who: String, rate: CallRate, now: UnixTime) -> Result<(), Failure> {
        if self.calls.len() >= COUNTED_MAX {
            self.calls.retain(|_, (bucket, rate)| !bucket.is_full(*rate, now));
        }
        let mut counted = self.calls.entry(who).or_insert((CallBucket::full(rate, now), rate));
        if counted.0.take(rate, now) {
            return Ok(());
        }
        let most = rate.per_second;
        let message = format!("{} makes more than {most} calls a second: try later", counted.key());
        Err(Failure::new(Reason::Overloaded, message))
    }

    /// Allows one more stream of a principal, which ends with what is returned.
    ///
    /// # Errors
    /// `OVERLOADED`: it has too many.
    pub fn follow(self: &Arc<Self>, name: &str) -> Result<StreamTurn, Failure> {
        let mut open = self.streams.entry(name.to_owned()).or_default();
        if *open >= WATCHERS_PER_PRINCIPAL_MAX {
            let open = *open;
            let message = format!("{name} follows {open} jobs already: end a stream first");
            return Err(Failure::new(Reason::Overloaded, message));
        }
        *open += 1;
        Ok(StreamTurn { quota: Arc::clone(self), name: name.to_owned() })
    }
}

/// A stream that is open; it ends when this is dropped.
#[derive(Debug)]
pub struct StreamTurn {
    quota: Arc<Quota>,
    name: String,
}

impl Drop for StreamTurn {
    fn drop(&mut self) {
        self.quota.streams.remove_if_mut(&self.name, |_, open| {
            *open -= 1;
            *open == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(quota: &Quota, ask: impl Fn(&Quota) -> Result<(), Failure>) -> usize {
        (0..100_000).take_while(|_| ask(quota).is_ok()).count()
    }

    #[test]
    fn one_caller_s_flood_takes_nothing_from_another() {
        let quota = Quota::default();
        let now = UnixTime(0);
        let flood = |quota: &Quota| quota.allow_known("flood", Role::Viewer, now);
        assert_eq!(allowed(&quota, flood), CALLS_OF_ONE.burst as usize);
        let failure = flood(&quota).unwrap_err();
        assert_eq!(failure.reason, Reason::Overloaded);
        assert!(failure.message.starts_with("flood makes more than"), "{failure}");
        assert!(quota.allow_known("other", Role::Viewer, now).is_ok());
        let fleet = |quota: &Quota| quota.allow_known("fleet", Role::Worker, now);
        assert_eq!(allowed(&quota, fleet), CALLS_OF_A_FLEET.burst as usize);
        let unknown = |quota: &Quota| quota.allow_unknown("10.0.0.9", now);
        assert_eq!(allowed(&quota, unknown), CALLS_OF_UNKNOWN.burst as usize);
        assert!(quota.allow_unknown("10.0.0.8", now).is_ok());
        assert!(flood(&quota).is_err());
        assert!(quota.allow_known("flood", Role::Viewer, UnixTime(1_000)).is_ok());
    }

    #[test]
    fn those_who_asked_for_nothing_lately_are_forgotten() {
        let quota = Quota::default();
        for number in 0..COUNTED_MAX {
            quota.allow_unknown(&number.to_string(), UnixTime(0)).unwrap();
        }
        quota.allow_unknown("one more", UnixTime(3_600_000)).unwrap();
        assert_eq!(quota.calls.len(), 1);
    }

    #[test]
    fn streams_of_a_principal_are_counted_while_they_are_open() {
        let quota = Arc::new(Quota::default());
        let follow = || quota.follow("anna");
        let mut open: Vec<_> = (0..WATCHERS_PER_PRINCIPAL_MAX).map(|_| follow().unwrap()).collect();
        assert_eq!(follow().unwrap_err().reason, Reason::Overloaded);
        assert!(quota.follow("other").is_ok());
        open.pop();
        open.push(follow().unwrap());
        drop(open);
        assert!(quota.streams.is_empty());
    }
}
