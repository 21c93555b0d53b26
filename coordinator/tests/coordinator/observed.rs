//! Each call has an id that leads to the record of changes, and is counted by its name and code.

use std::time::Duration;

use deepclone_proto::v1;
use deepclone_proto::v1::audit_service_client::AuditServiceClient;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::guarded::Guarded;
use crate::support::{Lake, registration};

const HEADER: &str = "x-request-id";

impl Guarded {
    /// The value of a series of `/metrics`; 0 for one that is not shown.
    async fn value(&self, series: &str) -> u64 {
        let (_, viewer) = self.tokens.iter().find(|(of, _)| *of == "viewer").unwrap();
        let text = self.http("GET", "/metrics", Some(&format!("Bearer {viewer}"))).await;
        assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
        let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.map_or(0, |number| number.parse().unwrap())
    }

    /// Waits until a series has this value: a call is counted after its answer was sent.
    async fn becomes(&self, series: &str, expected: u64) {
        let wait = async {
            while self.value(series).await != expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(came.is_ok(), "{series} is {}, not {expected}", self.value(series).await);
    }
}

fn with_id<T>(mut request: Request<T>, id: &str) -> Request<T> {
    if !id.is_empty() {
        request.metadata_mut().insert(HEADER, id.parse().unwrap());
    }
    request
}

fn id(metadata: &MetadataMap) -> String {
    metadata.get(HEADER).expect("each answer has an id").to_str().unwrap().to_owned()
}

fn id_of<T>(answer: &Result<Response<T>, Status>) -> String {
    match answer {
        Ok(answer) => id(answer.metadata()),
        Err(status) => id(status.metadata()),
    }
}

#[tokio::test]
async fn an_id_comes_back_and_is_on_record() {
    let lake = Lake::new();
    lake.commit("orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let create = |of: &str, id: &str| {
        let spec = Some(lake.spec("orders", "copy"));
        let job = Some(v1::Job { spec, ..v1::Job::default() });
        with_id(guarded.by(of, v1::CreateJobRequest { job, ..Default::default() }), id)
    };
    let longest = "a".repeat(64);
    for (sent, is_kept) in [
        ("airflow:dag_7.run-2", true),
        (longest.as_str(), true),
        (&format!("{longest}a"), false),
        ("two words", false),
        ("", false),
    ] {
        for of in ["submitter", "viewer", "wrong"] {
            let found = id_of(&jobs.create_job(create(of, sent)).await);
            assert_eq!(found == sent, is_kept, "{of}: {found:?} for {sent:?}");
            assert!(found.len() >= 19 && !found.contains(' '), "{found:?}");
        }
    }
    let made = jobs.create_job(create("submitter", "made-here")).await.unwrap().into_inner();
    id_of(&jobs.create_job(create("viewer", "refused-here")).await);
    let mut audit = AuditServiceClient::new(guarded.channel.clone());
    let on_record = loop {
        let message = v1::ListAuditEventsRequest { page_size: 200, ..Default::default() };
        let page = audit.list_audit_events(guarded.by("operator", message)).await.unwrap();
        let events = page.into_inner().events;
        if events.iter().any(|event| event.request_id == "refused-here") {
            break events;
        }
        tokio::task::yield_now().await;
    };
    let of = |id: &str| on_record.iter().find(|event| event.request_id == id).unwrap();
    assert_eq!(of("made-here").resource, made.name);
    assert_eq!(of("refused-here").outcome, "ACCESS_DENIED");
    assert!(on_record.iter().all(|event| !event.request_id.is_empty()), "{on_record:?}");
    guarded.stop().await;
}

#[tokio::test]
async fn calls_are_counted_by_name_and_code_and_streams_while_they_are_open() {
    let lake = Lake::new();
    lake.commit("orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let calls = |method: &str, code: &str| {
        format!("deepclone_calls_total{{method=\"{method}\",code=\"{code}\"}}")
    };
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let name = format!("jobs/{}", uuid::Uuid::nil());
    for of in ["viewer", "viewer", "wrong"] {
        let look = v1::GetJobRequest { name: name.clone() };
        jobs.get_job(guarded.by(of, look)).await.unwrap_err();
    }
    guarded.becomes(&calls("JobService/GetJob", "NOT_FOUND"), 2).await;
    guarded.becomes(&calls("JobService/GetJob", "UNAUTHENTICATED"), 1).await;
    let seconds = "deepclone_call_duration_seconds_count{method=\"JobService/GetJob\"}";
    guarded.becomes(seconds, 3).await;
    // Whatever is sent, there is no series for a name that nobody knows.
    guarded.refusal("/deepclone.v1.JobService/DropJob", "operator").await;
    guarded.becomes(&calls("other", "PERMISSION_DENIED"), 1).await;
    let spec = Some(lake.spec("orders", "copy"));
    let job = Some(v1::Job { spec, ..v1::Job::default() });
    let create = v1::CreateJobRequest { job, ..Default::default() };
    let made = jobs.create_job(guarded.by("submitter", create)).await.unwrap().into_inner();
    guarded.becomes(&calls("JobService/CreateJob", "OK"), 1).await;
    let watch = v1::WatchJobRequest { name: made.name.clone() };
    let mut stream = jobs.watch_job(guarded.by("viewer", watch)).await.unwrap().into_inner();
    stream.message().await.unwrap();
    let open = "deepclone_calls_open{method=\"JobService/WatchJob\"}";
    guarded.becomes(open, 1).await;
    assert_eq!(guarded.value(&calls("JobService/WatchJob", "OK")).await, 0);
    // Its caller hangs up.
    drop(stream);
    guarded.becomes(open, 0).await;
    guarded.becomes(&calls("JobService/WatchJob", "CANCELLED"), 1).await;
    let watch = v1::WatchJobRequest { name: made.name.clone() };
    let mut stream = jobs.watch_job(guarded.by("viewer", watch)).await.unwrap().into_inner();
    let cancel = v1::CancelJobRequest { name: made.name };
    jobs.cancel_job(guarded.by("submitter", cancel)).await.unwrap();
    while stream.message().await.unwrap().is_some() {}
    guarded.becomes(&calls("JobService/WatchJob", "OK"), 1).await;
    guarded.stop().await;
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let lake = Lake::new();
    let guarded = Guarded::start(&lake).await;
    let mut dispatch = DispatchServiceClient::new(guarded.channel.clone());
    let offer = registration(&lake, "w");
    let old = v1::RegisterWorkerRequest { protocol_min: 7, protocol_max: 9, ..offer.clone() };
    for (of, offer, reason) in [
        ("worker", &old, Some("INVALID_ARGUMENT")),
        ("narrow", &offer, Some("ACCESS_DENIED")),
        ("wrong", &offer, Some("UNAUTHENTICATED")),
        ("worker", &offer, None),
    ] {
        let answer = dispatch.register_worker(guarded.by(of, offer.clone())).await;
        assert_eq!(answer.is_ok(), reason.is_none(), "{of}: {answer:?}");
        if let Some(reason) = reason {
            let series = format!("deepclone_workers_refused_total{{reason=\"{reason}\"}}");
            guarded.becomes(&series, 1).await;
        }
    }
    guarded.becomes("deepclone_workers_registered_total", 1).await;
    // The registration, and what was refused of all callers.
    for (outcome, count) in
        [("OK", 1), ("ACCESS_DENIED", 1), ("UNAUTHENTICATED", 1), ("INVALID_ARGUMENT", 1)]
    {
        let series = format!("deepclone_audit_entries_total{{outcome=\"{outcome}\"}}");
        guarded.becomes(&series, count).await;
    }
    guarded.stop().await;
}
