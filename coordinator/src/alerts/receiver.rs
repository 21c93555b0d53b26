//! One receiver: its book, and the messages that it is sent, one after another.

use std::sync::Arc;

use deepclone_common::clock::Clock;
use deepclone_common::metrics::labelled::Counters;
use deepclone_common::post::{PostError, Poster, pause_after};
use deepclone_common::secret::Secret;
use deepclone_common::webhook_settings::{Webhook, WebhookFormat};
use deepclone_core::alert::{
    AlertBook, AlertNotice, AlertPhase, AlertRecord, BookChanges, Sightings,
};
use deepclone_core::ids::Epoch;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::watch;

use super::kept;
use super::message::{generic, slack, trial};
use super::signature::signed;
use crate::state::{RowChange, Store};

/// Attempts at one message before it is given up: four minutes of pauses.
const ATTEMPTS_MAX: u32 = 10;

/// What is so, with its time.
#[derive(Debug)]
pub(super) struct SeenNow {
    pub(super) at: UnixTime,
    pub(super) sightings: Sightings,
}

/// The newest of that; `None` before the first.
pub(super) type SeenNews = watch::Receiver<Option<Arc<SeenNow>>>;

/// Where what is told is kept.
#[derive(Clone)]
pub(super) struct KeptIn {
    pub(super) store: Arc<dyn Store>,
    pub(super) epoch: Epoch,
    pub(super) clock: Clock,
}

/// One of the webhooks, with what it was told.
pub(super) struct Receiver {
    name: String,
    channel: MessageChannel,
    book: AlertBook,
    kept_in: KeptIn,
    messages: Counters,
    /// Causes that had no place when it was looked last.
    dropped: usize,
}

/// How messages reach a receiver, and what they look like.
pub(super) struct MessageChannel {
    poster: Poster,
    format: WebhookFormat,
    secret: Option<Secret>,
}

/// Sends one message that says that it is a trial.
///
/// # Errors
/// Why it was not taken; no secret is shown.
pub async fn try_webhook(webhook: &Webhook, now: UnixTime) -> Result<(), String> {
    let channel = MessageChannel::new(webhook)?;
    let body = trial(&webhook.name, webhook.format, now).to_string();
    channel.send_body(body, now).await.map_err(|error| error.to_string())
}

impl MessageChannel {
    /// # Errors
    /// The client cannot be made.
    pub(super) fn new(webhook: &Webhook) -> Result<Self, String> {
        let poster = Poster::new(webhook.address.clone())?;
        Ok(Self { poster, format: webhook.format, secret: webhook.secret.clone() })
    }

    /// Makes the n-th attempt to send a notice.
    pub(super) async fn send(
        &self,
        notice: &AlertNotice,
        attempt: u32,
        now: UnixTime,
    ) -> Result<(), PostError> {
        let body = match self.format {
            WebhookFormat::Generic => generic(notice, attempt, now),
            WebhookFormat::Slack => slack(notice),
        };
        self.send_body(body.to_string(), now).await
    }

    async fn send_body(&self, body: String, now: UnixTime) -> Result<(), PostError> {
        let signed = self.secret.as_ref().map(|secret| signed(secret, now, &body));
        let headers = signed.into_iter().flatten();
        let headers: Vec<_> = headers.map(|(name, value)| (name, Secret::new(value))).collect();
        self.poster.post(&headers, body).await
    }
}

impl Receiver {
    pub(super) fn new(
        (webhook, channel): (&Webhook, MessageChannel),
        kept: Vec<AlertRecord>,
        kept_in: KeptIn,
        messages: Counters,
    ) -> Self {
        let new = Self {
            name: webhook.name.clone(),
            channel,
            book: AlertBook::new(webhook.policy.clone(), kept),
            kept_in,
            messages,
            dropped: 0,
        };
        for outcome in ["sent", "given_up"] {
            new.count(outcome, 0);
        }
        new
    }

    /// Tells what is so, until nobody looks any more.
    pub(super) async fn serve(mut self, mut seen: SeenNews) {
        while seen.changed().await.is_ok() {
            self.look(&mut seen).await;
            while let Some(notice) = self.book.next(self.now()) {
                self.tell(notice).await;
                self.look(&mut seen).await;
            }
        }
    }

    async fn look(&mut self, seen: &mut SeenNews) {
        let Some(seen) = seen.borrow_and_update().clone() else { return };
        let BookChanges { kept, forgotten, dropped } = self.book.observe(seen.at, &seen.sightings);
        if dropped > self.dropped {
            self.count("dropped", (dropped - self.dropped) as u64);
            tracing::warn!(webhook = self.name, dropped, "alerts are not told: there are too many");
        }
        self.dropped = dropped;
        let kept = kept.iter().map(|record| kept::kept(&self.name, record));
        let gone = forgotten.iter().map(|cause| kept::gone(&self.name, cause));
        let changes: Vec<RowChange> = kept.chain(gone).collect();
        self.keep(&changes).await;
    }

    /// Sends a notice until it is taken, or given up. That it is sent is kept before, and that it
    /// was after, so that a repeat has the same id.
    async fn tell(&mut self, notice: AlertNotice) {
        if notice.phase == AlertPhase::Raised {
            self.keep(&[kept::kept(&self.name, &notice.record)]).await;
        }
        self.deliver(&notice).await;
        let told = match self.book.told(&notice) {
            Some(record) => kept::kept(&self.name, record),
            None => kept::gone(&self.name, &notice.record.cause),
        };
        self.keep(&[told]).await;
    }

    async fn deliver(&self, notice: &AlertNotice) {
        let (webhook, id, event) = (&*self.name, notice.id(), notice.event());
        for attempt in 1.. {
            let error = match self.channel.send(notice, attempt, self.now()).await {
                Ok(()) => {
                    self.count("sent", 1);
                    tracing::info!(webhook, id, event, attempt, "alert sent");
                    return;
                }
                Err(error) => error,
            };
            if matches!(error, PostError::Refused(_)) || attempt == ATTEMPTS_MAX {
                self.count("given_up", 1);
                let receiver = self.channel.poster.address();
                tracing::error!(webhook, id, event, attempt, %receiver, %error, "alert not sent");
                return;
            }
            self.count("repeated", 1);
            tracing::debug!(webhook, id, event, attempt, %error, "an alert is sent again");
            tokio::time::sleep(pause_after(attempt)).await;
        }
    }

    async fn keep(&self, changes: &[RowChange]) {
        if changes.is_empty() {
            return;
        }
        let KeptIn { store, epoch, .. } = &self.kept_in;
        if let Err(error) = store.change_rows(*epoch, changes).await {
            let failure = error.failure();
            tracing::warn!(webhook = self.name, %failure, "a restart may repeat an alert");
        }
    }

    fn now(&self) -> UnixTime {
        UnixTime(self.kept_in.clock.now_ms())
    }

    fn count(&self, outcome: &str, count: u64) {
        self.messages.with(&[&self.name, outcome]).inc_by(count);
    }
}
