//! The loop: one turn after another, until the shutdown or until facts cannot be made durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{Epoch, JobId};
use deepclone_core::limits::{EVENTS_PER_BATCH_MAX, Limits};
use deepclone_core::machine::{Fact, Moment};
use deepclone_core::price::Traffic;
use deepclone_core::turn::{self, Decisions};
use deepclone_core::unix_time::UnixTime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::handle::Handle;
use super::job_table::JobTable;
use super::message::Message;
use super::owner::Driver;
use super::take::Intake;
use super::{journal, purge};
use crate::costs::book::{Book, by_regions};
use crate::effects::Context;
use crate::metrics::CoordinatorMetrics;
use crate::state::{Batch, Entry, StateError};
use crate::traces::Traces;

/// Messages that wait for the driver at the most.
const MESSAGES_MAX: usize = 1_024;
/// Attempts to commit a batch before the process gives up.
const COMMIT_ATTEMPTS_MAX: u32 = 5;
/// The pause after the first failed attempt; it doubles.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);
/// How long uploads that were given up are thrown away after the shutdown.
const ENDING_MAX: Duration = Duration::from_secs(2);
/// How old the gauges may be.
const GAUGES_INTERVAL: Duration = Duration::from_secs(1);

/// Takes the lead, replays the facts, and starts the loop. It ends at `shutdown`, or with the
/// failure that keeps facts from becoming durable.
///
/// # Errors
/// The state cannot be read.
pub async fn start(
    context: Context,
    limits: Limits,
    metrics: Arc<CoordinatorMetrics>,
    shutdown: CancellationToken,
) -> Result<(Handle, JoinHandle<Result<(), Failure>>), StateError> {
    let store = Arc::clone(&context.store);
    let epoch = store.lead(least_epoch(&context)).await?;
    let entries = store.load(limits.jobs_ended_max).await?;
    let mut jobs = JobTable::recover(&entries)?;
    let job_spec = |job| jobs.get(job).map(|entry| Arc::clone(&entry.job_spec));
    let traces = Traces::recover(context.observers.spans.clone(), &entries, job_spec);
    let facts = entries.into_iter().map(|entry| entry.fact);
    let (machine, recovered) = turn::recover(epoch, limits, Moment(0), facts);
    jobs.prune(&machine);
    jobs.book = book(&context, &jobs.told(&machine)).await?;
    let (sender, messages) = mpsc::channel(MESSAGES_MAX);
    let handle = Handle::new(sender.clone(), epoch);
    let stop = shutdown.child_token();
    let purging = tokio::spawn(purge::purge(context.clone(), epoch, stop.clone()));
    let driver = Driver::new(machine, (context, metrics), epoch, (jobs, traces), sender);
    let driving = Loop { driver, messages, gauges_due: None };
    let running = tokio::spawn(async move {
        let outcome = driving.run(recovered, shutdown).await;
        // From here nothing holds the state: the caller may open it again.
        stop.cancel();
        let _ended = purging.await;
        outcome
    });
    Ok((handle, running))
}

/// Reads what live jobs sent before, and what this month saw.
async fn book(context: &Context, told: &BTreeMap<JobId, Traffic>) -> Result<Book, StateError> {
    let now = UnixTime(context.clock.now_ms());
    let rows = context.store.live_usage().await?;
    let month = context.store.usage(&by_regions(now)).await?;
    Ok(Book::recover(context.pricing.clone(), now, &month, rows, told))
}

/// Workers take no answer of a lower epoch than one that they have seen. When the database was
/// lost, the epochs of the new one begin above those of the old one by the time of day.
fn least_epoch(context: &Context) -> Epoch {
    Epoch((context.clock.now_ms() / 1_000).unsigned_abs())
}

/// The driver with what it waits for.
struct Loop {
    driver: Driver,
    messages: mpsc::Receiver<Message>,
    /// When the gauges are set again. `None` while they are right.
    gauges_due: Option<Instant>,
}

impl Loop {
    /// Takes turns until the end, and then stops the tasks that read the state.
    async fn run(
        mut self,
        recovered: Decisions,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        let outcome = self.take_turns(recovered, shutdown).await;
        self.driver.reading.shutdown().await;
        // Those that do not end in time are dropped with the driver.
        let ending = async { while self.driver.ending.join_next().await.is_some() {} };
        let _late = tokio::time::timeout(ENDING_MAX, ending).await;
        outcome
    }

