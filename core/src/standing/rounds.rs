//! A round from its beginning to its end.

use std::collections::BTreeMap;

use super::action::{HoldReason, StandingAction};
use super::context::StepContext;
use super::event::ProbeResult;
use super::fact::StandingFact;
use super::job::{JobBudget, RoundJob};
use super::record::{EndedRound, RoundOutcome, RoundRecord, TableEnd, TableRecord};
use super::replication::Replication;
use super::round::{OpenRound, RoundStage, RoundTable, TableStage};
use crate::ids::{JobId, TableNumber};
use crate::limits::ROUND_RETRY_PAUSES;

impl Replication {
    /// Begins the round that is wanted.
    pub(super) fn begin_round(&mut self, context: &mut StepContext<'_>) {
        let Some(wanted) = self.record.wanted.take() else { return };
        let held = self.give_way(context);
        let (number, cause, began) = (self.record.rounds + 1, wanted.cause, context.now);
        self.record.rounds = number;
        self.record.active = Some(RoundRecord {
            number,
            cause,
            began,
            is_probed: false,
            probe_failures: 0,
            probe_again_at: None,
        });
        let (replication, round) = (context.id, number);
        context.record(StandingFact::RoundBegan { replication, round, cause, at: began });
        for (table_number, table) in &held {
            record_table(number, *table_number, table, context);
        }
        self.round = Some(OpenRound { stage: RoundStage::Probing, tables: held });
        self.probe(context);
    }

    /// Ends the round under way, of which only held jobs are left. Returns their tables, for the
    /// next one.
    fn give_way(&mut self, context: &mut StepContext<'_>) -> BTreeMap<TableNumber, RoundTable> {
        let Some(RoundRecord { number, .. }) = self.record.active else { return BTreeMap::new() };
        let outcome = self.outcome();
        let Some(round) = &mut self.round else { return BTreeMap::new() };
        let is_held = |_: &TableNumber, table: &mut RoundTable| {
            matches!(table.stage, TableStage::Submitted(_))
        };
        let mut held: BTreeMap<_, _> = round.tables.extract_if(.., is_held).collect();
        for table in held.values_mut() {
            table.from.get_or_insert(number);
        }
        self.end_round(outcome, context);
        held
    }

    /// Goes on with the round under way after a restart. Jobs that were submitted are submitted
    /// again.
    pub(super) fn recover_round(
        &mut self,
        tables: impl IntoIterator<Item = (TableNumber, TableRecord)>,
        context: &mut StepContext<'_>,
    ) {
        let Some(active) = self.record.active else { return };
        let stage = match active.probe_again_at {
            _ if active.is_probed => RoundStage::Copying,
            Some(at) => RoundStage::ProbeAgain(at),
            None => RoundStage::Probing,
        };
        let mut round = OpenRound { stage, tables: BTreeMap::new() };
        for (number, record) in tables {
            let TableRecord { retry, is_submitted, again_at, end, from } = record;
            let waiting = again_at.map_or(TableStage::Waiting, TableStage::Pausing);
            let stage = end.map_or(waiting, TableStage::Ended);
            let mut table = RoundTable { retry, stage, from };
            if is_submitted && end.is_none() {
                self.submit(number, &mut table, context);
                self.say_again(&table, context);
            }
            round.tables.insert(number, table);
        }
        self.round = Some(round);
        if stage == RoundStage::Probing {
            self.probe(context);
        }
    }

    /// The source was asked which tables are behind.
    pub(super) fn probed(
        &mut self,
        number: u64,
        result: ProbeResult,
        context: &mut StepContext<'_>,
    ) {
        let (Some(active), Some(round)) = (&mut self.record.active, &mut self.round) else {
            return;
        };
        if active.number != number || round.stage != RoundStage::Probing {
            return;
        }
        match result {
            ProbeResult::Behind(tables) => {
                active.is_probed = true;
                round.stage = RoundStage::Copying;
                for table in tables {
                    let waiting =
                        || RoundTable { retry: 0, stage: TableStage::Waiting, from: None };
                    round.tables.entry(table).or_insert_with(waiting);
                }
                for (number, table) in &round.tables {
                    record_table(active.number, *number, table, context);
                }
            }
            ProbeResult::Failed => {
                active.probe_failures += 1;
                let pause = pause_after(active.probe_failures);
                active.probe_again_at = pause.map(|pause| context.now.after(pause));
                match active.probe_again_at {
                    Some(at) => round.stage = RoundStage::ProbeAgain(at),
                    None => self.stop_probing(context),
                }
            }
        }
    }

