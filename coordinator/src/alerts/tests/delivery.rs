//! A real receiver that is slow, answers errors, and then takes a message.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use deepclone_common::clock::Clock;
use deepclone_common::metrics::labelled::Counters;
use deepclone_common::post::PostAddress;
use deepclone_common::secret::Secret;
use deepclone_common::webhook_settings::{Webhook, WebhookFormat};
use deepclone_core::alert::{AlertCause, AlertDetail, AlertKind, AlertRecord, Sightings};
use deepclone_core::ids::Epoch;
use deepclone_core::unix_time::UnixTime;
use ring::hmac;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::super::kept;
use super::super::receiver::{KeptIn, MessageChannel, Receiver, SeenNow};
use crate::state::{ALERT_ROWS, Place, SqliteStore, Store};

const SECRET: &str = "0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver does with one message.
#[derive(Clone, Copy)]
enum Does {
    Answers(StatusCode),
    /// It answers too late.
    Waits,
}

/// A receiver: what it is sent arrives at the channel, with whether its signature is right.
struct Site {
    url: String,
    messages: mpsc::UnboundedReceiver<(Value, bool)>,
}

async fn site(plan: Vec<Does>) -> Site {
    site_at(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), plan)
}

fn site_at(listener: tokio::net::TcpListener, mut plan: Vec<Does>) -> Site {
    let (sender, messages) = mpsc::unbounded_channel();
    plan.reverse();
    let plan = Arc::new(Mutex::new(plan));
    let take = move |headers: HeaderMap, body: String| {
        let sent = (serde_json::from_str(&body).unwrap(), is_signed(&headers, &body));
        sender.send(sent).unwrap();
        let does = plan.lock().unwrap().pop().unwrap_or(Does::Answers(StatusCode::OK));
        async move {
            match does {
                Does::Answers(status) => status,
                Does::Waits => {
                    tokio::time::sleep(PATIENCE).await;
                    StatusCode::OK
                }
            }
        }
    };
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Site { url, messages }
}

fn is_signed(headers: &HeaderMap, body: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(time), Some(signature)) = (text("deepclone-timestamp"), text("deepclone-signature"))
    else {
        return false;
    };
    let hex = signature.strip_prefix("v1=").unwrap();
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
    let bytes: Vec<u8> = bytes.map(Result::unwrap).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, format!("{time}.{body}").as_bytes(), &bytes).is_ok()
}

fn webhook(url: &str, format: WebhookFormat) -> Webhook {
    let mut webhook = super::webhook("oncall", AlertKind::ALL.into());
    webhook.address = PostAddress::new(&Secret::new(url), None).unwrap();
    webhook.address.time_max = Duration::from_millis(300);
    webhook.secret = (format == WebhookFormat::Generic).then(|| Secret::new(SECRET));
    Webhook { format, ..webhook }
}

/// A receiver's task with what it is shown.
struct Told {
    show: watch::Sender<Option<Arc<SeenNow>>>,
    serving: tokio::task::JoinHandle<()>,
    messages: Counters,
}

async fn told(webhook: &Webhook, store: &Arc<dyn Store>, epoch: Epoch) -> Told {
    let messages = Counters::new(&["webhook", "outcome"]);
    let rows = store.rows_of_kind(ALERT_ROWS).await.unwrap();
    let (mut kept, _) = kept::read(rows, std::slice::from_ref(webhook));
    let kept: Vec<AlertRecord> = kept.remove("oncall").unwrap_or_default();
    let kept_in = KeptIn { store: Arc::clone(store), epoch, clock: Clock::System };
    let channel = MessageChannel::new(webhook).unwrap();
    let receiver = Receiver::new((webhook, channel), kept, kept_in, messages.clone());
    let (show, seen) = watch::channel(None);
    Told { show, serving: tokio::spawn(receiver.serve(seen)), messages }
}

impl Told {
    /// Shows that these subjects fail, and no others.
    fn see(&self, subjects: &[&str]) {
        let mut sightings = Sightings::default();
        for subject in subjects {
            let (subject, reason) = ((*subject).to_owned(), "NO_WORKERS".to_owned());
            let cause = AlertCause { kind: AlertKind::SyncFailed, subject, reason };
            sightings.present.insert(cause, AlertDetail::default());
        }
        let at = UnixTime(Clock::System.now_ms());
        self.show.send_replace(Some(Arc::new(SeenNow { at, sightings })));
    }

    fn count(&self, outcome: &str) -> u64 {
        self.messages.with(&["oncall", outcome]).get()
    }
}

impl Site {
    async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(PATIENCE, self.messages.recv()).await;
        let (message, is_signed) = next.unwrap().unwrap();
        assert!(is_signed, "{message}");
        message
    }
}

