//! What is told of each moment, and how it is told to receivers that fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use deepclone_common::connections::Resolved;
use deepclone_common::lineage_settings::LineageSettings;
use deepclone_common::metrics::labelled::Counters;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, ReplicationId};
use deepclone_core::limits::{LINEAGE_EVENT_BYTES_MAX, LINEAGE_EVENTS_WAITING_MAX};
use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::v1;
use serde_json::{Value, json};
use uuid::Uuid;

use super::moment::*;
use super::*;
use crate::state::{JobOrigin, JobRound, JobSpec};

const AT: UnixTime = UnixTime(1_793_721_600_500);
const SLOT: UnixTime = UnixTime(1_793_721_600_000);
const SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"id","type":"long","metadata":{}}]}"#;

fn job_spec(origin: Option<JobOrigin>) -> Arc<JobSpec> {
    let table = |uri: &str| Some(v1::TableRef { uri: uri.to_owned(), ..Default::default() });
    let wire = v1::CloneSpec {
        source: table("s3://lake/sales/orders"),
        target: table("az://dr/sales/orders"),
        ..Default::default()
    };
    let side = |uri: &str| Resolved {
        connection: "c".to_owned(),
        fingerprint: [0; 32],
        root: "sales/orders".to_owned(),
        uri: uri.to_owned(),
    };
    Arc::new(JobSpec {
        spec: CloneSpec::try_from(wire).unwrap(),
        source: side("s3://lake/sales/orders"),
        target: side("az://dr/sales/orders"),
        claim: None,
        origin,
        submitter: None,
    })
}

fn origin() -> JobOrigin {
    JobOrigin {
        replication: "lake-dr".to_owned(),
        id: Some(ReplicationId(Uuid::from_u128(8))),
        round: Some(JobRound { number: 3, slot: Some(SLOT) }),
        ..JobOrigin::default()
    }
}

fn sync(step: SyncStep, origin: Option<JobOrigin>, schema: Option<String>) -> LineageMoment {
    let source_version = (step != SyncStep::Started).then_some(7);
    let job = JobId(Uuid::from_u128(1));
    let job_spec = job_spec(origin);
    LineageMoment {
        at: AT,
        of: LineageSubject::Sync(SyncMoment { job, job_spec, source_version, schema, step }),
    }
}

/// The end of a sync of a table with this schema.
pub(super) fn completed_with(schema: String) -> LineageMoment {
    sync(completed(), None, Some(schema))
}

fn completed() -> SyncStep {
    let written = SyncWritten { files: 2, bytes: 900 };
    SyncStep::Completed { replica_version: 4, written }
}

fn round(step: RoundStep) -> LineageMoment {
    let replication = "lake-dr".to_owned();
    let id = ReplicationId(Uuid::from_u128(8));
    let of = RoundMoment { replication, id, number: 3, slot: Some(SLOT), step };
    LineageMoment { at: AT, of: LineageSubject::Round(of) }
}

/// A value of an event by its path.
fn at(event: &Value, path: &str) -> Value {
    event.pointer(path).cloned().unwrap_or(Value::Null)
}

#[test]
fn each_moment_is_the_event_that_the_specification_names() {
    let failure = Failure::new(Reason::PermissionDenied, "GET https://a/b?sig=hunter2: 403");
    for (moment, kind, version, written) in [
        (sync(SyncStep::Started, Some(origin()), None), "START", json!(null), json!(null)),
        (sync(completed(), Some(origin()), None), "COMPLETE", json!("4"), json!(900)),
        (sync(SyncStep::Failed(failure), Some(origin()), None), "FAIL", json!(null), json!(null)),
        (sync(SyncStep::Cancelled, Some(origin()), None), "ABORT", json!(null), json!(null)),
        (round(RoundStep::Started), "START", json!(null), json!(null)),
        (round(RoundStep::Completed), "COMPLETE", json!(null), json!(null)),
        (round(RoundStep::Failed("a table".to_owned())), "FAIL", json!(null), json!(null)),
    ] {
        let event = run_event("prod", &moment);
        assert_eq!(event["eventType"], kind);
        assert_eq!(event["eventTime"], "2026-11-03T16:00:00.5Z");
        assert_eq!(at(&event, "/job/namespace"), "prod");
        assert_eq!(at(&event, "/outputs/0/facets/version/datasetVersion"), version, "{event}");
        assert_eq!(at(&event, "/outputs/0/outputFacets/outputStatistics/size"), written);
        let error = at(&event, "/run/facets/errorMessage/message");
        assert_eq!(error.is_string(), kind == "FAIL", "{event}");
        let nominal = at(&event, "/run/facets/nominalTime/nominalStartTime");
        assert_eq!(nominal, "2026-11-03T16:00:00Z");
        assert!(!event.to_string().contains("hunter2"), "{event}");
    }
}

