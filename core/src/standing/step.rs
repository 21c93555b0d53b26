//! One event is applied.

use super::action::StandingAction;
use super::event::{JobOutcome, StandingEvent};
use super::fact::StandingFact;
use super::order::Order;
use super::record::{Pause, SkipReason, TableEnd};
use super::replication::Replication;
use super::state::Standing;
use crate::ids::{JobId, ReplicationId};
use crate::unix_time::UnixTime;

impl Standing {
    /// Applies one event and appends what is to be done.
    pub fn step(&mut self, now: UnixTime, event: StandingEvent, actions: &mut Vec<StandingAction>) {
        self.advance(now, actions);
        self.apply(event, actions);
        self.finish(actions);
    }

    /// Ends a step: rounds begin, and what changed is recorded.
    pub(super) fn finish(&mut self, actions: &mut Vec<StandingAction>) {
        if std::mem::take(&mut self.recheck_due) {
            self.recheck_budgets(actions);
        }
        for id in self.touched.clone() {
            let Some(replication) = self.replications.get(&id) else { continue };
            if replication.may_begin() {
                self.ready.insert(id);
            } else {
                self.ready.remove(&id);
            }
        }
        self.take_turns(actions);
        self.take_chores(actions);
        for id in std::mem::take(&mut self.touched) {
            self.set_wake(id);
            self.record_changes(id, actions);
            actions.extend(self.violation(id).map(StandingAction::Violated));
        }
    }

    /// Moves the clock, and does what is due by time alone.
    fn advance(&mut self, now: UnixTime, actions: &mut Vec<StandingAction>) {
        let is_set_back = now < self.now;
        self.recheck_due |= is_set_back;
        self.now = now;
        // After a step back, those that wait for nothing are looked at, too.
        let due: Vec<ReplicationId> = if is_set_back {
            self.replications.keys().copied().collect()
        } else {
            self.wakes.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect()
        };
        for id in due {
            self.settle(id, actions);
        }
        self.chores_come_due(is_set_back);
    }

    /// Does for one replication whatever is due.
    pub(super) fn settle(&mut self, id: ReplicationId, actions: &mut Vec<StandingAction>) {
        let Some((replication, mut context)) = self.open(id, actions) else { return };
        replication.follow_clock(context.now);
        replication.shorten_pauses(&context);
        replication.look_at_windows(context.now);
        replication.take_slots(&mut context);
        replication.go_on(&mut context);
        replication.take_poll(&mut context);
        replication.find_next_slot();
        let is_room = replication.room_at().is_some_and(|at| at <= context.now);
        self.recheck_due |= is_room;
    }

    fn apply(&mut self, event: StandingEvent, actions: &mut Vec<StandingAction>) {
        match event {
            StandingEvent::Replicas { replication, tables } => {
                self.set_replicas(replication, &tables, actions);
            }
            StandingEvent::UpkeepEnded { replication, table, kind, outcome } => {
                self.upkeep_ended((replication, table, kind), outcome, actions);
            }
            StandingEvent::Retired { replication } => {
                self.apply_to(replication, event, actions);
                self.settle(replication, actions);
                self.follow_schedules(replication, actions);
            }
            StandingEvent::Applied { replication, order } => {
                self.apply_order(replication, *order, actions);
                self.follow_schedules(replication, actions);
            }
            StandingEvent::Woken => {}
            StandingEvent::JobPlanned { job, .. } | StandingEvent::JobSent { job, .. } => {
                self.apply_to_job(job, &event, actions);
            }
            StandingEvent::JobEnded { job, outcome } => self.job_ended(job, outcome, actions),
            StandingEvent::Paused { replication: id, .. }
            | StandingEvent::Resumed { replication: id }
            | StandingEvent::RunRequested { replication: id }
            | StandingEvent::SourceChanged { replication: id }
            | StandingEvent::Probed { replication: id, .. }
            | StandingEvent::Polled { replication: id, .. } => {
                self.apply_to(id, event, actions);
                self.settle(id, actions);
            }
        }
    }

