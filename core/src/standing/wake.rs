//! When a replication must be looked at again, if no event comes before.

use super::replication::Replication;
use super::round::{RoundStage, TableStage};
use crate::unix_time::UnixTime;

impl Replication {
    /// The first time at which something is to be done.
    pub(super) fn next_wake(&self) -> Option<UnixTime> {
        let pause_ends = self.record.pause.and_then(|pause| pause.until);
        let poll = self.may_poll().then_some(self.poll.at).filter(|_| self.window.is_open);
        let waits_for_windows =
            self.record.wanted.is_some() || self.round.is_some() || self.may_poll();
        let window = self.window.until.filter(|_| waits_for_windows);
        let (starts, recall) = (self.next_start(), self.recall_at());
        let moments = [pause_ends, starts, poll, window, recall, self.room_at()];
        moments.into_iter().flatten().chain(self.retries()).min()
    }

    /// When the work of the next slot starts; `None` while none is waited for.
    pub(super) fn next_start(&self) -> Option<UnixTime> {
        self.slot_starts().filter(|_| !self.is_off())
    }

    fn recall_at(&self) -> Option<UnixTime> {
        let at = self.closed_since?.after(self.order.close_grace);
        self.round.as_ref()?.jobs().any(|job| !job.is_recalled).then_some(at)
    }

    fn retries(&self) -> impl Iterator<Item = UnixTime> {
        let probe = self.round.as_ref().and_then(|round| match round.stage {
            RoundStage::ProbeAgain(at) => Some(at),
            RoundStage::Probing | RoundStage::Copying => None,
        });
        let tables = self.round.iter().flat_map(|round| round.tables.values());
        probe.into_iter().chain(tables.filter_map(|table| match table.stage {
            TableStage::Pausing(at) => Some(at),
            TableStage::Waiting | TableStage::Submitted(_) | TableStage::Ended(_) => None,
        }))
    }
}
