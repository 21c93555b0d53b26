//! Jobs that may get no tasks for now.

use super::action::{HoldReason, StandingAction};
use super::context::StepContext;
use super::replication::Replication;

impl Replication {
    /// Holds the jobs whose windows are closed or whose budgets have no room, gives back what is in
    /// flight when the grace after a closing is over, and releases them when they may go on.
    pub(super) fn follow_holds(&mut self, context: &mut StepContext<'_>) {
        let is_closed = !self.window.is_open;
        let recall_at = self.closed_since.map(|since| since.after(self.order.close_grace));
        let is_over = recall_at.is_some_and(|at| at <= context.now);
        for job in self.round.iter_mut().flat_map(|round| round.jobs_mut()) {
            let window = is_closed.then_some(HoldReason::Window);
            let why = window.or_else(|| job.held_by_budget());
            match why {
                Some(why) if !job.is_held => {
                    job.is_held = true;
                    context.actions.push(StandingAction::Hold { job: job.id, why });
                }
                None if job.is_held => {
                    job.is_held = false;
                    context.actions.push(StandingAction::Release { job: job.id });
                }
                Some(_) | None => {}
            }
            job.is_recalled &= is_closed;
            if is_closed && is_over && !job.is_recalled {
                job.is_recalled = true;
                context.actions.push(StandingAction::Recall { job: job.id });
            }
        }
    }
}