    /// Applies an event to the replication that it is about.
    fn apply_to(
        &mut self,
        id: ReplicationId,
        event: StandingEvent,
        actions: &mut Vec<StandingAction>,
    ) {
        let Some((replication, mut context)) = self.open(id, actions) else { return };
        let context = &mut context;
        match event {
            StandingEvent::Retired { .. } => {
                replication.record.pause = None;
                replication.record.is_retired = true;
                replication.withdraw(SkipReason::Withdrawn, context);
                replication.record.wanted = None;
            }
            StandingEvent::Paused { until, .. } if !replication.record.is_retired => {
                replication.record.pause = Some(Pause { until });
            }
            StandingEvent::Resumed { .. } => replication.resume(context.now, context),
            StandingEvent::RunRequested { .. } if !replication.record.is_retired => {
                replication.want_by_hand(context);
            }
            StandingEvent::SourceChanged { .. } => replication.source_changed(context),
            StandingEvent::Probed { round, result, .. } => {
                replication.probed(round, result, context);
            }
            StandingEvent::Polled { result, .. } => replication.polled(&result, context),
            // One that is retired stays so; the others are not about one replication.
            StandingEvent::Paused { .. }
            | StandingEvent::RunRequested { .. }
            | StandingEvent::Applied { .. }
            | StandingEvent::JobPlanned { .. }
            | StandingEvent::JobSent { .. }
            | StandingEvent::JobEnded { .. }
            | StandingEvent::Replicas { .. }
            | StandingEvent::UpkeepEnded { .. }
            | StandingEvent::Woken => {}
        }
    }

    fn apply_order(&mut self, id: ReplicationId, order: Order, actions: &mut Vec<StandingAction>) {
        match self.open(id, actions) {
            Some((replication, mut context)) => replication.apply_order(order, &mut context),
            None => {
                self.replications.insert(id, Replication::new(order, self.now));
            }
        }
        self.recheck_due = true;
        self.settle(id, actions);
    }

    /// Applies an event to the table that a job is for.
    fn apply_to_job(
        &mut self,
        job: JobId,
        event: &StandingEvent,
        actions: &mut Vec<StandingAction>,
    ) {
        let Some((id, table)) = self.place_of(job) else { return };
        let Some((replication, mut context)) = self.open(id, actions) else { return };
        match event {
            StandingEvent::JobPlanned { cost, .. } => {
                replication.job_planned(table, *cost, &mut context);
            }
            StandingEvent::JobSent { total, .. } => {
                replication.job_sent(table, *total, &mut context);
            }
            _ => {}
        }
        self.settle(id, actions);
    }

    fn job_ended(&mut self, job: JobId, outcome: JobOutcome, actions: &mut Vec<StandingAction>) {
        let Some((id, table)) = self.jobs.remove(&job) else { return };
        let (end, is_retryable) = match outcome {
            JobOutcome::Done => (TableEnd::Done, false),
            JobOutcome::Failed { is_retryable } => (TableEnd::Failed, is_retryable),
            JobOutcome::Cancelled => (TableEnd::Cancelled, false),
        };
        if let Some((replication, mut context)) = self.open(id, actions) {
            replication.table_ended(table, end, is_retryable, &mut context);
        }
        self.release_budget(job, actions);
        self.settle(id, actions);
    }

    fn set_wake(&mut self, id: ReplicationId) {
        let Some(replication) = self.replications.get_mut(&id) else { return };
        let wake = replication.next_wake();
        if let Some(old) = std::mem::replace(&mut replication.wake, wake) {
            self.wakes.remove(&(old, id));
        }
        self.wakes.extend(wake.map(|at| (at, id)));
    }

    fn record_changes(&mut self, id: ReplicationId, actions: &mut Vec<StandingAction>) {
        let Some(replication) = self.replications.get_mut(&id) else { return };
        if replication.recorded.as_ref() != Some(&replication.record) {
            replication.recorded = Some(replication.record.clone());
            let record = Box::new(replication.record.clone());
            let fact = StandingFact::Replication { replication: id, record };
            actions.push(StandingAction::Record(fact));
        }
    }
}
