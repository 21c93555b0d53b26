//! One replication: its order, its durable record, and what a restart finds out again.

use std::time::Duration;

use super::order::Order;
use super::record::ReplicationRecord;
use super::round::OpenRound;
use crate::calendar::windows::WindowState;
use crate::replication::ReplicationTrigger;
use crate::unix_time::UnixTime;

/// How long windows that do not change within their horizon are not looked at again.
const WINDOW_TRUSTED: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Debug)]
pub(super) struct Replication {
    pub(super) order: Order,
    pub(super) record: ReplicationRecord,
    /// The record as it was last made durable.
    pub(super) recorded: Option<ReplicationRecord>,
    /// How long after a slot its work starts.
    pub(super) delay: Duration,
    /// The first slot that nothing is decided of, and the end of the decided ones that it follows.
    next_slot: Option<(UnixTime, UnixTime)>,
    /// There is one exactly when the record says so.
    pub(super) round: Option<OpenRound>,
    /// What the windows said when they were last looked at.
    pub(super) window: WindowState,
    window_seen: UnixTime,
    /// Since when they are known to be closed.
    pub(super) closed_since: Option<UnixTime>,
    pub(super) poll: Polling,
    /// When it must be looked at again.
    pub(super) wake: Option<UnixTime>,
}

/// When the source is asked for commits; of no use with a schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polling {
    /// From the last answer to the next request.
    pub(super) interval: Duration,
    pub(super) at: UnixTime,
    /// Whether an answer is awaited.
    pub(super) is_asked: bool,
}

impl Replication {
    /// A replication that begins with the first slot after `now`.
    pub(super) fn new(order: Order, now: UnixTime) -> Self {
        let record = ReplicationRecord {
            slots_until: now.before(order.delay()),
            rounds: 0,
            active: None,
            wanted: None,
            pause: None,
            is_retired: false,
            last_ended: None,
            last_skipped: None,
            slots_skipped: 0,
        };
        Self::with_record(order, record, now)
    }

    pub(super) fn with_record(order: Order, record: ReplicationRecord, now: UnixTime) -> Self {
        let window = order.windows.at(now);
        let poll = Polling { interval: poll_min(&order), at: now, is_asked: false };
        let mut replication = Self {
            delay: order.delay(),
            order,
            record,
            recorded: None,
            next_slot: None,
            round: None,
            window,
            window_seen: now,
            closed_since: None,
            poll,
            wake: None,
        };
        replication.find_next_slot();
        replication
    }

    /// Finds the next slot, if it may be another one than before.
    pub(super) fn find_next_slot(&mut self) {
        let until = self.record.slots_until;
        if self.next_slot.is_some_and(|(after, _)| after == until) {
            return;
        }
        self.next_slot = match &self.order.trigger {
            ReplicationTrigger::Slots(schedule) => {
                schedule.next_after(until).map(|slot| (until, slot))
            }
            ReplicationTrigger::Commits { .. } => None,
        };
    }

    /// When the work of the next slot starts, paused or not.
    pub(super) fn slot_starts(&self) -> Option<UnixTime> {
        self.next_slot.map(|(_, slot)| slot.after(self.delay))
    }

    /// Follows a change of the order. What the old schedule named is decided, and what the new one
    /// names up to now is not wanted.
    pub(super) fn set_order(&mut self, order: Order, now: UnixTime) {
        let delay = order.delay();
        let is_new_trigger = order.trigger != self.order.trigger || delay != self.delay;
        (self.order, self.delay, self.next_slot) = (order, delay, None);
        if is_new_trigger || self.record.is_retired {
            let from = now.before(delay);
            self.record.slots_until = self.record.slots_until.max(from);
            self.poll.interval = poll_min(&self.order);
            self.poll.at = now;
        }
        self.record.is_retired = false;
        self.window = self.order.windows.at(now);
        self.window_seen = now;
    }

    /// Whether no round may begin, whatever comes.
    pub(super) fn is_off(&self) -> bool {
        self.record.is_retired || self.record.pause.is_some()
    }

    /// Whether a round is wanted that waits for nothing but its turn.
    pub(super) fn may_begin(&self) -> bool {
        self.record.wanted.is_some()
            && !self.is_under_way()
            && !self.is_off()
            && self.window.is_open
    }

    /// Whether a round is under way that no other one may take the place of.
    pub(super) fn is_under_way(&self) -> bool {
        self.round.as_ref().is_some_and(|round| !round.is_only_held())
    }

    /// Looks at the windows, if they may have changed since they were last looked at.
    pub(super) fn look_at_windows(&mut self, now: UnixTime) {
        let until = self.window.until.unwrap_or(self.window_seen.after(WINDOW_TRUSTED));
        if now < self.window_seen || now >= until {
            self.window = self.order.windows.at(now);
            self.window_seen = now;
        }
        self.closed_since = match self.closed_since {
            _ if self.window.is_open => None,
            Some(since) => Some(since.min(now)),
            None => Some(now),
        };
    }

    /// After the clock was set back, no moment may be further ahead than it ever is: nothing waits
    /// for hours that have been before.
    pub(super) fn follow_clock(&mut self, now: UnixTime) {
        if self.record.slots_until > now {
            self.record.slots_until = now.before(self.delay);
        }
        if let Some(wanted) = &mut self.record.wanted {
            wanted.since = wanted.since.min(now);
        }
        self.poll.at = self.poll.at.min(now.after(self.poll.interval));
    }
}

pub(super) fn poll_min(order: &Order) -> Duration {
    match order.trigger {
        ReplicationTrigger::Slots(_) => Duration::ZERO,
        ReplicationTrigger::Commits { poll_min, .. } => poll_min,
    }
}
