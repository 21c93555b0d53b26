//! The one loop that owns the scheduler: messages in, rows durable, then everything else.
//!
//! Slow work is spawned and comes back as a message. Every decision about time is the scheduler's
//! ([`deepclone_core::standing`]); every job is the driver's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{Epoch, JobId, ReplicationId, TableNumber};
use deepclone_core::replication::ReplicationName;
use deepclone_core::standing::{
    ProbeResult, Standing, StandingAction, StandingEvent, StandingLimits, StoredReplication,
};
use deepclone_core::unix_time::UnixTime;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::entry::{ReplicationEntry, Table};
use super::message::{EngineMessage, Replications};
use super::news::JobNews;
use super::order::order;
use super::owner::new_owner;
use super::probe_costs::ProbeCosts;
use super::rows::{self, Kept, KeptReplication};
use super::shared_budgets::SharedBudgets;
use super::view::FleetView;
use crate::driver::Handle;
use crate::effects::Context;
use crate::state::RowChange;

/// Messages that wait for the engine at the most.
const MESSAGES_MAX: usize = 1_024;
/// The clock is looked at this often, because it can be set.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How old a view of all replications may be.
pub(super) const VIEW_AGE_MAX: Duration = Duration::from_secs(1);

/// The scheduler, with everything that is known beside it.
pub(super) struct Engine {
    pub(super) standing: Standing,
    pub(super) entries: BTreeMap<ReplicationId, ReplicationEntry>,
    pub(super) budgets: SharedBudgets,
    pub(super) probe_costs: ProbeCosts,
    pub(super) context: Context,
    pub(super) driver: Handle,
    pub(super) epoch: Epoch,
    /// Probes, and what follows jobs.
    pub(super) tasks: JoinSet<()>,
    pub(super) sender: mpsc::Sender<EngineMessage>,
    pub(super) view: Option<(Instant, Arc<FleetView>)>,
    /// Replications of which a job has ended, is held, or may have been told any rate before.
    pub(super) undivided: BTreeSet<ReplicationId>,
    /// Jobs that are submitted now may be known from before a restart.
    pub(super) is_starting: bool,
    /// Why rows could not be made durable: what is known here is not what is kept any more.
    pub(super) broken: Option<Failure>,
}

/// Reads what is kept, and starts the loop. It ends at `shutdown`, or when rows cannot be made
/// durable; then it cancels `shutdown` itself.
///
/// # Errors
/// The state cannot be read.
pub async fn start(
    context: Context,
    driver: Handle,
    shutdown: CancellationToken,
) -> Result<(Replications, JoinHandle<Result<(), Failure>>), Failure> {
    let kept = context.store.replication_rows().await.and_then(rows::read);
    let Kept { replications: kept, budgets, shared } = kept.map_err(|error| error.failure())?;
    let shared = SharedBudgets::new(shared).unwrap_or_else(|mistakes| {
        tracing::error!(?mistakes, "the shared budgets mean nothing any more");
        SharedBudgets::default()
    });
    let now = UnixTime(context.clock.now_ms());
    let (mut changes, budgets) = rows::old_budgets(budgets, now);
    let (sender, messages) = mpsc::channel(MESSAGES_MAX);
    let (entries, stored) = recovered(kept, &shared, now, &mut changes);
    let written = context.store.change_rows(driver.epoch(), &changes).await;
    written.map_err(|error| error.failure())?;
    let mut actions = Vec::new();
    let standing = Standing::recover(StandingLimits::default(), now, stored, budgets, &mut actions);
    let (tasks, handle) = (JoinSet::new(), Replications::new(sender.clone()));
    let probe_costs = ProbeCosts::load(&context, now).await.map_err(|error| error.failure())?;
    let mut engine = Engine {
        standing,
        entries,
        budgets: shared,
        probe_costs,
        context,
        epoch: driver.epoch(),
        driver,
        tasks,
        sender,
        view: None,
        undivided: BTreeSet::new(),
        is_starting: true,
        broken: None,
    };
    let ended = shutdown.clone();
    let running = tokio::spawn(async move {
        let outcome = engine.begin(actions, messages, shutdown).await;
        engine.tasks.shutdown().await;
        // A coordinator whose replications stand still must not look as if it kept them.
        ended.cancel();
        outcome.map_err(|failure| Failure {
            message: format!("stopping: replications stand still: {}", failure.message),
            ..failure
        })
    });
    Ok((handle, running))
}