    /// Goes on with the round under way as far as it may now.
    pub(super) fn go_on(&mut self, context: &mut StepContext<'_>) {
        match self.round.as_ref().map(|round| round.stage) {
            Some(RoundStage::ProbeAgain(_)) if self.record.is_retired => self.stop_probing(context),
            Some(RoundStage::ProbeAgain(at)) if at <= context.now => self.probe(context),
            None | Some(RoundStage::Probing | RoundStage::ProbeAgain(_) | RoundStage::Copying) => {}
        }
        self.end_pauses(context);
        self.follow_holds(context);
        let Some(RoundStage::Copying) = self.round.as_ref().map(|round| round.stage) else {
            return;
        };
        self.submit_waiting(context);
        if self.are_all_over() {
            self.end_round(self.outcome(), context);
        }
    }

    /// It will not be known which tables are behind. Jobs of the round before go on.
    fn stop_probing(&mut self, context: &mut StepContext<'_>) {
        let (Some(active), Some(round)) = (&mut self.record.active, &mut self.round) else {
            return;
        };
        if round.tables.is_empty() {
            self.end_round(RoundOutcome::ProbeFailed, context);
            return;
        }
        active.is_probed = true;
        active.probe_again_at = None;
        round.stage = RoundStage::Copying;
    }

    /// After the clock was set back, no pause lasts longer than it does otherwise.
    pub(super) fn shorten_pauses(&mut self, context: &StepContext<'_>) {
        let longest = |failures: u32| context.now.after(pause_after(failures).unwrap_or_default());
        let failures = self.record.active.map_or(0, |active| active.probe_failures);
        let Some(round) = &mut self.round else { return };
        if let RoundStage::ProbeAgain(at) = &mut round.stage {
            *at = (*at).min(longest(failures));
        }
        for table in round.tables.values_mut() {
            if let TableStage::Pausing(at) = &mut table.stage {
                *at = (*at).min(longest(table.retry));
            }
        }
    }

    /// A job that the round submitted is over.
    pub(super) fn table_ended(
        &mut self,
        number: TableNumber,
        end: TableEnd,
        is_retryable: bool,
        context: &mut StepContext<'_>,
    ) {
        let (Some(active), Some(round)) = (&self.record.active, &mut self.round) else { return };
        let Some(table) = round.tables.get_mut(&number) else { return };
        let pause = pause_after(table.retry + 1).filter(|_| is_retryable);
        table.stage = match pause {
            Some(pause) => {
                table.retry += 1;
                TableStage::Pausing(context.now.after(pause))
            }
            None => TableStage::Ended(end),
        };
        record_table(active.number, number, table, context);
    }

    fn probe(&mut self, context: &mut StepContext<'_>) {
        let (Some(active), Some(round)) = (&self.record.active, &mut self.round) else { return };
        round.stage = RoundStage::Probing;
        let (replication, round) = (context.id, active.number);
        context.actions.push(StandingAction::Probe { replication, round });
    }

    fn end_pauses(&mut self, context: &StepContext<'_>) {
        let tables = self.round.iter_mut().flat_map(|round| round.tables.values_mut());
        for table in tables {
            if matches!(table.stage, TableStage::Pausing(at) if at <= context.now) {
                table.stage = TableStage::Waiting;
            }
        }
    }

    /// Submits the jobs that may be. Those of a replication that was retired never are.
    fn submit_waiting(&mut self, context: &mut StepContext<'_>) {
        let Some(mut round) = self.round.take() else { return };
        let number = self.record.active.map_or(0, |active| active.number);
        let at_once = self.order.jobs_at_once.max(1) as usize;
        let mut places =
            at_once.saturating_sub(round.jobs().filter(|job| job.lacks_room().is_none()).count());
        for (table_number, table) in &mut round.tables {
            match table.stage {
                TableStage::Waiting | TableStage::Pausing(_) if self.record.is_retired => {
                    table.stage = TableStage::Ended(TableEnd::Cancelled);
                }
                TableStage::Waiting if places > 0 && self.window.is_open => {
                    places -= 1;
                    self.submit(*table_number, table, context);
                }
                _ => continue,
            }
            record_table(number, *table_number, table, context);
        }
        self.round = Some(round);
    }

