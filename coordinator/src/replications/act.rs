//! Facts of the scheduler → rows; its other actions → probes and jobs.

use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::job_limits::{JobLimits, LimitsChange};
use deepclone_core::machine::End;
use deepclone_core::reason::Reason;
use deepclone_core::standing::{
    JobOutcome, RoundCause, StandingAction, StandingEvent, StandingFact,
};

use super::engine::Engine;
use super::entry::{LookDepth, ROUNDS_KEPT, ReplicationEntry, Table};
use super::follow::follow;
use super::lag_history::LagOccasion;
use super::message::EngineMessage;
use super::news::{JobFigures, JobNews};
use super::owner::claim;
use super::probe::probe;
use super::probe_costs::origin;
use super::rates::share;
use super::show;
use super::table_job::table_job;
use super::{rows, view::RoundView};
use crate::driver::message::Message;
use crate::rpc::accept;
use crate::state::{Batch, JobOrigin, JobRound, JobSpec, RowChange, StateError};

/// Attempts to make rows durable before the engine stops.
const WRITE_ATTEMPTS_MAX: u32 = 5;
/// The pause after the first failed attempt; it doubles.
const WRITE_PAUSE: Duration = Duration::from_millis(100);

impl Engine {
    /// Takes facts, and returns the rows that keep them.
    pub(super) fn keep(&mut self, facts: Vec<StandingFact>) -> Vec<RowChange> {
        let mut changes = Vec::new();
        for fact in facts {
            match fact {
                StandingFact::Replication { replication, record } => {
                    if let Some(entry) = self.entries.get_mut(&replication) {
                        entry.is_retired = record.is_retired;
                    }
                    changes.push(rows::record(replication, &record));
                }
                StandingFact::Table { replication, round, table, record } => {
                    changes.push(rows::open(replication, round, table, &record));
                }
                StandingFact::Upkeep { replication, table, kind, record } => {
                    changes.push(rows::upkeep(replication, table, kind, record.as_ref()));
                }
                StandingFact::Budget(entry) => changes.push(rows::budget(&entry)),
                StandingFact::RoundBegan { replication, round, cause, at } => {
                    let began = show::began(round, cause, at);
                    self.note_round(replication, began, &mut changes);
                }
                StandingFact::RoundEnded { replication, round } => {
                    let Some(entry) = self.entries.get_mut(&replication) else { continue };
                    let sent = std::mem::take(&mut entry.sent_in_round);
                    entry.count_round(round.outcome);
                    let tables = entry.tables.keys();
                    let closed =
                        tables.map(|table| rows::closed(replication, round.number, *table));
                    changes.extend(closed);
                    self.note_round(replication, show::ended(&round, sent), &mut changes);
                    changes.extend(self.sample_lag(replication, LagOccasion::RoundEnd));
                }
                StandingFact::Skipped { replication, slots, at } => {
                    if let Some(entry) = self.entries.get_mut(&replication) {
                        entry.counts.slots_skipped += slots.count;
                    }
                    self.note_round(replication, show::skipped(&slots, at), &mut changes);
                }
            }
        }
        changes
    }

    fn note_round(&mut self, id: ReplicationId, round: RoundView, changes: &mut Vec<RowChange>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        changes.push(rows::round(id, &round));
        if entry.history.len() == ROUNDS_KEPT {
            changes.extend(entry.history.back().map(|oldest| rows::forgotten(id, oldest)));
        }
        entry.note_round(round);
    }

    /// Makes rows durable.
    ///
    /// # Errors
    /// The state failed several times, or another coordinator leads; the engine stops then.
    pub(super) async fn write(&mut self, changes: &[RowChange]) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut pause = WRITE_PAUSE;
        for attempt in 1.. {
            let error = match self.context.store.change_rows(self.epoch, changes).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if matches!(error, StateError::Deposed) || attempt == WRITE_ATTEMPTS_MAX {
                self.broken = Some(error.failure());
                return Err(error.failure());
            }
            tracing::warn!(attempt, failure = %error.failure(), "rows are not durable yet");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }

    /// Makes durable what asking the sources took. What cannot be is told again a minute later.
    pub(super) async fn keep_probe_costs(&mut self) {
        let now = self.now();
        let usage = self.probe_costs.rows(&self.entries, now);
        if usage.is_empty() {
            return;
        }
        let batch = Batch { usage, ..Batch::default() };
        if let Err(error) = self.context.store.append(self.epoch, &batch).await {
            tracing::warn!(failure = %error.failure(), "what asking took is not durable yet");
            self.probe_costs.failed(&batch.usage);
        }
    }

