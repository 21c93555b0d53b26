//! The one loop that owns the machine: messages in, facts durable, then everything else (I4).
//!
//! Flow of a turn: wait → up to 512 messages become events → [`turn::take`] → the facts of all in
//! one transaction → the actions released, the requests answered. Slow work is spawned and comes
//! back as a message. Nothing here decides: the machine does.
//!
//! * [`message`]: what it is told.
//! * [`book`]: what it knows of jobs beside the machine.
//! * `take`: a message → an event, and what to answer once the turn is durable.
//! * `recall`: questions for jobs that only the database knows.
//! * `release`: actions → spawned effects and answers.
//! * `purge`: drops what the database needs no more.
//! * `journal`: facts → the lines of the log.

pub mod book;
mod handle;
mod journal;
pub mod message;
mod purge;
mod recall;
mod release;
mod take;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{Epoch, GrantKey, JobId, TaskFingerprint, WorkerId};
use deepclone_core::limits::{EVENTS_PER_BATCH_MAX, Limits};
use deepclone_core::machine::{Fact, Machine, Moment};
use deepclone_core::receipt::Receipt;
use deepclone_core::task::Grant;
use deepclone_core::turn::{self, Turn};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::effects::{Context, wall_clock_ms};
use crate::job_plan::JobPlan;
use crate::metrics::Gauges;
use crate::state::{Batch, Entry, PlanNote, StateError};
use book::Book;
pub use handle::Handle;
use message::{Beat, Message, Reply, WorkerCard};
use recall::Recall;
use take::Answer;
pub(crate) use take::unknown_worker;

/// Messages that wait for the driver at the most.
const MESSAGES_MAX: usize = 1_024;
/// Tries to commit a batch before the process gives up.
const COMMIT_ATTEMPTS_MAX: u32 = 5;
/// The pause after the first failed try; it doubles.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);
/// How old the gauges may be.
const GAUGES_INTERVAL: Duration = Duration::from_secs(1);

/// The owner of the truth.
pub struct Driver {
    machine: Machine,
    context: Context,
    epoch: Epoch,
    started: Instant,
    book: Book,
    plans: BTreeMap<JobId, Arc<JobPlan>>,
    notes: BTreeMap<JobId, PlanNote>,
    /// Receipts of jobs whose plan is being made.
    early: BTreeMap<JobId, Vec<Seen>>,
    cards: BTreeMap<WorkerId, WorkerCard>,
    waiting: BTreeMap<WorkerId, Reply<Vec<Grant>>>,
    beats: BTreeMap<WorkerId, Vec<Reply<Beat>>>,
    /// Reports of this turn that are not answered, in the order of their events.
    reports: BTreeMap<WorkerId, VecDeque<Reply<Vec<GrantKey>>>>,
    /// Submissions of this turn that the machine refused.
    refusals: BTreeMap<JobId, Failure>,
    /// Who waits for the database to tell of a job.
    recalls: BTreeMap<JobId, Vec<Recall>>,
    /// Plans that are being made.
    planning: BTreeMap<JobId, AbortHandle>,
    /// Tasks that read the state beside the loop: plans, and look-ups of ended jobs.
    reading: JoinSet<()>,
    /// Source keys that were gone when they were copied, of live jobs.
    vanished: BTreeMap<JobId, BTreeSet<String>>,
    messages: mpsc::Receiver<Message>,
    sender: mpsc::Sender<Message>,
    gauges: Arc<Gauges>,
    /// When the gauges are to be shown again; none: they are right.
    gauges_due: Option<Instant>,
}

/// Takes the lead, replays the facts, and starts the loop. It ends at `shutdown`, or with the
/// failure that keeps facts from becoming durable.
///
/// # Errors
/// The state cannot be read.
pub async fn start(
    context: Context,
    limits: Limits,
    gauges: Arc<Gauges>,
    shutdown: CancellationToken,
) -> Result<(Handle, tokio::task::JoinHandle<Result<(), Failure>>), StateError> {
    let epoch = context.store.lead().await?;
    let entries = context.store.load(limits.jobs_ended_max).await?;
    let mut book = Book::default();
    for entry in &entries {
        book.apply(entry)?;
    }
    let facts = entries.into_iter().map(|entry| entry.fact);
    let (machine, recovered) = turn::recover(epoch, limits, Moment(0), facts);
    book.prune(&machine);
    let (sender, messages) = mpsc::channel(MESSAGES_MAX);
    let driver = Driver {
        machine,
        context,
        epoch,
        started: Instant::now(),
        book,
        plans: BTreeMap::new(),
        notes: BTreeMap::new(),
        early: BTreeMap::new(),
        cards: BTreeMap::new(),
        waiting: BTreeMap::new(),
        beats: BTreeMap::new(),
        reports: BTreeMap::new(),
        refusals: BTreeMap::new(),
        recalls: BTreeMap::new(),
        planning: BTreeMap::new(),
        reading: JoinSet::new(),
        vanished: BTreeMap::new(),
        messages,
        sender: sender.clone(),
        gauges,
        gauges_due: None,
    };
    let stop = shutdown.child_token();
    let purging = purge::purge(Arc::clone(&driver.context.store), epoch, stop.clone());
    let purging = tokio::spawn(purging);
    let running = tokio::spawn(async move {
        let outcome = driver.run(recovered, shutdown).await;
        // Whoever waits for the end may open the state again: nobody holds it any more.
        stop.cancel();
        let _ended = purging.await;
        outcome
    });
    Ok((Handle::new(sender, epoch), running))
}

