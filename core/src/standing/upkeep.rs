//! The upkeep of a replica beside its syncs: when an audit or a vacuum of it is due.
//!
//! A slot of the schedule stays due until a try of it ended well; several of them are one. What
//! fails is tried again with growing pauses, whatever slots come meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::calendar::schedule::Schedule;
use crate::limits::UPKEEP_RETRY_PAUSES;
use crate::unix_time::UnixTime;

/// What is done for a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpkeepKind {
    /// It is compared with what its syncs recorded.
    Audit,
    /// What no reader within its retention needs is deleted.
    Vacuum,
}

/// The durable state of one kind of upkeep of one table. The newest one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpkeepRecord {
    /// What becomes of slots up to this time is decided.
    pub slots_until: UnixTime,
    /// Tries in a row that failed.
    pub failures: u32,
    /// When it is tried again, after a failure.
    pub again_at: Option<UnixTime>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpkeepOutcome {
    /// It did what it is for, whatever it found.
    Done,
    /// It could not be done, such as for a store that does not answer.
    Failed,
}

/// One kind of upkeep of one table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Upkeep {
    schedule: Schedule,
    /// How long after a slot its work starts.
    delay: Duration,
    pub(super) record: UpkeepRecord,
    /// The slot of the try under way.
    pub(super) running: Option<UnixTime>,
}

impl Upkeep {
    /// Begins with the first slot after `now`.
    pub(super) fn new(schedule: Schedule, name: &str, now: UnixTime) -> Self {
        let delay = schedule.delay(name);
        let slots_until = now.before(delay);
        let record = UpkeepRecord { slots_until, failures: 0, again_at: None };
        Self { schedule, delay, record, running: None }
    }

    pub(super) fn with_record(self, record: UpkeepRecord) -> Self {
        Self { record, ..self }
    }

    /// When it starts next; `None` while it runs.
    pub(super) fn starts(&self) -> Option<UnixTime> {
        if self.running.is_some() {
            return None;
        }
        let slot = || self.schedule.next_after(self.record.slots_until);
        self.record.again_at.or_else(|| Some(slot()?.after(self.delay)))
    }

    /// Starts a try, for the newest slot that has come.
    pub(super) fn begin(&mut self, now: UnixTime) {
        let newest = self.schedule.latest_at(now.before(self.delay));
        self.running = Some(newest.unwrap_or(now).max(self.record.slots_until));
    }

    /// Ends the try under way. False when there is none.
    pub(super) fn end(&mut self, outcome: UpkeepOutcome, now: UnixTime) -> bool {
        let Some(slot) = self.running.take() else { return false };
        match outcome {
            UpkeepOutcome::Done => {
                self.record = UpkeepRecord { slots_until: slot, failures: 0, again_at: None };
            }
            UpkeepOutcome::Failed => {
                self.record.failures = self.record.failures.saturating_add(1);
                self.record.again_at = Some(now.after(pause_after(self.record.failures)));
            }
        }
        true
    }

    /// Takes another schedule: what the old one named is decided, and what the new one names up to
    /// now is not wanted. Returns whether it is another one.
    pub(super) fn follow(&mut self, schedule: &Schedule, name: &str, now: UnixTime) -> bool {
        if self.schedule == *schedule {
            return false;
        }
        let Self { delay, record, .. } = Self::new(schedule.clone(), name, now);
        (self.schedule, self.delay) = (schedule.clone(), delay);
        self.record.slots_until = self.record.slots_until.max(record.slots_until);
        true
    }

    /// After the clock was set back, nothing waits for times that have been before.
    pub(super) fn follow_clock(&mut self, now: UnixTime) {
        if self.record.slots_until > now {
            self.record.slots_until = now.before(self.delay);
        }
        let longest = now.after(pause_after(self.record.failures));
        self.record.again_at = self.record.again_at.map(|at| at.min(longest));
        self.running = self.running.map(|slot| slot.min(now));
    }
}

/// How long is waited after so many failures: the last pause again and again.
fn pause_after(failures: u32) -> Duration {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let last = UPKEEP_RETRY_PAUSES.last().copied().unwrap_or_default();
    UPKEEP_RETRY_PAUSES.get(place).copied().unwrap_or(last)
}
