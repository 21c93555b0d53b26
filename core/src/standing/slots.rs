//! What becomes of slots: each is served by a round, or skipped for a reason that is recorded.

use super::context::StepContext;
use super::fact::StandingFact;
use super::order::Order;
use super::record::{Pause, RoundCause, SkipReason, SkippedSlots, WantedRound};
use super::replication::{Replication, poll_min};
use crate::calendar::schedule::Missed;
use crate::limits::SLOT_LATE_MAX;
use crate::replication::{MissedPolicy, OverlapPolicy, ReplicationTrigger, ResumePolicy};
use crate::unix_time::UnixTime;

impl Replication {
    /// Decides the slots that have come by now.
    pub(super) fn take_slots(&mut self, context: &mut StepContext<'_>) {
        if let Some(Pause { until: Some(until) }) = self.record.pause
            && until <= context.now
        {
            self.resume(until, context);
        }
        if self.is_off() {
            return;
        }
        self.find_next_slot();
        if self.slot_starts().is_none_or(|starts| context.now < starts) {
            return;
        }
        let delay = self.delay;
        let Some(came) = self.take_slots_until(context.now.before(delay)) else { return };
        let Missed { newest, count, .. } = came;
        let is_late = context.now > newest.after(delay).after(SLOT_LATE_MAX);
        let all = RoundCause::Missed { newest, count };
        let on_time = RoundCause::Slot(newest);
        if self.is_under_way() {
            self.overlap(came, context);
            return;
        }
        match self.order.on_missed {
            // The round that earlier slots wait for serves these, too.
            _ if self.waits_for_slots() => self.want_slots(all, context.now),
            MissedPolicy::Once => {
                let is_one = count == 1 && !is_late;
                self.want_slots(if is_one { on_time } else { all }, context.now);
            }
            MissedPolicy::Skip if is_late => self.skip(newest, count, SkipReason::Missed, context),
            MissedPolicy::Skip => {
                self.skip_before(newest, count - 1, SkipReason::Missed, context);
                self.want_slots(on_time, context.now);
            }
        }
    }

    /// Somebody, or the end of its time, ends a pause.
    pub(super) fn resume(&mut self, at: UnixTime, context: &mut StepContext<'_>) {
        if self.record.pause.take().is_none() {
            return;
        }
        // A slot at the very end of the pause is not in it.
        let last = UnixTime(at.0.saturating_sub(1)).before(self.delay);
        let came = self.take_slots_until(last);
        match self.order.on_resume {
            ResumePolicy::NextSlot => {
                self.withdraw(SkipReason::Paused, context);
                if let Some(Missed { newest, count, .. }) = came {
                    self.skip(newest, count, SkipReason::Paused, context);
                }
                self.poll.interval = poll_min(&self.order);
                self.poll.at = context.now.after(self.poll.interval);
            }
            ResumePolicy::AtOnce => match came {
                Some(Missed { newest, count, .. }) => {
                    self.want_slots(RoundCause::Missed { newest, count }, context.now);
                }
                None => self.want(RoundCause::Resumed, context.now),
            },
        }
    }

    /// Wants a round that is for no slot. One that is wanted already serves as well.
    pub(super) fn want(&mut self, cause: RoundCause, now: UnixTime) {
        self.record.wanted.get_or_insert(WantedRound { cause, since: now });
    }

    /// Wants a round because somebody asks for it. The end of a pause does not withdraw it.
    pub(super) fn want_by_hand(&mut self, context: &mut StepContext<'_>) {
        if self.record.pause.is_some() {
            self.withdraw(SkipReason::Paused, context);
        }
        self.want(RoundCause::ByHand, context.now);
    }

    /// No slot is wanted any more; a round that somebody asked for still is.
    pub(super) fn withdraw(&mut self, why: SkipReason, context: &mut StepContext<'_>) {
        let is_by_hand = |wanted: &mut WantedRound| wanted.cause == RoundCause::ByHand;
        if let Some(wanted) = self.record.wanted.take_if(|wanted| !is_by_hand(wanted))
            && let Some((newest, count)) = wanted.cause.slots()
        {
            self.skip(newest, count, why, context);
        }
    }

    /// Follows a change of the order. Slots that nothing was decided of are those of a pause.
    pub(super) fn apply_order(&mut self, order: Order, context: &mut StepContext<'_>) {
        if self.record.pause.is_some()
            && order.trigger != self.order.trigger
            && let Some(came) = self.take_slots_until(context.now.before(self.delay))
        {
            self.skip(came.newest, came.count, SkipReason::Paused, context);
        }
        self.set_order(order, context.now);
    }

    /// Slots came while a round is under way.
    fn overlap(&mut self, came: Missed, context: &mut StepContext<'_>) {
        let Missed { newest, count, .. } = came;
        match self.order.on_overlap {
            OverlapPolicy::Skip if self.waits_for_slots() => {
                self.want_slots(RoundCause::Missed { newest, count }, context.now);
            }
            OverlapPolicy::Skip => self.skip(newest, count, SkipReason::Overlap, context),
            OverlapPolicy::QueueOne => {
                let since = self.record.wanted.map_or(context.now, |wanted| wanted.since);
                self.withdraw(SkipReason::Overlap, context);
                self.skip_before(newest, count - 1, SkipReason::Overlap, context);
                self.record.wanted = Some(WantedRound { cause: RoundCause::Queued(newest), since });
            }
        }
    }

    fn waits_for_slots(&self) -> bool {
        self.record.wanted.is_some_and(|wanted| wanted.cause.slots().is_some())
    }

    /// Wants a round for slots, and for those that wait already.
    fn want_slots(&mut self, cause: RoundCause, now: UnixTime) {
        let (mut cause, mut since) = (cause, now);
        if let Some(wanted) = self.record.wanted {
            since = wanted.since;
            if let (Some((newest, count)), Some((_, more))) = (cause.slots(), wanted.cause.slots())
            {
                cause = RoundCause::Missed { newest, count: count.saturating_add(more) };
            }
        }
        self.record.wanted = Some(WantedRound { cause, since });
    }

    /// Takes the slots up to `until` of which nothing is decided yet.
    fn take_slots_until(&mut self, until: UnixTime) -> Option<Missed> {
        let ReplicationTrigger::Slots(schedule) = &self.order.trigger else { return None };
        let came = schedule.missed(self.record.slots_until, until)?;
        self.record.slots_until = came.newest;
        Some(came)
    }

    fn skip(
        &mut self,
        newest: UnixTime,
        count: u64,
        why: SkipReason,
        context: &mut StepContext<'_>,
    ) {
        let slots = SkippedSlots { newest, count, why };
        self.record.last_skipped = Some(slots);
        self.record.slots_skipped = self.record.slots_skipped.saturating_add(count);
        context.record(StandingFact::Skipped { replication: context.id, slots, at: context.now });
    }

    /// Skips so many slots before this one.
    fn skip_before(
        &mut self,
        slot: UnixTime,
        count: u64,
        why: SkipReason,
        context: &mut StepContext<'_>,
    ) {
        let ReplicationTrigger::Slots(schedule) = &self.order.trigger else { return };
        let before = schedule.latest_at(UnixTime(slot.0.saturating_sub(1)));
        if let Some(newest) = before.filter(|_| count > 0) {
            self.skip(newest, count, why, context);
        }
    }
}