/// A receipt whose evidence is to be recorded.
struct Seen {
    fingerprint: TaskFingerprint,
    receipt: Receipt,
    recorded_ms: i64,
}

impl Seen {
    /// A task that the plan does not have any more leaves no evidence.
    fn record(self, job: JobId, plan: &JobPlan, batch: &mut Batch) {
        let Self { fingerprint, receipt, recorded_ms } = self;
        let evidence = plan.evidence(job, fingerprint, &receipt, recorded_ms).unwrap_or_default();
        batch.evidence.extend(evidence.into_iter().map(|seen| (plan.target, seen)));
    }
}

impl Driver {
    /// Takes turns until the end, and then lets nothing go on that holds the state to read it.
    async fn run(mut self, recovered: Turn, shutdown: CancellationToken) -> Result<(), Failure> {
        let outcome = self.take_turns(recovered, shutdown).await;
        self.reading.shutdown().await;
        outcome
    }

    async fn take_turns(
        &mut self,
        recovered: Turn,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        let mut wake_at = self.end_turn(recovered, Vec::new()).await?;
        let mut queue = Vec::with_capacity(EVENTS_PER_BATCH_MAX);
        loop {
            let deadline = wake_at.map(|moment| self.instant(moment));
            let deadline = deadline.into_iter().chain(self.gauges_due).min();
            let due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // A shutdown first; queued messages before timers.
                biased;
                () = shutdown.cancelled() => return Ok(()),
                _ = self.messages.recv_many(&mut queue, EVENTS_PER_BATCH_MAX) => {}
                () = due => {}
            }
            let now = self.now();
            let mut events = Vec::with_capacity(queue.len());
            let mut answers = Vec::new();
            for message in queue.drain(..) {
                events.extend(self.take(message, now, &mut answers));
            }
            let turn = turn::take(&mut self.machine, now, events);
            wake_at = self.end_turn(turn, answers).await?;
        }
    }

    /// Makes the facts durable; only then does anything else leave. Returns when to wake.
    async fn end_turn(
        &mut self,
        turn: Turn,
        answers: Vec<Answer>,
    ) -> Result<Option<Moment>, Failure> {
        let Turn { facts, pending, wake_at } = turn;
        let recorded_ms = wall_clock_ms();
        let mut batch = Batch::default();
        for fact in facts {
            self.enter(fact, recorded_ms, &mut batch);
        }
        if !batch.entries.is_empty() {
            self.commit(&batch).await?;
        }
        for entry in &batch.entries {
            journal::tell(&entry.fact);
            self.book.apply(entry).map_err(|error| error.failure())?;
        }
        for action in pending.durable() {
            self.release(action);
        }
        for answer in answers {
            self.answer(answer);
        }
        self.forget_workers();
        self.refusals.clear();
        while self.reading.try_join_next().is_some() {}
        self.show_gauges();
        Ok(wake_at)
    }

    /// Drops the cards of workers that the machine refused, or forgot since.
    fn forget_workers(&mut self) {
        if self.cards.len() > self.machine.workers().len() {
            self.cards.retain(|worker, _| self.machine.worker(*worker).is_some());
        }
    }

    /// Shows the gauges at most once a second: counting costs a walk over all jobs.
    fn show_gauges(&mut self) {
        let now = Instant::now();
        let due = *self.gauges_due.get_or_insert(now + GAUGES_INTERVAL);
        if due <= now {
            self.gauges.show(&self.machine);
            self.gauges_due = None;
        }
    }

    fn enter(&mut self, fact: Fact, recorded_ms: i64, batch: &mut Batch) {
        let mut note = None;
        match &fact {
            Fact::TaskDone { job, fingerprint, receipt } => {
                let seen =
                    Seen { fingerprint: *fingerprint, receipt: receipt.clone(), recorded_ms };
                match self.plans.get(job) {
                    Some(plan) => seen.record(*job, plan, batch),
                    // A task of an earlier term: its plan is being made again.
                    None => self.early.entry(*job).or_default().push(seen),
                }
            }
            Fact::Planned { job, .. } => {
                note = self.notes.get(job).cloned();
                let early = self.early.remove(job).unwrap_or_default();
                if let Some(plan) = self.plans.get(job) {
                    early.into_iter().for_each(|seen| seen.record(*job, plan, batch));
                }
            }
            Fact::Ended { job, .. } => {
                self.early.remove(job);
                note = self.notes.get(job).cloned();
            }
            _ => {}
        }
        batch.entries.push(Entry { fact, note, recorded_ms });
    }

    async fn commit(&self, batch: &Batch) -> Result<(), Failure> {
        let mut pause = COMMIT_PAUSE;
        for attempt in 1.. {
            let error = match self.context.store.append(self.epoch, batch).await {
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

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn instant(&self, moment: Moment) -> Instant {
        self.started + Duration::from_millis(moment.0)
    }
}
