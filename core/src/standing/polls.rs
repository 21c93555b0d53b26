//! Replications that follow commits: when the source is asked, and what an answer changes.

use super::action::StandingAction;
use super::context::StepContext;
use super::event::ProbeResult;
use super::record::RoundCause;
use super::replication::{Replication, poll_min};
use crate::replication::ReplicationTrigger;

impl Replication {
    /// Asks the source, if it is time to.
    pub(super) fn take_poll(&mut self, context: &mut StepContext<'_>) {
        if self.may_poll() && self.window.is_open && self.poll.at <= context.now {
            self.poll.is_asked = true;
            context.actions.push(StandingAction::Poll { replication: context.id });
        }
    }

    /// Whether the source is to be asked, once it is time and the windows are open: a round would
    /// ask it by itself.
    pub(super) fn may_poll(&self) -> bool {
        let follows_commits = matches!(self.order.trigger, ReplicationTrigger::Commits { .. });
        let is_idle = !self.is_under_way() && self.record.wanted.is_none();
        follows_commits && is_idle && !self.is_off() && !self.poll.is_asked
    }

    /// The source has answered a poll.
    pub(super) fn polled(&mut self, result: &ProbeResult, context: &StepContext<'_>) {
        let ReplicationTrigger::Commits { poll_min, poll_max } = self.order.trigger else { return };
        if !std::mem::take(&mut self.poll.is_asked) {
            return;
        }
        let holds = |table| self.round.as_ref().is_some_and(|round| round.holds(table));
        let is_changed = matches!(result, ProbeResult::Behind(tables)
            if tables.iter().any(|table| !holds(*table)));
        if is_changed {
            self.poll.interval = poll_min;
            if !self.is_off() {
                self.want(RoundCause::SourceChanged, context.now);
            }
        }
        self.poll.at = context.now.after(self.poll.interval);
        if !is_changed {
            self.poll.interval = self.poll.interval.saturating_mul(2).min(poll_max);
        }
    }

    /// A notice says that the source changed.
    pub(super) fn source_changed(&mut self, context: &StepContext<'_>) {
        let follows_commits = matches!(self.order.trigger, ReplicationTrigger::Commits { .. });
        if follows_commits && !self.is_off() {
            self.want(RoundCause::SourceChanged, context.now);
        }
    }

    /// A round is over: the source is asked again soon, if there was a change.
    pub(super) fn poll_after_round(&mut self, had_tables: bool, context: &StepContext<'_>) {
        if had_tables {
            self.poll.interval = poll_min(&self.order);
        }
        self.poll.at = context.now.after(self.poll.interval);
    }
}