    /// Tells a job that was submitted before a restart what holds for it now: what it was told last
    /// may not have arrived.
    fn say_again(&self, table: &RoundTable, context: &mut StepContext<'_>) {
        let TableStage::Submitted(job) = &table.stage else { return };
        let window = (!self.window.is_open).then_some(HoldReason::Window);
        context.actions.push(match window.or_else(|| job.held_by_budget()) {
            Some(why) => StandingAction::Hold { job: job.id, why },
            None => StandingAction::Release { job: job.id },
        });
        if !self.order.budgets.is_empty() {
            context.actions.push(StandingAction::SlowTo { job: job.id, rate: None });
        }
    }

    /// Submits the job of a table, held when the windows are closed or budgets are to be asked.
    fn submit(&self, number: TableNumber, table: &mut RoundTable, context: &mut StepContext<'_>) {
        let Some(active) = &self.record.active else { return };
        let (replication, round) = (context.id, table.from.unwrap_or(active.number));
        let id = JobId::of_round(replication, round, number, table.retry);
        let is_free = self.order.budgets.is_empty();
        let budget = if is_free { JobBudget::Free } else { JobBudget::NotPlanned };
        let is_held = !self.window.is_open || !is_free;
        table.stage = TableStage::Submitted(RoundJob::new(id, is_held, budget));
        context.jobs.insert(id, (replication, number));
        context.actions.push(StandingAction::Submit {
            replication,
            round,
            table: number,
            job: id,
            held: is_held,
        });
    }

    fn are_all_over(&self) -> bool {
        let is_over = |table: &RoundTable| matches!(table.stage, TableStage::Ended(_));
        self.round.as_ref().is_some_and(|round| round.tables.values().all(is_over))
    }

    /// How the round ends now. Whatever of it is open is held.
    fn outcome(&self) -> RoundOutcome {
        let failures = self.record.active.map_or(0, |active| active.probe_failures);
        if failures > 0 && pause_after(failures).is_none() {
            return RoundOutcome::ProbeFailed;
        }
        let (mut done, mut failed, mut cancelled, mut held) = (0, 0, 0, 0);
        for table in self.round.iter().flat_map(|round| round.tables.values()) {
            match table.stage {
                TableStage::Ended(TableEnd::Done) => done += 1,
                TableStage::Ended(TableEnd::Failed) => failed += 1,
                TableStage::Ended(TableEnd::Cancelled) => cancelled += 1,
                TableStage::Waiting | TableStage::Pausing(_) | TableStage::Submitted(_) => {
                    held += 1;
                }
            }
        }
        RoundOutcome::Copied { done, failed, cancelled, held }
    }

    fn end_round(&mut self, outcome: RoundOutcome, context: &mut StepContext<'_>) {
        let had_tables = self.round.take().is_some_and(|round| !round.tables.is_empty());
        let Some(active) = self.record.active.take() else { return };
        let RoundRecord { number, cause, began, .. } = active;
        let round = EndedRound { number, cause, began, ended: context.now, outcome };
        self.record.last_ended = Some(round);
        context.record(StandingFact::RoundEnded { replication: context.id, round });
        self.poll_after_round(had_tables, context);
    }
}

/// How long is waited after so many failures; `None` when there were too many.
fn pause_after(failures: u32) -> Option<std::time::Duration> {
    let before = usize::try_from(failures).ok()?.checked_sub(1)?;
    ROUND_RETRY_PAUSES.get(before).copied()
}

fn record_table(
    round: u64,
    number: TableNumber,
    table: &RoundTable,
    context: &mut StepContext<'_>,
) {
    let (replication, record) = (context.id, table.record());
    context.record(StandingFact::Table { replication, round, table: number, record });
}