/// Returns what is known of the replications, and what the scheduler goes on with.
fn recovered(
    kept: BTreeMap<ReplicationId, KeptReplication>,
    shared: &SharedBudgets,
    now: UnixTime,
    changes: &mut Vec<RowChange>,
) -> (BTreeMap<ReplicationId, ReplicationEntry>, Vec<StoredReplication>) {
    let mut entries = BTreeMap::new();
    let mut stored = Vec::new();
    for (replication, kept) in kept {
        let owner = kept.owner.unwrap_or_else(new_owner);
        if kept.owner.is_none() {
            changes.push(rows::owner(replication, owner));
        }
        let entry = ReplicationEntry::of_kept(replication, &kept.spec, owner, kept.times, now);
        let entry = match entry {
            Ok(entry) => entry,
            Err(mistakes) => {
                let name = &kept.spec.name;
                tracing::error!(%name, ?mistakes, "the replication means nothing any more");
                continue;
            }
        };
        let mut entry = entry.with_tables(kept.tables).with_history(kept.rounds, kept.lag);
        entry.has_looked = kept.has_looked;
        if let Some(record) = kept.record {
            entry.is_retired = record.is_retired;
            let active = record.active.map(|round| round.number);
            let open = kept.open.into_iter().filter(|((round, _), _)| Some(*round) == active);
            let tables = open.map(|((_, table), record)| (table, record)).collect();
            let order = order(&entry.checked, shared);
            let upkeep = kept.upkeep;
            stored.push(StoredReplication { replication, order, record, tables, upkeep });
        }
        entries.insert(replication, entry);
    }
    (entries, stored)
}

impl Engine {
    /// Does what the records ask for, then runs.
    async fn begin(
        &mut self,
        actions: Vec<StandingAction>,
        messages: mpsc::Receiver<EngineMessage>,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        self.perform(actions).await?;
        self.is_starting = false;
        let ids: Vec<ReplicationId> = self.entries.keys().copied().collect();
        let replicas: Vec<_> = ids.into_iter().filter_map(|id| self.replicas(id)).collect();
        self.step(replicas).await?;
        self.run(messages, shutdown).await
    }