#[test]
fn a_sync_names_its_tables_its_versions_and_its_round() {
    let event = run_event("prod", &sync(completed(), Some(origin()), Some(SCHEMA.to_owned())));
    for (path, expected) in [
        ("/run/runId", json!("00000000-0000-0000-0000-000000000001")),
        ("/job/name", json!("lake-dr.sales/orders")),
        ("/job/facets/jobType/integration", json!("DEEPCLONE")),
        ("/inputs/0/namespace", json!("s3://lake")),
        ("/inputs/0/name", json!("sales/orders")),
        ("/inputs/0/facets/version/datasetVersion", json!("7")),
        ("/inputs/0/facets/storage/storageLayer", json!("delta")),
        ("/inputs/0/facets/schema/fields/0/type", json!("long")),
        ("/outputs/0/namespace", json!("az://dr")),
        ("/outputs/0/facets/schema/fields/0/name", json!("id")),
        ("/outputs/0/outputFacets/outputStatistics/fileCount", json!(2)),
        ("/run/facets/parent/job/name", json!("lake-dr")),
    ] {
        assert_eq!(at(&event, path), expected, "{path} of {event:#}");
    }
    let parent = at(&event, "/run/facets/parent/run/runId");
    assert_eq!(parent, at(&run_event("prod", &round(RoundStep::Started)), "/run/runId"));
    let own = run_event("prod", &sync(completed(), None, None));
    assert_eq!(at(&own, "/job/name"), "az://dr/sales/orders");
    assert_eq!(at(&own, "/run/facets/parent"), Value::Null);
    // What failed says nothing of the replica's columns.
    let failed = sync(SyncStep::Cancelled, None, Some(SCHEMA.to_owned()));
    let failed = run_event("prod", &failed);
    assert_eq!(at(&failed, "/outputs/0/facets/schema"), Value::Null);
    assert!(at(&failed, "/inputs/0/facets/schema").is_object());
}

#[test]
fn an_event_that_would_be_too_large_goes_without_its_columns() {
    let column = format!(r#"{{"name":"{}","type":"long"}}"#, "a".repeat(LINEAGE_EVENT_BYTES_MAX));
    let schema = format!(r#"{{"fields":[{column}]}}"#);
    let event = run_event("prod", &sync(completed(), None, Some(schema)));
    assert!(event.to_string().len() < 10_000);
    assert_eq!(at(&event, "/inputs/0/facets/version/datasetVersion"), "7");
}

/// What a receiver was sent: the key and the event.
type Received = Arc<Mutex<Vec<(String, Value)>>>;

/// Serves an address that gives these answers, then takes everything.
async fn receiver(mut answers: Vec<StatusCode>) -> (String, Received) {
    let received = Received::default();
    let seen = Arc::clone(&received);
    answers.reverse();
    let answers = Arc::new(Mutex::new(answers));
    let take = move |headers: HeaderMap, body: String| {
        let key = headers.get("authorization").map(|key| key.to_str().unwrap().to_owned());
        let event = serde_json::from_str(&body).unwrap();
        seen.lock().unwrap().push((key.unwrap_or_default(), event));
        let answer = answers.lock().unwrap().pop().unwrap_or(StatusCode::CREATED);
        async move { answer }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1/lineage", listener.local_addr().unwrap());
    let router = Router::new().route("/api/v1/lineage", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, received)
}

fn counters() -> Counters {
    Counters::new(&["sink", "outcome"])
}

fn lineage(settings: LineageSettings, events: &Counters) -> Lineage {
    Lineage::start(settings.target().unwrap(), events).unwrap()
}

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_event_is_sent_again_until_it_is_taken_and_in_order() {
    let failing = StatusCode::INTERNAL_SERVER_ERROR;
    let (url, received) = receiver(vec![failing, StatusCode::TOO_MANY_REQUESTS]).await;
    let events = counters();
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = LineageSettings {
        url: Some(deepclone_common::secret::Secret::new(url)),
        api_key: Some(deepclone_common::secret::Secret::new("k")),
        file: Some(file.path().to_owned()),
        ..LineageSettings::default()
    };
    let lineage = lineage(settings, &events);
    lineage.tell(sync(SyncStep::Started, None, None));
    lineage.tell(sync(completed(), None, None));
    lineage.drain(PATIENCE).await;
    let seen = received.lock().unwrap().clone();
    let kinds: Vec<_> = seen.iter().map(|(key, event)| (&**key, &event["eventType"])).collect();
    let expected = ["START", "START", "START", "COMPLETE"].map(|kind| json!(kind));
    assert_eq!(kinds, expected.iter().map(|kind| ("Bearer k", kind)).collect::<Vec<_>>());
    assert_eq!(events.with(&["http", "sent"]).get(), 2);
    let lines = std::fs::read_to_string(file.path()).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [seen[2].1.clone(), seen[3].1.clone()]);
}

#[tokio::test]
async fn an_event_that_is_refused_is_given_up_at_once() {
    let (url, received) = receiver(vec![StatusCode::BAD_REQUEST]).await;
    let events = counters();
    let url = Some(deepclone_common::secret::Secret::new(url));
    let lineage = lineage(LineageSettings { url, ..LineageSettings::default() }, &events);
    lineage.tell(sync(SyncStep::Started, None, None));
    lineage.tell(sync(SyncStep::Cancelled, None, None));
    lineage.drain(PATIENCE).await;
    assert_eq!(received.lock().unwrap().len(), 2);
    assert_eq!(events.with(&["http", "failed"]).get(), 1);
    assert_eq!(events.with(&["http", "sent"]).get(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_down_holds_nobody_up_and_what_is_too_much_is_counted() {
    // Nothing listens there, or it never answers: the queue fills.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let events = counters();
    let url = Some(deepclone_common::secret::Secret::new(url));
    let lineage = lineage(LineageSettings { url, ..LineageSettings::default() }, &events);
    for _ in 0..LINEAGE_EVENTS_WAITING_MAX + 10 {
        lineage.tell(sync(SyncStep::Started, None, None));
    }
    // The task has not run yet: as many wait as may.
    assert_eq!(events.with(&["http", "dropped"]).get(), 10);
    lineage.drain(Duration::from_millis(10)).await;
}