    /// Does what the scheduler asks for. Returns what it leads to at once.
    pub(super) async fn act(&mut self, action: StandingAction) -> Option<StandingEvent> {
        match action {
            // Those were made durable before.
            StandingAction::Record(_) => {}
            StandingAction::Probe { replication, round } => self.ask(replication, Some(round)),
            StandingAction::Poll { replication } => self.ask(replication, None),
            StandingAction::Submit { replication, round, table, job, held } => {
                return self.submit(replication, round, table, job, held).await;
            }
            StandingAction::Hold { job, why: _ } => {
                self.hold(job, true).await;
                if let Some((id, _, table)) = self.table_of(job) {
                    table.rate.may_copy = false;
                    self.undivided.insert(id);
                }
            }
            StandingAction::Release { job } => self.hold(job, false).await,
            StandingAction::Recall { job } => {
                self.tell(job, Message::Recall).await;
            }
            StandingAction::SlowTo { job, rate } => self.slow_to(job, rate).await,
            StandingAction::Alert { job, budget, cause } => {
                tracing::warn!(%job, budget = budget.0, ?cause, "a job goes on past its budget");
            }
            StandingAction::Upkeep { replication, table, kind } => {
                self.keep_up(replication, table, kind);
            }
            StandingAction::Violated(violation) => {
                tracing::error!(?violation, "a rule of the scheduler does not hold");
            }
        }
        None
    }

