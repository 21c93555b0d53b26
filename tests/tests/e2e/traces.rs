//! Traces of syncs by real processes, as a collector of OpenTelemetry gets them, and what becomes
//! of syncs when it is away.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use deepclone_tests::collector::{CollectedSpan, Collector};
use deepclone_tests::process::{self, Server};

use crate::sync::{self, Ended};
use crate::table;

const KEY: &str = "hunter2-of-traces";
/// More tasks than one worker takes at once.
const OBJECTS: usize = 3_000;

/// A coordinator and workers of one configuration file.
struct Site {
    folder: tempfile::TempDir,
    coordinator: Server,
    workers: Vec<Server>,
}

impl Site {
    /// Starts as many workers, with this section of the configuration.
    fn new(objects: usize, workers: usize, section: &str) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let root = folder.path().canonicalize().expect("it exists");
        table::synthetic(&root.join("lake/orders"), objects, 10);
        std::fs::create_dir(root.join("dr")).expect("a new folder");
        let connection = |name: &str, role: &str| {
            let url = root.join(name).display().to_string();
            format!("[connections.{name}]\nurl = \"file://{url}\"\nroles = [\"{role}\"]\n")
        };
        let (lake, dr) = (connection("lake", "source"), connection("dr", "target"));
        let config = root.join("deepclone.toml").display().to_string();
        std::fs::write(&config, format!("{lake}{dr}{section}")).expect("a new file");
        let database = format!("sqlite:{}", root.join("state.db").display());
        // It turns nothing on: only the file does.
        let elsewhere = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9/");
        let mut command = Command::new(process::binary("deepclone-coordinator"));
        command.args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        command.args(["--config", &config, "--database", &database]);
        command.env(elsewhere.0, elsewhere.1);
        let coordinator = process::listening(command);
        let start = |number: usize| {
            let name = format!("w{number}");
            process::worker(&coordinator.url(), &name, &["--config", &config])
        };
        Self { workers: (0..workers).map(start).collect(), folder, coordinator }
    }

    async fn clone(&self) -> Ended {
        let uri = |name: &str| {
            format!(
                "file://{}/{name}/orders",
                self.folder.path().canonicalize().expect("it exists").display()
            )
        };
        let mut command = process::deepclone();
        command.args(["clone", &uri("lake"), &uri("dr"), "--output", "json"]);
        command.args(["--coordinator", &self.coordinator.url()]);
        sync::finish(command).await
    }

    fn logs(&self) -> String {
        let workers = self.workers.iter().map(Server::log);
        std::iter::once(self.coordinator.log()).chain(workers).collect()
    }

    async fn metric(&self, outcome: &str) -> f64 {
        let metrics = get(&format!("http://{}/metrics", self.coordinator.http)).await;
        let series = format!("deepclone_trace_spans_total{{outcome=\"{outcome}\"}} ");
        let found = metrics.lines().find_map(|line| line.strip_prefix(&series));
        found.map_or(0.0, |number| number.parse().expect("a number"))
    }
}

/// The body of an answer on this machine.
async fn get(url: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("it listens");
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("a text");
    answer
}

fn otlp(endpoint: &str) -> String {
    format!(
        "[telemetry.otlp]\nendpoint = \"{endpoint}\"\n\
         headers = {{ authorization = \"Bearer {KEY}\" }}\n"
    )
}

