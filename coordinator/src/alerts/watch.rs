//! Looks every few seconds at what is so, and shows it to the receivers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::clock::Clock;
use deepclone_common::metrics::labelled::Counters;
use deepclone_common::webhook_settings::Webhook;
use deepclone_core::alert::AlertRecord;
use deepclone_core::failure::Failure;
use deepclone_core::ids::Epoch;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::kept;
use super::lone_syncs::LoneSyncs;
use super::receiver::{KeptIn, Receiver, SeenNow};
use super::sightings::sightings;
use crate::effects::Context;
use crate::observers::LoneEnd;
use crate::replications::message::{EngineMessage, Replications};
use crate::state::{ALERT_ROWS, StateError};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(5);
/// Ends of syncs that wait for it at the most.
const LONE_ENDS_MAX: usize = 1_024;
/// How long the engine may take to answer before nothing is known.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Receivers that are told of alerts once a coordinator is up.
pub struct PlannedAlerts {
    webhooks: Vec<Webhook>,
    messages: Counters,
    lone_ends: mpsc::Receiver<LoneEnd>,
}

/// What tells receivers of alerts; it ends when this is dropped.
#[derive(Debug)]
pub struct Alerts {
    _tasks: JoinSet<()>,
}

impl PlannedAlerts {
    /// Plans to tell these, and returns what takes the ends of syncs that are of no replication.
    #[must_use]
    pub fn new(
        webhooks: Vec<Webhook>,
        messages: &Counters,
    ) -> (Self, Option<mpsc::Sender<LoneEnd>>) {
        let (sender, lone_ends) = mpsc::channel(LONE_ENDS_MAX);
        let sender = (!webhooks.is_empty()).then_some(sender);
        (Self { webhooks, messages: messages.clone(), lone_ends }, sender)
    }

    /// Starts to tell them.
    ///
    /// # Errors
    /// What was told cannot be read, or a client cannot be made.
    pub async fn start(
        self,
        context: &Context,
        epoch: Epoch,
        replications: &Replications,
    ) -> Result<Alerts, Failure> {
        let Self { webhooks, messages, lone_ends } = self;
        let kept = recalled(context, epoch, &webhooks).await;
        let mut kept = kept.map_err(|error| error.failure())?;
        let mut tasks = JoinSet::new();
        if webhooks.is_empty() {
            return Ok(Alerts { _tasks: tasks });
        }
        let mut lone_syncs = LoneSyncs::default();
        let lasts = |record: &&AlertRecord| record.gone_since.is_none();
        for record in kept.values().flatten().filter(lasts) {
            lone_syncs.recall(record.cause.clone(), record.detail.clone());
        }
        let (show, seen) = watch::channel(None);
        for webhook in &webhooks {
            let store = Arc::clone(&context.store);
            let kept_in = KeptIn { store, epoch, clock: context.clock };
            let kept = kept.remove(&webhook.name).unwrap_or_default();
            let receiver = Receiver::new(webhook, kept, kept_in, messages.clone());
            let receiver = receiver.map_err(|what| {
                let message = format!("webhook {:?}: {what}", webhook.name);
                Failure::new(Reason::InvalidArgument, message)
            })?;
            tasks.spawn(receiver.serve(seen.clone()));
        }
        let (clock, replications) = (context.clock, replications.clone());
        tasks.spawn(look(clock, replications, lone_syncs, lone_ends, show));
        Ok(Alerts { _tasks: tasks })
    }
}

/// Reads what receivers were told, and drops what nobody needs of it.
async fn recalled(
    context: &Context,
    epoch: Epoch,
    webhooks: &[Webhook],
) -> Result<BTreeMap<String, Vec<AlertRecord>>, StateError> {
    let names: Vec<&str> = webhooks.iter().map(|webhook| &*webhook.name).collect();
    let (records, useless) = kept::read(context.store.rows_of_kind(ALERT_ROWS).await?, &names);
    if !useless.is_empty() {
        context.store.change_rows(epoch, &useless).await?;
    }
    Ok(records)
}

/// Looks until the coordinator stops.
async fn look(
    clock: Clock,
    replications: Replications,
    mut lone_syncs: LoneSyncs,
    mut lone_ends: mpsc::Receiver<LoneEnd>,
    show: watch::Sender<Option<Arc<SeenNow>>>,
) {
    let started = UnixTime(clock.now_ms());
    let mut ticks = tokio::time::interval_at(Instant::now() + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let fleet = replications.ask(EngineMessage::Fleet);
        if let Ok(Ok(fleet)) = tokio::time::timeout(ANSWER_MAX, fleet).await {
            let mut sightings = sightings(&fleet, started);
            lone_syncs.add_to(&mut sightings);
            let at = UnixTime(clock.now_ms());
            show.send_replace(Some(Arc::new(SeenNow { at, sightings })));
        }
        tokio::select! {
            _ = ticks.tick() => {}
            end = lone_ends.recv() => match end {
                Some(end) => lone_syncs.ended(end),
                // Nobody makes syncs any more.
                None => return,
            }
        }
    }
}
