//! Jobs that may get no tasks for now.

use super::action::{HoldReason, StandingAction};
use super::context::StepContext;
use super::replication::Replication;

impl Replication {
    /// Holds the jobs of the round when its windows are closed, gives back what is in flight when
    /// the grace is over, and releases them when the windows open.
    pub(super) fn follow_windows(&mut self, context: &mut StepContext<'_>) {
        let is_closed = !self.window.is_open;
        let recall_at = self.closed_since.map(|since| since.after(self.order.close_grace));
        let is_over = recall_at.is_some_and(|at| at <= context.now);
        for job in self.round.iter_mut().flat_map(|round| round.jobs_mut()) {
            if is_closed != job.is_held {
                job.is_held = is_closed;
                job.is_recalled = false;
                context.actions.push(if is_closed {
                    StandingAction::Hold { job: job.id, why: HoldReason::Window }
                } else {
                    StandingAction::Release { job: job.id }
                });
            }
            if is_closed && is_over && !job.is_recalled {
                job.is_recalled = true;
                context.actions.push(StandingAction::Recall { job: job.id });
            }
        }
    }
}