fn named<'a>(spans: &'a [CollectedSpan], name: &str) -> Vec<&'a CollectedSpan> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn attribute(span: &CollectedSpan, name: &str) -> String {
    span.attributes.get(name).cloned().unwrap_or_else(|| panic!("{span:#?} has no {name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_by_two_workers_is_one_trace() {
    let collector = Collector::start().await;
    // Slow enough for both to get tasks.
    let section = format!("[limits]\nconcurrency = 2\n{}", otlp(&collector.url));
    let site = Site::new(OBJECTS, 2, &section);
    let done = site.clone().await.succeeded();
    let job = done.json["job"].as_str();
    let tasks = OBJECTS.div_ceil(256);
    let is_whole = |spans: &[CollectedSpan]| {
        !named(spans, "sync").is_empty() && named(spans, "attempt").len() >= tasks
    };
    let spans = collector.wait_for(is_whole).await;
    let [whole] = named(&spans, "sync")[..] else { panic!("{spans:#?}") };
    if let Some(job) = job {
        assert_eq!(attribute(whole, "deepclone.job.id"), job.trim_start_matches("jobs/"));
    }
    assert_eq!(whole.trace, attribute(whole, "deepclone.job.id").replace('-', ""));
    assert_eq!((&*whole.parent, whole.is_error), ("", false));
    assert_eq!(attribute(whole, "deepclone.table"), "orders");
    assert_eq!(attribute(whole, "deepclone.source.version"), "0");
    assert_eq!(attribute(whole, "deepclone.bytes.written"), (OBJECTS * 10).to_string());
    let ids: BTreeSet<&str> = spans.iter().map(|span| &*span.id).collect();
    assert_eq!(ids.len(), spans.len(), "two spans have one id");
    for span in &spans {
        // On a busy machine an attempt may be late, and another one follows it.
        let is_right = !span.is_error || span.name == "attempt";
        assert!(span.trace == whole.trace && is_right, "{span:#?}");
        assert!(span.began_ns <= span.ended_ns, "{span:#?}");
    }
    for phase in ["queue", "plan", "copy", "publish", "checkpoint"] {
        let [found] = named(&spans, phase)[..] else { panic!("{phase}: {spans:#?}") };
        assert_eq!((&found.parent, &*found.service), (&whole.id, "deepclone-coordinator"));
        assert!(whole.began_ns <= found.began_ns && found.ended_ns <= whole.ended_ns);
    }
    let (copied, attempts) = (named(&spans, "task"), named(&spans, "attempt"));
    assert_eq!(copied.len(), tasks);
    assert!(copied.iter().all(|task| task.parent == named(&spans, "copy")[0].id));
    for attempt in &attempts {
        assert_eq!(attempt.service, "deepclone-worker");
        let task = copied.iter().find(|task| task.id == attempt.parent).expect("its task");
        assert_eq!(attribute(task, "deepclone.task.id"), attribute(attempt, "deepclone.task.id"));
    }
    for task in &copied {
        let is_its = |attempt: &&&CollectedSpan| {
            let same = ["deepclone.worker.name", "deepclone.bytes.written"];
            let is_alike =
                same.iter().all(|name| attribute(task, name) == attribute(attempt, name));
            attempt.parent == task.id && is_alike
        };
        assert!(attempts.iter().any(|attempt| is_its(&attempt)), "{task:#?} {attempts:#?}");
    }
    let workers: BTreeSet<String> =
        attempts.iter().map(|attempt| attribute(attempt, "deepclone.worker.name")).collect();
    assert_eq!(workers, BTreeSet::from(["w0", "w1"].map(str::to_owned)));
    let bearer = format!("Bearer {KEY}");
    for headers in collector.headers() {
        assert_eq!(headers["authorization"].to_str().ok(), Some(&*bearer));
    }
    assert!(!format!("{}{spans:?}", site.logs()).contains("hunter2"), "a secret is shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_an_error_down_to_the_workers_attempt() {
    let collector = Collector::start().await;
    let site = Site::new(3, 1, &otlp(&collector.url));
    let lost = site.folder.path().join("lake/orders");
    let lost =
        std::fs::read_dir(lost).expect("it exists").filter_map(|entry| Some(entry.ok()?.path()));
    let lost = lost.filter(|path| path.is_file()).min().expect("a data file");
    std::fs::remove_file(lost).expect("it is there");
    assert_eq!(site.clone().await.code, 3);
    let spans = collector
        .wait_for(|spans| {
            !named(spans, "sync").is_empty() && named(spans, "attempt").iter().any(|a| a.is_error)
        })
        .await;
    let [whole] = named(&spans, "sync")[..] else { panic!("{spans:#?}") };
    assert!(whole.is_error);
    assert_eq!(attribute(whole, "error.type"), "OBJECT_VANISHED");
    let [task] = named(&spans, "task")[..] else { panic!("{spans:#?}") };
    assert!(task.is_error && !task.events.is_empty(), "{task:#?}");
    let failed: Vec<_> = named(&spans, "attempt");
    assert!(failed.iter().all(|attempt| attempt.is_error && attempt.parent == task.id));
    assert_eq!(attribute(failed[0], "error.type"), "source_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_holds_up_neither_a_sync_nor_an_end() {
    // It takes connections, and answers nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("its own address"));
    let mut site = Site::new(3, 1, &otlp(&endpoint));
    site.clone().await.succeeded();
    let (coordinator, worker) = (&mut site.coordinator, &mut site.workers[0]);
    assert!(worker.terminate().success());
    assert!(coordinator.terminate().success());
    for log in [coordinator.log(), worker.log()] {
        assert!(log.contains("some spans of traces are not sent"), "{log}");
        assert!(!log.contains("hunter2"), "a secret is shown");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_for_a_collector_that_is_away_are_counted() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", gone.local_addr().expect("its own address"));
    drop(gone);
    let site = Site::new(3, 1, &otlp(&endpoint));
    site.clone().await.succeeded();
    let counted = async {
        while site.metric("failed").await < 7.0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(60), counted).await;
    assert!(counted.is_ok(), "{}", site.logs());
    assert!(site.coordinator.log().contains("spans of traces are not taken"));
    assert_eq!(site.metric("sent").await, 0.0);
    assert!(!site.logs().contains("hunter2"), "a secret is shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_section_nothing_is_sent() {
    let site = Site::new(3, 1, "");
    site.clone().await.succeeded();
    let metrics = get(&format!("http://{}/metrics", site.coordinator.http)).await;
    let counted = metrics.lines().find(|line| line.starts_with("deepclone_trace_spans_total{"));
    assert_eq!(counted, None);
}