    async fn run(
        &mut self,
        mut messages: mpsc::Receiver<EngineMessage>,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        let (mut looked_at, mut kept_at) = (Instant::now(), Instant::now());
        loop {
            let until_due = self.standing.next_deadline().map(|due| due.since(self.now()));
            let wait = until_due.unwrap_or(LOOK_INTERVAL).min(LOOK_INTERVAL);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    self.keep_probe_costs().await;
                    return Ok(());
                }
                message = messages.recv() => match message {
                    Some(message) => self.take(message).await?,
                    None => return Ok(()),
                },
                () = tokio::time::sleep(wait) => {}
            }
            if let Some(failure) = self.broken.take() {
                return Err(failure);
            }
            // Messages may come without a pause.
            let is_due = self.standing.next_deadline().is_some_and(|due| due <= self.now());
            if is_due || looked_at.elapsed() >= LOOK_INTERVAL {
                looked_at = Instant::now();
                self.step([StandingEvent::Woken]).await?;
                self.follow_timetables().await;
                self.sample_lags().await?;
            }
            if kept_at.elapsed() >= LOOK_INTERVAL {
                kept_at = Instant::now();
                self.keep_probe_costs().await;
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    async fn take(&mut self, message: EngineMessage) -> Result<(), Failure> {
        match message {
            EngineMessage::Apply { specs, budgets, validate_only, answer } => {
                self.look_and_apply(specs, budgets, validate_only, answer).await;
            }
            EngineMessage::Surveyed(surveyed) => self.apply_surveyed(*surveyed).await,
            EngineMessage::Fleet(answer) => {
                let _gone = answer.send(Ok(self.fleet()));
            }
            EngineMessage::Pause(name, until, answer) => {
                let event = |replication| StandingEvent::Paused { replication, until };
                let _gone = answer.send(self.change(&name, event).await);
            }
            EngineMessage::Resume(name, answer) => {
                let event = |replication| StandingEvent::Resumed { replication };
                let _gone = answer.send(self.change(&name, event).await);
            }
            EngineMessage::Run(name, answer) => {
                let event = |replication| StandingEvent::RunRequested { replication };
                let _gone = answer.send(self.change(&name, event).await);
            }
            EngineMessage::Retire(name, answer) => {
                let event = |replication| StandingEvent::Retired { replication };
                let _gone = answer.send(self.change(&name, event).await);
            }
            EngineMessage::Approve(name, paths, answer) => {
                let _gone = answer.send(self.approve(&name, &paths).await);
            }
            EngineMessage::SourceChanged(name, answer) => {
                let event = |replication| StandingEvent::SourceChanged { replication };
                let _gone = answer.send(self.change(&name, event).await.map(drop));
            }
            EngineMessage::Probed(id, round, reads, probed) => {
                self.probe_costs.add(id, reads);
                let (result, changes) = self.probed(id, probed);
                self.write(&changes).await?;
                let probed = match round {
                    Some(round) => StandingEvent::Probed { replication: id, round, result },
                    None => StandingEvent::Polled { replication: id, result },
                };
                self.step([probed].into_iter().chain(self.replicas(id))).await?;
            }
            EngineMessage::Job(job, news) => {
                let place = self.standing.place_of(job);
                let is_over = matches!(news, JobNews::Ended { .. });
                let (events, changes) = self.heard(job, news);
                self.write(&changes).await?;
                let replicas = place.filter(|_| is_over).and_then(|(id, _)| self.replicas(id));
                self.step(events.into_iter().chain(replicas)).await?;
            }
            EngineMessage::KeptUp(end) => self.kept_up(*end).await?,
        }
        Ok(())
    }

    /// Shows the scheduler what happened, and does what it asks for.
    pub(super) async fn step(
        &mut self,
        events: impl IntoIterator<Item = StandingEvent>,
    ) -> Result<(), Failure> {
        let mut actions = Vec::new();
        for event in events {
            self.standing.step(self.now(), event, &mut actions);
        }
        self.perform(actions).await
    }

    async fn perform(&mut self, actions: Vec<StandingAction>) -> Result<(), Failure> {
        self.view = None;
        // What an action makes happen at once is shown to the scheduler, too.
        let mut next = actions;
        while !next.is_empty() {
            let (facts, others) = split(next);
            let moments = self.round_moments(&facts);
            let changes = self.keep(facts);
            self.write(&changes).await?;
            for moment in moments {
                self.context.observers.lineage.tell(moment);
            }
            self.make_room(&others).await;
            let mut events = Vec::new();
            for action in others {
                events.extend(self.act(action).await);
            }
            next = Vec::new();
            for event in events {
                self.standing.step(self.now(), event, &mut next);
            }
        }
        self.give_room().await;
        Ok(())
    }

    pub(super) fn now(&self) -> UnixTime {
        UnixTime(self.context.clock.now_ms())
    }

    /// The replication of this name that is not retired.
    pub(super) fn find(&self, name: &ReplicationName) -> Option<&ReplicationEntry> {
        self.entries.values().find(|entry| entry.spec.name == *name && !entry.is_retired)
    }

    /// The table that a job is for.
    pub(super) fn table_of(
        &mut self,
        job: JobId,
    ) -> Option<(ReplicationId, TableNumber, &mut Table)> {
        let (id, number) = self.standing.place_of(job)?;
        let table = self.entries.get_mut(&id)?.tables.get_mut(&number)?;
        Some((id, number, table))
    }

    fn probed(
        &mut self,
        id: ReplicationId,
        probed: Result<super::probe::Probed, Failure>,
    ) -> (ProbeResult, Vec<crate::state::RowChange>) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return (ProbeResult::Failed, Vec::new());
        };
        match probed {
            Ok(probed) => {
                let had_looked = entry.has_looked;
                let (behind, changed) = entry.take_probe(probed);
                let looked = (!had_looked).then(|| rows::looked(id, true));
                let rows = changed.iter().filter_map(|number| {
                    let table = entry.tables.get(number)?;
                    Some(rows::table(id, *number, &table.kept))
                });
                (ProbeResult::Behind(behind), rows.chain(looked).collect())
            }
            Err(failure) => {
                let name = &entry.spec.name;
                tracing::warn!(%name, %failure, "the sources of a replication cannot be asked");
                entry.probe_failure = Some(failure);
                (ProbeResult::Failed, Vec::new())
            }
        }
    }
}

fn split(
    actions: Vec<StandingAction>,
) -> (Vec<deepclone_core::standing::StandingFact>, Vec<StandingAction>) {
    let (mut facts, mut others) = (Vec::new(), Vec::new());
    for action in actions {
        match action {
            StandingAction::Record(fact) => facts.push(fact),
            other => others.push(other),
        }
    }
    (facts, others)
}
