//! The pages of a coordinator that runs: what they show of its jobs and workers, and what they do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use deepclone_common::listener::Exposure;
use deepclone_coordinator::config::Settings;
use deepclone_coordinator::reload::SettingSources;
use deepclone_coordinator::server::{Listeners, run};
use deepclone_coordinator::state::{Place, RowChange, RowKey, SqliteStore, StateError, Store as _};
use deepclone_core::failure::Failure;
use deepclone_core::ids::Epoch;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::replication_service_client::ReplicationServiceClient;
use deepclone_proto::v1::{self, replication_spec as wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Lake, registration};

/// A coordinator that serves both its addresses.
struct Serving {
    grpc: String,
    http: String,
    stop: CancellationToken,
    running: JoinHandle<Result<(), Failure>>,
}

/// Opens a state, once the coordinator before has let go of it.
async fn opened(place: &Place) -> SqliteStore {
    loop {
        match SqliteStore::open(place).await {
            Err(StateError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            opened => return opened.unwrap(),
        }
    }
}

impl Serving {
    async fn start(lake: &Lake) -> Self {
        Self::at(lake, Place::Private).await
    }

    /// A coordinator with its state there, once the one before has let go of it.
    async fn at(lake: &Lake, place: Place) -> Self {
        drop(opened(&place).await);
        let settings = Settings {
            prices: deepclone_core::price::list_prices(),
            listen: "127.0.0.1:0".parse().unwrap(),
            http_listen: "127.0.0.1:0".parse().unwrap(),
            exposure: Exposure::Loopback,
            place,
            connections: (*lake.connections()).clone(),
            shared_object: None,
            lineage: None,
            spans: None,
            webhooks: vec![],
            hook_secret: None,
            sources: SettingSources::default(),
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

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
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

    /// Declares the replication `sales`, which is due once a year.
    async fn apply_sales(&self) {
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
        let mut client = ReplicationServiceClient::connect(self.grpc.clone()).await.unwrap();
        let replications = vec![spec];
        let request = v1::ApplyReplicationsRequest { replications, ..Default::default() };
        client.apply_replications(request).await.unwrap();
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
    serving.see("/", "No replications yet").await;
    serving.apply_sales().await;
    let page = "/replications/sales";
    serving.post(page, &format!("{page}/pause"), "&until=2099-01-01T00%3A00").await;
    serving.see(page, "until <time datetime=\"2099-01-01T00:00:00Z\"").await;
    serving.post(page, &format!("{page}/resume"), "").await;
    serving.see(page, "action=\"/replications/sales/pause\"").await;
    serving.post(page, &format!("{page}/run"), "").await;
    serving.see(page, "round 1").await;
    serving.see(page, "href=\"/jobs/").await;
}

/// Keeps samples of a lag of ten minutes and then ever less, one each five minutes from three hours
/// ago until two hours ago, as a coordinator that ran then would have.
async fn keep_lags(place: &Place) {
    let store = opened(place).await;
    let rows = store.replication_rows().await.unwrap();
    let owner = rows.iter().find(|row| row.key.kind == "spec").unwrap().key.owner.clone();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut blocks = BTreeMap::<u64, Vec<(u64, Option<u64>)>>::new();
    for (number, at) in (0..).zip((now - 3 * 3_600..=now - 2 * 3_600).step_by(300)) {
        blocks.entry(at / (6 * 3_600)).or_default().push((at, Some(600 - 40 * number)));
    }
    let row = |(number, samples): (&u64, &Vec<_>)| RowChange {
        key: RowKey { owner: owner.clone(), kind: "lag".to_owned(), part: number.to_string() },
        body: Some(serde_json::to_vec(samples).unwrap()),
    };
    let changes: Vec<_> = blocks.iter().map(row).collect();
    let epoch = store.lead(Epoch(0)).await.unwrap();
    store.change_rows(epoch, &changes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_the_lag_goes_on_after_a_restart() {
    let lake = Lake::new();
    lake.commit("in/sales/a", 0, &[("a.parquet", b"a")]);
    std::fs::create_dir_all(lake.path("out")).unwrap();
    let place = Place::File(lake.path("state.db"));
    let page = "/replications/sales";
    let serving = Serving::at(&lake, place.clone()).await;
    serving.apply_sales().await;
    serving.see(page, "Nothing is recorded yet").await;
    serving.post(page, &format!("{page}/run"), "").await;
    serving.see(page, "href=\"/jobs/").await;
    serving.stop().await;
    keep_lags(&place).await;

    let words = "In the last 24 hours the lag was 10 min at the most";
    let mut shown = Vec::new();
    // The second start reads what the first one kept again.
    for _ in 0..2 {
        let serving = Serving::at(&lake, place.clone()).await;
        let text = serving.get(page).await;
        assert!(text.contains(words), "{text}");
        let lines = text.split("<path class=\"line\" d=\"").skip(1);
        let lines = lines.map(|line| line.split('"').next().unwrap());
        shown.push(lines.map(|line| line.matches('L').count()).max().unwrap());
        serving.stop().await;
    }
    assert_eq!(shown, [12, 12], "a line of 13 samples");
}

/// A name that would be markup, end an attribute, and turn the direction of text.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"onload=\"alert(2)' \u{202e}";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_shown_as_text() {
    let lake = Lake::new();
    let table = format!("in/sales/{HOSTILE}");
    lake.commit(&table, 0, &[("a.parquet", b"a")]);
    std::fs::create_dir_all(lake.path("out")).unwrap();
    let serving = Serving::start(&lake).await;
    serving.apply_sales().await;
    serving.post("/replications/sales", "/replications/sales/run", "").await;
    let mut dispatch = DispatchServiceClient::connect(serving.grpc.clone()).await.unwrap();
    let named = |name: &str| registration(&lake, name);
    dispatch.register_worker(named("<b>\"onload=\"w")).await.unwrap();
    // A job that fails, and says which table it looked for.
    let mut jobs = JobServiceClient::connect(serving.grpc.clone()).await.unwrap();
    let spec = Some(lake.spec(&format!("gone {HOSTILE}"), &format!("to {HOSTILE}")));
    let job = Some(v1::Job { spec, ..Default::default() });
    let request = v1::CreateJobRequest { job, ..Default::default() };
    let job = format!("/{}", jobs.create_job(request).await.unwrap().into_inner().name);

    serving.see(&job, "NOT_A_DELTA_TABLE").await;
    serving.see("/replications/sales", "onerror").await;
    serving.see("/workers", "onload").await;
    serving.see("/jobs", "onerror").await;
    for page in ["/", "/replications/sales", "/jobs", "/workers", "/money", &job, "/<b>\"onload"] {
        let text = serving.get(&page.replace('<', "%3C").replace('"', "%22")).await;
        for raw in ["<img", "<b>\"", "\"onload", "\u{202e}"] {
            assert!(!text.contains(raw), "{page}: {raw:?} in {text}");
        }
    }
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
