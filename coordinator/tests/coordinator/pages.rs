//! The pages of a coordinator that runs: what they show of its jobs and workers, and what they do.

use std::time::{Duration, Instant};

use deepclone_common::listener::Exposure;
use deepclone_coordinator::config::Settings;
use deepclone_coordinator::server::{Listeners, run};
use deepclone_coordinator::state::Place;
use deepclone_core::failure::Failure;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::replication_service_client::ReplicationServiceClient;
use deepclone_proto::v1::{self, replication_spec as wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Lake;

/// A coordinator that serves both its addresses.
struct Serving {
    grpc: String,
    http: String,
    stop: CancellationToken,
    running: JoinHandle<Result<(), Failure>>,
}

impl Serving {
    async fn start(lake: &Lake) -> Self {
        let settings = Settings {
            prices: deepclone_core::price::list_prices(),
            listen: "127.0.0.1:0".parse().unwrap(),
            http_listen: "127.0.0.1:0".parse().unwrap(),
            exposure: Exposure::Loopback,
            place: Place::Private,
            connections: (*lake.connections()).clone(),
            shared_object: None,
            hook_secret: None,
            tls: None,
            principals: None,
        };
        let listeners = Listeners::bind(&settings).await.unwrap();
        let grpc = format!("http://{}", listeners.grpc.address());
        let http = listeners.http.address().to_string();
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(settings, listeners, stop.clone(), || Ok(())));
        Self { grpc, http, stop, running }
    }

    async fn open(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.http).await.unwrap();
        let (host, length) = (&self.http, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn get(&self, path: &str) -> String {
        let mut text = String::new();
        self.open("GET", path, "").await.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Posts a form that a page has.
    async fn post(&self, page: &str, path: &str, more: &str) {
        let shown = self.get(page).await;
        let token =
            shown.split("name=\"token\" value=\"").nth(1).unwrap_or_else(|| panic!("{shown}"));
        let token = token.split('"').next().unwrap();
        let mut text = String::new();
        let body = format!("token={token}{more}");
        self.open("POST", path, &body).await.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 303 "), "{path}: {text}");
    }

    /// Waits until a page shows a text.
    async fn see(&self, path: &str, part: &str) {
        let began = Instant::now();
        loop {
            let text = self.get(path).await;
            if text.contains(part) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{part:?} is not in {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Creates a job that has something to copy, and returns the address of its page.
    async fn job(&self, lake: &Lake) -> String {
        let mut client = JobServiceClient::connect(self.grpc.clone()).await.unwrap();
        let job = v1::Job { spec: Some(lake.spec("a", "b")), ..Default::default() };
        let request = v1::CreateJobRequest { job: Some(job), ..Default::default() };
        format!("/{}", client.create_job(request).await.unwrap().into_inner().name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_held_released_and_cancelled_by_its_page() {
    let lake = Lake::new();
    lake.commit("a", 0, &[("a.parquet", b"a")]);
    let serving = Serving::start(&lake).await;
    serving.see("/jobs", "None has been asked for").await;
    serving.see("/workers", "No workers yet").await;
    let page = serving.job(&lake).await;
    serving.see(&page, "Waiting for workers: none that is live knows both connections.").await;
    let shown = serving.get(&page).await;
    assert!(shown.contains(">waiting and planning</th>"), "{shown}");
    assert!(shown.contains(">copying</th>"), "the plan has no time: {shown}");
    serving.post(&page, &format!("{page}/hold"), "").await;
    serving.see(&page, "Held: no worker gets a task of it for now.").await;
    serving.post(&page, &format!("{page}/release"), "").await;
    serving.see(&page, "Waiting for workers").await;
    serving.post(&format!("{page}/cancel"), &format!("{page}/cancel"), "").await;
    serving.see(&page, "Cancelled: the replica is as it was.").await;
    serving.see("/jobs?state=cancelled", &page).await;
    serving.see("/jobs?state=held", "No job is held.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_runs_and_pauses_by_its_page() {
    let lake = Lake::new();
    lake.commit("in/sales/a", 0, &[("a.parquet", b"a")]);
    std::fs::create_dir_all(lake.path("out")).unwrap();
    let serving = Serving::start(&lake).await;
    let every = prost_types::Duration { seconds: 366 * 86_400, nanos: 0 };
    let due = Some(wire::schedule::Due::Every(every));
    let spec = v1::ReplicationSpec {
        name: "sales".to_owned(),
        source: "in".to_owned(),
        target: "out".to_owned(),
        include: vec!["sales/**".to_owned()],
        schedule: Some(wire::Schedule { due, spread: None }),
        ..Default::default()
    };
    serving.see("/", "No replications yet").await;
    let mut client = ReplicationServiceClient::connect(serving.grpc.clone()).await.unwrap();
    let request = v1::ApplyReplicationsRequest { replications: vec![spec], ..Default::default() };
    client.apply_replications(request).await.unwrap();
    let page = "/replications/sales";
    serving.post(page, &format!("{page}/pause"), "&until=2099-01-01T00%3A00").await;
    serving.see(page, "until <time datetime=\"2099-01-01T00:00:00Z\"").await;
    serving.post(page, &format!("{page}/resume"), "").await;
    serving.see(page, "action=\"/replications/sales/pause\"").await;
    serving.post(page, &format!("{page}/run"), "").await;
    serving.see(page, "round 1").await;
    serving.see(page, "href=\"/jobs/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_does_not_delay_the_stop() {
    let lake = Lake::new();
    lake.commit("a", 0, &[("a.parquet", b"a")]);
    let serving = Serving::start(&lake).await;
    let page = serving.job(&lake).await;
    let mut stream = serving.open("GET", &format!("{page}/events"), "").await;
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains("data: ") {
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    let began = Instant::now();
    serving.stop.cancel();
    serving.running.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    stream.read_to_string(&mut text).await.unwrap();
    assert!(!text.contains("event: end"), "{text}");
}
