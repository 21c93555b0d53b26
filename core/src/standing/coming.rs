//! The next slots of a replication, and what will become of each.

use super::record::SkipReason;
use super::replication::Replication;
use super::state::Standing;
use crate::ids::ReplicationId;
use crate::replication::{ReplicationTrigger, ResumePolicy};
use crate::unix_time::UnixTime;

/// A slot that has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComingSlot {
    pub slot: UnixTime,
    /// When its work starts: after the delay.
    pub starts: UnixTime,
    pub fate: SlotFate,
}

/// What will become of a slot, as far as it is known now: how long rounds take is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotFate {
    /// A round begins when it starts.
    Begins,
    /// A round begins when the windows open; `None` when they do not within more than a year.
    WaitsForWindow { opens: Option<UnixTime> },
    /// The windows are closed, and a later slot comes before they open: one round is for both.
    JoinsLater,
    /// A round begins when the pause ends.
    WaitsForResume { until: Option<UnixTime> },
    /// No round begins for it.
    IsSkipped(SkipReason),
}

impl Standing {
    /// The next slots of a replication, at most so many. None for one that follows commits.
    #[must_use]
    pub fn coming_slots(&self, id: ReplicationId, count: usize) -> Vec<ComingSlot> {
        let coming = |replication: &Replication| {
            let first = replication.record.slots_until;
            let slots = std::iter::successors(Some(first), |slot| next(replication, *slot));
            slots.skip(1).take(count).map(|slot| coming_slot(replication, slot)).collect()
        };
        let replication = self.replications.get(&id);
        replication.filter(|found| !found.record.is_retired).map_or(Vec::new(), coming)
    }
}

fn next(replication: &Replication, slot: UnixTime) -> Option<UnixTime> {
    match &replication.order.trigger {
        ReplicationTrigger::Slots(schedule) => schedule.next_after(slot),
        ReplicationTrigger::Commits { .. } => None,
    }
}

fn coming_slot(replication: &Replication, slot: UnixTime) -> ComingSlot {
    let delay = replication.delay;
    let starts = slot.after(delay);
    let pause = replication.record.pause;
    if let Some(pause) = pause.filter(|pause| pause.until.is_none_or(|until| starts < until)) {
        let fate = match replication.order.on_resume {
            ResumePolicy::NextSlot => SlotFate::IsSkipped(SkipReason::Paused),
            ResumePolicy::AtOnce => SlotFate::WaitsForResume { until: pause.until },
        };
        return ComingSlot { slot, starts, fate };
    }
    let window = replication.order.windows.at(starts);
    let is_before_opening =
        |next: UnixTime| window.until.is_some_and(|opens| next.after(delay) <= opens);
    let fate = if window.is_open {
        SlotFate::Begins
    } else if next(replication, slot).is_some_and(is_before_opening) {
        SlotFate::JoinsLater
    } else {
        SlotFate::WaitsForWindow { opens: window.until }
    };
    ComingSlot { slot, starts, fate }
}
