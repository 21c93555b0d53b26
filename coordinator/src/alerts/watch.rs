//! Looks every few seconds at what is so, and shows it to the receivers, which come and go with the
//! configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::clock::Clock;
use deepclone_common::connections::Replaced;
use deepclone_common::metrics::labelled::Counters;
use deepclone_common::webhook_settings::Webhook;
use deepclone_core::alert::AlertRecord;
use deepclone_core::failure::Failure;
use deepclone_core::ids::Epoch;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::kept;
use super::lone_syncs::LoneSyncs;
use super::receiver::{KeptIn, MessageChannel, Receiver, SeenNow};
use super::sightings::sightings;
use crate::effects::Context;
use crate::observers::LoneEnd;
use crate::replications::message::{EngineMessage, Replications};
use crate::state::{ALERT_ROWS, StateError};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(5);
/// The least time between two looks: ends of syncs that come meanwhile are judged together.
const PAUSE_MIN: Duration = Duration::from_secs(1);
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
pub struct Alerts {
    kept_in: KeptIn,
    messages: Counters,
    show: Arc<ShownNow>,
    receivers: BTreeMap<String, RunningReceiver>,
    _look: AbortOnDropHandle<()>,
}

/// What is so, for the receivers.
pub(super) type ShownNow = watch::Sender<Option<Arc<SeenNow>>>;

struct RunningReceiver {
    webhook: Webhook,
    task: AbortOnDropHandle<()>,
}

/// Receivers whose clients are made.
pub struct PreparedReceivers(Vec<(Webhook, MessageChannel)>);

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alerts").field(&self.receivers.keys()).finish()
    }
}

impl PlannedAlerts {
    /// Plans to tell these, and returns what takes the ends of syncs that are of no replication.
    #[must_use]
    pub fn new(webhooks: Vec<Webhook>, messages: &Counters) -> (Self, mpsc::Sender<LoneEnd>) {
        let (sender, lone_ends) = mpsc::channel(LONE_ENDS_MAX);
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
        let (store, clock) = (Arc::clone(&context.store), context.clock);
        let kept_in = KeptIn { store, epoch, clock };
        let kept = recalled(&kept_in, &webhooks).await.map_err(|error| error.failure())?;
        let mut lone_syncs = LoneSyncs::default();
        let lasts = |record: &&AlertRecord| record.gone_since.is_none();
        for record in kept.values().flatten().filter(lasts) {
            lone_syncs.recall(record.cause.clone(), record.detail.clone());
        }
        let show = Arc::new(watch::channel(None).0);
        let look = look(clock, replications.clone(), lone_syncs, lone_ends, Arc::clone(&show));
        let mut alerts = Alerts {
            kept_in,
            messages,
            show,
            receivers: BTreeMap::new(),
            _look: AbortOnDropHandle::new(tokio::spawn(look)),
        };
        let prepared = alerts.prepare(webhooks)?;
        alerts.replace_with(prepared, kept).await;
        Ok(alerts)
    }
}

impl Alerts {
    /// Makes the clients of these receivers.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the webhook whose client cannot be made.
    pub fn prepare(&self, webhooks: Vec<Webhook>) -> Result<PreparedReceivers, Failure> {
        let prepared = webhooks.into_iter().map(|webhook| {
            let channel = MessageChannel::new(&webhook).map_err(|what| {
                let message = format!("webhook {:?}: {what}", webhook.name);
                Failure::new(Reason::InvalidArgument, message)
            })?;
            Ok((webhook, channel))
        });
        prepared.collect::<Result<_, _>>().map(PreparedReceivers)
    }

    /// Tells these from now on, and no others. One that stays as it was goes on with what it is
    /// being told; any other goes on with what it was told.
    pub async fn replace(&mut self, prepared: PreparedReceivers) -> Replaced {
        let webhooks: Vec<_> = prepared.0.iter().map(|(webhook, _)| webhook.clone()).collect();
        let kept = recalled(&self.kept_in, &webhooks).await.unwrap_or_else(|error| {
            tracing::warn!("an alert may be repeated: {}", error.failure());
            BTreeMap::new()
        });
        self.replace_with(prepared, kept).await
    }

    async fn replace_with(
        &mut self,
        prepared: PreparedReceivers,
        mut kept: BTreeMap<String, Vec<AlertRecord>>,
    ) -> Replaced {
        let mut replaced = Replaced::default();
        let names: BTreeSet<_> =
            prepared.0.iter().map(|(webhook, _)| webhook.name.clone()).collect();
        let known: Vec<String> = self.receivers.keys().cloned().collect();
        for name in known.into_iter().filter(|name| !names.contains(name)) {
            self.receivers.remove(&name);
            replaced.removed.push(name);
        }
        for (webhook, channel) in prepared.0 {
            let name = webhook.name.clone();
            match self.receivers.remove(&name) {
                Some(same) if same.webhook == webhook => {
                    self.receivers.insert(name, same);
                    continue;
                }
                Some(other) => {
                    other.task.abort();
                    // It tells nobody any more before another one does.
                    let _aborted = other.task.await;
                    replaced.changed.push(name.clone());
                }
                None => replaced.added.push(name.clone()),
            }
            let kept = kept.remove(&name).unwrap_or_default();
            let (kept_in, messages) = (self.kept_in.clone(), self.messages.clone());
            let receiver = Receiver::new((&webhook, channel), kept, kept_in, messages);
            let task = tokio::spawn(receiver.serve(self.show.subscribe()));
            let task = AbortOnDropHandle::new(task);
            self.receivers.insert(name, RunningReceiver { webhook, task });
        }
        replaced
    }
}

/// Reads what receivers were told, and drops what nobody needs of it.
async fn recalled(
    kept_in: &KeptIn,
    webhooks: &[Webhook],
) -> Result<BTreeMap<String, Vec<AlertRecord>>, StateError> {
    let KeptIn { store, epoch, .. } = kept_in;
    let (records, useless) = kept::read(store.rows_of_kind(ALERT_ROWS).await?, webhooks);
    if !useless.is_empty() {
        store.change_rows(*epoch, &useless).await?;
    }
    Ok(records)
}

/// Looks until the coordinator stops.
pub(super) async fn look(
    clock: Clock,
    replications: Replications,
    mut lone_syncs: LoneSyncs,
    mut lone_ends: mpsc::Receiver<LoneEnd>,
    show: Arc<ShownNow>,
) {
    let mut started = UnixTime(clock.now_ms());
    let mut ends = Vec::new();
    loop {
        let began = Instant::now();
        if show.receiver_count() > 0 {
            let fleet = replications.ask(EngineMessage::Fleet);
            if let Ok(Ok(fleet)) = tokio::time::timeout(ANSWER_MAX, fleet).await {
                // A clock that was set back is no reason to know nothing of what happens since.
                started = started.min(fleet.at);
                let mut sightings = sightings(&fleet, started);
                lone_syncs.add_to(&mut sightings);
                let at = UnixTime(clock.now_ms());
                show.send_replace(Some(Arc::new(SeenNow { at, sightings })));
            }
        }
        let mut until = began + INTERVAL;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => break,
                count = lone_ends.recv_many(&mut ends, LONE_ENDS_MAX) => {
                    if count == 0 {
                        // Nobody makes syncs any more.
                        return;
                    }
                    ends.drain(..).for_each(|end| lone_syncs.ended(end));
                    until = until.min(began + PAUSE_MIN);
                }
            }
        }
    }
}
