//! Reflection, health, and the process itself.

use std::process::Stdio;

use deepclone_coordinator::metrics::CoordinatorMetrics;
use deepclone_coordinator::state::Place;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::Endpoint;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1alpha;

use crate::support::{Lake, Running};

const SERVICES: [&str; 5] = [
    "deepclone.v1.DispatchService",
    "deepclone.v1.JobService",
    "deepclone.v1.WorkerService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
];

/// A coordinator as a process of its own, with a state in memory, and a connection to it.
async fn process() -> (Child, Endpoint) {
    let listen = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    let flags = [&listen[..], &["--database", "sqlite::memory:"]].concat();
    let mut process = coordinator(&flags).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let address = line.split_whitespace().nth(2).unwrap();
    (process, Endpoint::from_shared(format!("http://{address}")).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_client_can_discover_the_services_and_the_details_of_errors() {
    let (_process, endpoint) = process().await;
    let mut client = ServerReflectionClient::new(endpoint.connect().await.unwrap());
    let mut ask = async |question: MessageRequest| {
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let mut answers = client
            .server_reflection_info(futures::stream::iter([request]))
            .await
            .unwrap()
            .into_inner();
        Ok::<_, tonic::Status>(answers.message().await?.unwrap().message_response.unwrap())
    };
    let MessageResponse::ListServicesResponse(list) =
        ask(MessageRequest::ListServices(String::new())).await.unwrap()
    else {
        panic!("no list")
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in SERVICES {
        assert!(names.iter().any(|name| name == service), "{service} is not in {names:?}");
    }
    for symbol in ["deepclone.v1.CloneSpec", "google.rpc.ErrorInfo"] {
        let answer = ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
        assert!(matches!(answer, Ok(MessageResponse::FileDescriptorResponse(_))), "{symbol}");
    }
    let answer =
        ask(MessageRequest::FileContainingSymbol("deepclone.state.v1.JobSpec".to_owned())).await;
    assert_eq!(answer.unwrap_err().code(), tonic::Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn older_clients_discover_them_too() {
    use v1alpha::server_reflection_request::MessageRequest;
    let (_process, endpoint) = process().await;
    let channel = endpoint.connect().await.unwrap();
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers =
        client.server_reflection_info(futures::stream::iter([request])).await.unwrap().into_inner();
    let answer = format!("{:?}", answers.message().await.unwrap().unwrap());
    assert!(answer.contains("deepclone.v1.JobService"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_serving() {
    use tonic_health::pb::health_check_response::ServingStatus;
    let lake = Lake::new();
    let running = Running::start(&lake, &Place::Private).await;
    let mut client = tonic_health::pb::health_client::HealthClient::new(running.embedded.channel());
    let service = "deepclone.v1.JobService".to_owned();
    let request = tonic_health::pb::HealthCheckRequest { service };
    let answer = client.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
}

fn coordinator(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deepclone-coordinator"));
    command.args(flags).env_remove("DEEPCLONE_CONFIG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn wrong_usage_ends_with_2_before_a_port_is_bound() {
    let lake = Lake::new();
    let unknown = lake.path("unknown.toml");
    std::fs::write(&unknown, "[nonsense]\n").unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["--listen", "0.0.0.0:0"], "--insecure"),
        (&["--database", "postgres://u:hunter2@h/d"], "not built yet"),
        (&["--config", unknown.to_str().unwrap()], "nonsense"),
        (&["--schedule", "x"], "--schedule"),
    ];
    for (flags, part) in cases {
        let output = coordinator(flags).output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {stderr}");
        assert!(stderr.contains(part) && !stderr.contains("hunter2"), "{flags:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn the_process_says_where_it_listens_and_ends_in_good_order() {
    let lake = Lake::new();
    let database = format!("sqlite:{}", lake.path("state.db").display());
    let flags =
        ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--database", &database];
    let mut process = coordinator(&flags).spawn().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).await.unwrap();
    let (grpc, http) =
        line.trim_end().strip_prefix("listening on ").unwrap().split_once(" http=").unwrap();
    assert!(grpc.starts_with("127.0.0.1:"), "{line}");
    assert!(get(http, "/readyz").await.starts_with("HTTP/1.1 200"));
    // A turn and a second later at the latest the gauges are there.
    let metrics = loop {
        let text = get(http, "/metrics").await;
        if text.contains("deepclone_jobs{") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    assert!(metrics.contains("deepclone_workers{state=\"active\"} 0"), "{metrics}");
    let names = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    // Those of replications are held to their page by a test of their own.
    let names = names.map(|(name, _)| name).filter(|name| !name.contains("_replication"));
    let names: Vec<_> = names.collect();
    let (_, documented) = CoordinatorMetrics::of_process(None);
    let rows: Vec<_> = documented.rows().iter().map(|row| row.name).collect();
    let unknown: Vec<_> = names.iter().filter(|name| !rows.contains(name)).collect();
    assert!(unknown.is_empty(), "docs/metrics.md has no {unknown:?}");
    // All of them but those whose labels come with an event.
    for row in documented.rows() {
        let is_of_event =
            ["_refused_", "_failures_", "_call_", "_store_", "_lineage_", "_webhook_", "_spans_"]
                .iter()
                .any(|part| row.name.contains(part))
                && !row.labels.is_empty();
        let is_shown = is_of_event || row.name == "process_max_fds" || names.contains(&row.name);
        assert!(is_shown, "no {} in\n{metrics}", row.name);
    }

    // A second one refuses the same database.
    let second = coordinator(&flags).output().await.unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8(second.stderr).unwrap().contains("another coordinator"));

    let pid = process.id().unwrap().to_string();
    assert!(Command::new("kill").arg(pid).status().await.unwrap().success());
    assert!(process.wait().await.unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_a_bounded_number_of_calls() {
    use deepclone_core::limits::STREAMS_PER_CONNECTION_MAX;
    let (_process, endpoint) = process().await;
    let connect = async || {
        tonic_health::pb::health_client::HealthClient::new(endpoint.connect().await.unwrap())
    };
    let request = || tonic_health::pb::HealthCheckRequest { service: String::new() };
    let mut client = connect().await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_PER_CONNECTION_MAX {
        streams.push(client.watch(request()).await.unwrap().into_inner());
    }
    let mut more = tokio::spawn({
        let mut client = client.clone();
        async move { client.watch(request()).await.map(|_| ()) }
    });
    connect().await.check(request()).await.unwrap();
    assert!(!more.is_finished(), "it waits for a place");
    drop(streams.pop());
    (&mut more).await.unwrap().unwrap();
}

async fn get(address: &str, path: &str) -> String {
    use tokio::io::AsyncWriteExt as _;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