    async fn take_turns(
        &mut self,
        recovered: Decisions,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        let mut wake_at = self.end_turn(recovered, Vec::new()).await?;
        let mut queue = Vec::with_capacity(EVENTS_PER_BATCH_MAX);
        loop {
            let wake_at_instant = wake_at.map(|moment| self.driver.instant(moment));
            let wake_at_first = wake_at_instant.into_iter().chain(self.gauges_due).min();
            let due = async {
                match wake_at_first {
                    Some(instant) => tokio::time::sleep_until(instant).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The shutdown first; queued messages before timers.
                biased;
                () = shutdown.cancelled() => return Ok(()),
                _ = self.messages.recv_many(&mut queue, EVENTS_PER_BATCH_MAX) => {}
                () = due => {}
            }
            let waiting = i64::try_from(queue.len()).unwrap_or(i64::MAX);
            self.driver.metrics.driver_waiting.set(waiting);
            let now = self.driver.now();
            let mut intake = Intake::default();
            for message in queue.drain(..) {
                self.driver.take(message, now, &mut intake);
            }
            let turn = turn::take(&mut self.driver.machine, now, intake.events);
            wake_at = self.end_turn(turn, intake.answers).await?;
        }
    }

    async fn end_turn(
        &mut self,
        turn: Decisions,
        answers: Vec<Answer>,
    ) -> Result<Option<Moment>, Failure> {
        let wake_at = self.driver.end_turn(turn, answers).await?;
        self.show_gauges();
        Ok(wake_at)
    }

    /// Sets the gauges at most once a second: counting visits every job.
    fn show_gauges(&mut self) {
        let now = Instant::now();
        let due = *self.gauges_due.get_or_insert(now + GAUGES_INTERVAL);
        if due <= now {
            self.driver.metrics.show(&self.driver.machine);
            self.gauges_due = None;
        }
    }
}

impl Driver {
    /// Makes the facts durable; only then does anything else leave. Returns when to wake.
    async fn end_turn(
        &mut self,
        turn: Decisions,
        answers: Vec<Answer>,
    ) -> Result<Option<Moment>, Failure> {
        let Decisions { facts, pending, wake_at } = turn;
        let batch = self.batch(facts);
        if !batch.entries.is_empty() {
            self.commit(&batch).await?;
        }
        for entry in &batch.entries {
            self.metrics.recorded(&entry.fact);
            self.tell(&entry.fact);
            self.observe(entry);
            self.trace(entry);
            if let Fact::GroupRestarted { job, fingerprints } = &entry.fact {
                self.abort_uploads(*job, Some(fingerprints));
            }
            self.jobs.recorded(entry);
        }
        for action in pending.durable() {
            self.release(action);
        }
        self.jobs.prune(&self.machine);
        self.workers.prune(&self.machine);
        for answer in answers {
            self.answer(answer);
        }
        self.refusals.clear();
        while self.reading.try_join_next().is_some() {}
        while self.ending.try_join_next().is_some() {}
        Ok(wake_at)
    }

    /// Writes the line of the log of a fact.
    fn tell(&mut self, fact: &Fact) {
        let job = fact.job();
        let progress = match fact {
            Fact::Ended { progress, .. } => Some(*progress),
            _ => self.machine.job(job).map(|view| view.progress),
        };
        if let Some(story) = self.jobs.story(job) {
            journal::tell(fact, story, &progress.unwrap_or_default());
        }
    }

    /// Returns the facts with their time, their notes, and the evidence of their receipts.
    fn batch(&mut self, facts: Vec<Fact>) -> Batch {
        let recorded_ms = self.context.clock.now_ms();
        let mut batch = Batch::default();
        self.jobs.book.set_now(UnixTime(recorded_ms));
        let jobs: BTreeSet<JobId> = facts.iter().map(Fact::job).collect();
        let booked = jobs.into_iter().filter_map(|job| self.jobs.book_sent(&self.machine, job));
        batch.usage.extend(booked);
        for fact in facts {
            if let Some(work) = self.jobs.work(fact.job()) {
                batch.evidence.extend(work.evidence_of(&fact, recorded_ms));
            }
            let note = self.jobs.note_of(&fact);
            batch.entries.push(Entry { fact, note, recorded_ms });
        }
        batch
    }

    async fn commit(&self, batch: &Batch) -> Result<(), Failure> {
        let mut pause = COMMIT_PAUSE;
        for attempt in 1.. {
            let error =
                match self.metrics.state.commit(self.context.store.append(self.epoch, batch)).await
                {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                };
            let is_final = matches!(error, StateError::Deposed) || attempt == COMMIT_ATTEMPTS_MAX;
            let mut failure = error.failure();
            if is_final {
                failure.message =
                    format!("stopping: facts cannot be made durable: {}", failure.message);
                return Err(failure);
            }
            tracing::warn!(attempt, "facts are not durable yet: {failure}");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }
}