    fn ask(&mut self, id: ReplicationId, round: Option<u64>) {
        let Some(entry) = self.entries.get(&id) else { return };
        let order = entry.probe_order(self.look_depth(id), self.now());
        let (context, sender) = (self.context.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let (context, reads) = context.counted();
            let probed = probe(&context, &order).await;
            let probed = EngineMessage::Probed(id, round, reads.traffic(), probed);
            let _stopped = sender.send(probed).await;
        });
    }

    /// What somebody asked for is looked at whole.
    fn look_depth(&self, id: ReplicationId) -> LookDepth {
        let round = self.standing.view(id).and_then(|view| view.round);
        match round.map(|round| round.cause) {
            Some(RoundCause::ByHand) => LookDepth::Whole,
            Some(
                RoundCause::Slot(_)
                | RoundCause::Queued(_)
                | RoundCause::Missed { .. }
                | RoundCause::SourceChanged
                | RoundCause::Resumed,
            )
            | None => LookDepth::AsDue,
        }
    }

    async fn submit(
        &mut self,
        id: ReplicationId,
        round: u64,
        number: TableNumber,
        job: JobId,
        held: bool,
    ) -> Option<StandingEvent> {
        let refused =
            || StandingEvent::JobEnded { job, outcome: JobOutcome::Failed { is_retryable: false } };
        let (now, round) = (self.now(), self.round_of(id, round));
        let entry = self.entries.get_mut(&id)?;
        let job_spec = match job_spec(&self.context, entry, round, number, held) {
            Ok(job_spec) => Arc::new(job_spec),
            Err(failure) => {
                entry.fail(number, failure, now);
                entry.tables.get_mut(&number).map(Table::end_job);
                self.undivided.insert(id);
                return Some(refused());
            }
        };
        let submission = Box::new(accept::submission_of(job, true, job_spec));
        match self.driver.ask(|reply| Message::Submit(submission, reply)).await {
            Ok(_) => {
                let share = share(entry.rate, &entry.tables);
                // One that is known from before a restart has kept the rate that it had.
                let is_known = self.is_starting && !entry.checked.bandwidth.limits.is_empty();
                if is_known {
                    self.undivided.insert(id);
                }
                if let Some(table) = entry.tables.get_mut(&number) {
                    table.job = Some((job, None));
                    table.is_recovered = self.is_starting;
                    table.rate.slow = None;
                    table.rate.told = (!is_known).then_some(share);
                }
                self.tasks.spawn(follow(self.driver.clone(), job, self.sender.clone()));
                None
            }
            Err(failure) => {
                let is_retryable = is_retryable(failure.reason);
                entry.fail(number, failure, now);
                entry.tables.get_mut(&number).map(Table::end_job);
                self.undivided.insert(id);
                let outcome = JobOutcome::Failed { is_retryable };
                Some(StandingEvent::JobEnded { job, outcome })
            }
        }
    }

    /// The round that a job is of, with its slot while that is known.
    fn round_of(&self, id: ReplicationId, number: u64) -> JobRound {
        let running = self.standing.view(id).and_then(|view| view.round);
        let cause = running.filter(|round| round.number == number).map(|round| round.cause);
        let slot = cause.and_then(RoundCause::slots).map(|(newest, _)| newest);
        JobRound { number, slot }
    }

    async fn hold(&self, job: JobId, held: bool) {
        let change = LimitsChange { held: Some(held), ..LimitsChange::default() };
        self.tell(job, |job, reply| Message::Limit(job, change, reply)).await;
    }

    /// Does something to a job; one that is over or not known stays as it is.
    pub(super) async fn tell(
        &self,
        job: JobId,
        message: impl FnOnce(
            JobId,
            crate::driver::message::Reply<Arc<crate::driver::snapshot::JobSnapshot>>,
        ) -> Message,
    ) {
        if let Err(failure) = self.driver.ask(|reply| message(job, reply)).await {
            tracing::debug!(%job, %failure, "the job stays as it is");
        }
    }

    /// A job is over, and leaves its share of the rate to others.
    fn count_ended(&mut self, id: ReplicationId, figures: &JobFigures) {
        self.undivided.insert(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.sent_in_round.add(figures);
        }
    }

    /// Takes news of a job: what the scheduler is told, and the rows that change.
    pub(super) fn heard(
        &mut self,
        job: JobId,
        news: JobNews,
    ) -> (Vec<StandingEvent>, Vec<RowChange>) {
        let now = self.now();
        let Some((id, number, table)) = self.table_of(job) else { return Default::default() };
        table.learn(job, &news);
        match news {
            // The replication has moved since it was submitted: what it sent is told at its end.
            JobNews::Moved(_) if table.job.as_ref().is_none_or(|(own, _)| *own != job) => {
                Default::default()
            }
            JobNews::Moved(figures) => {
                let before = table.job.take().and_then(|(_, before)| before);
                let events = figures.events_since(job, before.as_ref());
                table.job = Some((job, Some(figures.clone())));
                let is_recovered = table.is_recovered;
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.count_sent(&figures, before.as_ref(), is_recovered);
                }
                self.view = None;
                (events, Vec::new())
            }
            JobNews::Ended { end, figures, created } => {
                let is_recovered = table.is_recovered;
                let own = table.end_job().filter(|(own, _)| *own == job);
                let is_its_own = own.is_some();
                let outcome = match end {
                    End::Succeeded { source_version, replica_version, .. } => {
                        if is_its_own {
                            table.synced(source_version, replica_version, created, now);
                        }
                        JobOutcome::Done
                    }
                    End::Failed(failure) => {
                        let is_retryable = is_retryable(failure.reason);
                        table.fail(failure, now);
                        JobOutcome::Failed { is_retryable }
                    }
                    End::Cancelled => JobOutcome::Cancelled,
                };
                let changes = vec![rows::table(id, number, &table.kept)];
                if let (Some(entry), Some((_, before))) = (self.entries.get_mut(&id), own) {
                    entry.count_sent(&figures, before.as_ref(), is_recovered);
                }
                self.count_ended(id, &figures);
                let total = figures.spent();
                let sent = StandingEvent::JobSent { job, total };
                (vec![sent, StandingEvent::JobEnded { job, outcome }], changes)
            }
            JobNews::Lost(failure) if failure.reason == Reason::CoordinatorUnavailable => {
                Default::default()
            }
            JobNews::Lost(failure) => {
                let is_retryable = is_retryable(failure.reason);
                table.end_job();
                table.fail(failure, now);
                self.undivided.insert(id);
                let outcome = JobOutcome::Failed { is_retryable };
                (vec![StandingEvent::JobEnded { job, outcome }], Vec::new())
            }
        }
    }
}

/// True when the same job may succeed in some minutes.
fn is_retryable(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::StorageUnavailable
            | Reason::CoordinatorUnavailable
            | Reason::NoWorkers
            | Reason::TargetBusy
            | Reason::Overloaded
            | Reason::CorruptCopy
            | Reason::ObjectVanished
    )
}

fn job_spec(
    context: &crate::effects::Context,
    entry: &ReplicationEntry,
    round: JobRound,
    number: TableNumber,
    held: bool,
) -> Result<JobSpec, Failure> {
    let unknown =
        || Failure::new(Reason::Internal, format!("no table has the number {}", number.0));
    let table = entry.tables.get(&number).ok_or_else(unknown)?;
    let bytes_per_second = share(entry.rate, &entry.tables);
    let limits = JobLimits { bytes_per_second, concurrency: None, held };
    let claim = claim(&entry.spec, entry.owner);
    let job_spec = table_job(context, &entry.spec, &table.kept.path, claim, limits)?;
    let origin = JobOrigin { round: Some(round), ..origin(entry) };
    Ok(JobSpec { origin: Some(origin), ..job_spec })
}