async fn store() -> (Arc<dyn Store>, Epoch) {
    let store = SqliteStore::open(&Place::Private).await.unwrap();
    let epoch = store.lead(Epoch(1)).await.unwrap();
    (Arc::new(store), epoch)
}

#[tokio::test]
async fn a_message_is_sent_until_it_is_taken_once_for_its_cause_and_once_for_its_end() {
    let plan = [
        Does::Waits,
        Does::Answers(StatusCode::INTERNAL_SERVER_ERROR),
        Does::Answers(StatusCode::OK),
    ];
    let mut site = site(plan.to_vec()).await;
    let (store, epoch) = store().await;
    let told = told(&webhook(&site.url, WebhookFormat::Generic), &store, epoch).await;
    told.see(&["a"]);
    let mut attempts = Vec::new();
    for _ in 0..3 {
        attempts.push(site.next().await);
    }
    let numbers: Vec<_> = attempts.iter().map(|message| message["attempt"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(attempts.iter().all(|message| message["id"] == attempts[0]["id"]));
    // It lasts: nobody is told again. Another one begins, and the first ends.
    told.see(&["a"]);
    told.see(&["a", "b"]);
    assert_eq!(site.next().await["subject"], "b");
    told.see(&["b"]);
    let end = site.next().await;
    assert_eq!((&end["event"], &end["subject"]), (&"recovered".into(), &"a".into()));
    assert_eq!(end["alert_id"], attempts[0]["alert_id"]);
    assert_ne!(end["id"], attempts[0]["id"]);
    drop(told.show);
    told.serving.await.unwrap();
    assert!(site.messages.try_recv().is_err());
}

#[tokio::test]
async fn a_restart_repeats_nothing_and_tells_the_end_of_what_was_told_before() {
    let mut site = site(vec![]).await;
    let (store, epoch) = store().await;
    let webhook = webhook(&site.url, WebhookFormat::Generic);
    let first = told(&webhook, &store, epoch).await;
    first.see(&["a"]);
    let raised = site.next().await;
    drop(first.show);
    first.serving.await.unwrap();
    let again = told(&webhook, &store, epoch).await;
    again.see(&["a", "b"]);
    assert_eq!(site.next().await["subject"], "b");
    again.see(&["b"]);
    let end = site.next().await;
    assert_eq!((&end["event"], &end["alert_id"]), (&"recovered".into(), &raised["alert_id"]));
    drop(again.show);
    again.serving.await.unwrap();
    let rows = store.rows_of_kind(ALERT_ROWS).await.unwrap();
    assert_eq!(rows.len(), 1, "what is over is kept no more");
}

#[tokio::test]
async fn one_that_dies_before_its_message_is_taken_sends_it_again_under_the_same_id() {
    let mut site = site(vec![Does::Waits]).await;
    let (store, epoch) = store().await;
    let webhook = webhook(&site.url, WebhookFormat::Generic);
    let first = told(&webhook, &store, epoch).await;
    first.see(&["a"]);
    let raised = site.next().await;
    first.serving.abort();
    let again = told(&webhook, &store, epoch).await;
    again.see(&["a"]);
    assert_eq!(site.next().await["id"], raised["id"]);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_told_once_it_is_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (store, epoch) = store().await;
    let webhook = webhook(&format!("http://{address}/hook"), WebhookFormat::Generic);
    let told = told(&webhook, &store, epoch).await;
    told.see(&["a"]);
    while told.count("repeated") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut site = site_at(tokio::net::TcpListener::bind(address).await.unwrap(), vec![]);
    let message = site.next().await;
    assert_eq!(message["subject"], "a");
    assert!(message["attempt"].as_u64().unwrap() > 1, "{message}");
}

#[tokio::test]
async fn a_message_that_is_refused_is_given_up_and_others_follow() {
    let mut site = site(vec![Does::Answers(StatusCode::NOT_FOUND)]).await;
    let (store, epoch) = store().await;
    let told = told(&webhook(&site.url, WebhookFormat::Generic), &store, epoch).await;
    told.see(&["a"]);
    assert_eq!(site.next().await["subject"], "a");
    told.see(&["a", "b"]);
    assert_eq!(site.next().await["subject"], "b");
    assert_eq!(told.count("given_up"), 1);
}

#[tokio::test]
async fn slack_is_sent_a_text_without_a_signature() {
    let mut site = site(vec![]).await;
    let (store, epoch) = store().await;
    let told = told(&webhook(&site.url, WebhookFormat::Slack), &store, epoch).await;
    told.see(&["a"]);
    let next = tokio::time::timeout(PATIENCE, site.messages.recv()).await;
    let (message, is_signed) = next.unwrap().unwrap();
    assert!(!is_signed && message["text"].is_string(), "{message}");
    assert_eq!(message.as_object().unwrap().len(), 1);
}
