//! Who may make which call: each call of the API by each role, and with no, a wrong, an old and the
//! right credential; JWTs; scopes; whose calls a worker's are.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use deepclone_common::access::{Principals, new_token};
use deepclone_common::listener::Exposure;
use deepclone_coordinator::config::Settings;
use deepclone_coordinator::server::{Listeners, run};
use deepclone_coordinator::state::Place;
use deepclone_core::access::Role;
use deepclone_core::failure::Failure;
use deepclone_core::limits::{CALLS_OF_ONE, WATCHERS_PER_JOB_MAX, WATCHERS_PER_PRINCIPAL_MAX};
use deepclone_core::reason::Reason;
use deepclone_proto::FILE_DESCRIPTOR_SET;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::audit_service_client::AuditServiceClient;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::replication_service_client::ReplicationServiceClient;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::client::Grpc;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::replications::sales;
use crate::support::{Lake, registration};

/// What the principal `sales` may name.
const SALES: &str = "read_from = [\"lake/sales\", \"in/sales\"]\n\
                     write_to = [\"lake/dr\", \"out/sales\"]";

/// An identity provider: a key that signs JWTs.
struct Provider(Ed25519KeyPair);

impl Provider {
    fn new() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    /// Writes the set of keys; returns the section of the file of principals that names it.
    fn publish(&self, folder: &Path) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x });
        let file = folder.join("jwks.json");
        std::fs::write(&file, json!({ "keys": [key] }).to_string()).unwrap();
        let file = file.display();
        format!(
            "[oidc]\nissuer = \"https://id.example\"\naudience = \"deepclone\"\n\
             jwks_file = \"{file}\"\n"
        )
    }

    /// A JWT of somebody in this group, which ends in so many seconds.
    fn token(&self, group: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let end = i64::try_from(now).unwrap() + seconds;
        // As long as those of people with many groups are.
        let groups: Vec<_> = (0..200).map(|number| format!("group-of-many-{number}")).collect();
        let groups = [groups, vec![group.to_owned()]].concat();
        let header = json!({ "alg": "EdDSA", "kid": "k" });
        let claims = json!({
            "iss": "https://id.example", "aud": "deepclone", "exp": end, "groups": groups,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// A coordinator that asks who calls, and the tokens of its principals.
struct Guarded {
    url: String,
    channel: Channel,
    http: String,
    tokens: Vec<(&'static str, String)>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), Failure>>,
    _folder: TempDir,
}

impl Guarded {
    async fn start(lake: &Lake) -> Self {
        let folder = TempDir::new().unwrap();
        let (provider, stranger) = (Provider::new(), Provider::new());
        let mut text = provider.publish(folder.path());
        let mut tokens = vec![
            ("jwt of viewer", provider.token("viewer", 600)),
            ("jwt of submitter", provider.token("submitter", 600)),
            ("jwt of nobody", provider.token("nobody", 600)),
            ("jwt that is over", provider.token("submitter", -61)),
            ("jwt of a stranger", stranger.token("submitter", 600)),
        ];
        for (name, role, more) in [
            ("viewer", Role::Viewer, ""),
            ("submitter", Role::Submitter, ""),
            ("operator", Role::Operator, ""),
            ("worker", Role::Worker, ""),
            ("thief", Role::Worker, ""),
            ("sales", Role::Operator, SALES),
            ("narrow", Role::Worker, "read_from = [\"lake\"]\nwrite_to = []"),
        ] {
            let (current, old) = (new_token(), new_token());
            text += &format!(
                "[[principals]]\nname = \"{name}\"\nrole = \"{role}\"\n{more}\n\
                 jwt = {{ groups = \"{name}\" }}\ntokens = [{{ sha256 = \"{}\" }}, \
                 {{ sha256 = \"{}\", expires = 2020-01-01T00:00:00Z }}]\n",
                current.sha256, old.sha256
            );
            tokens.push((name, current.token.expose().to_owned()));
            if name == "operator" {
                tokens.push(("old", old.token.expose().to_owned()));
            }
        }
        tokens.push(("wrong", new_token().token.expose().to_owned()));
        let file = folder.path().join("access.toml");
        std::fs::write(&file, text).unwrap();
        let settings = Settings {
            prices: deepclone_core::price::list_prices(),
            listen: "127.0.0.1:0".parse().unwrap(),
            http_listen: "127.0.0.1:0".parse().unwrap(),
            exposure: Exposure::Loopback,
            tls: None,
            principals: Some(Arc::new(Principals::read(&file).unwrap())),
            place: Place::Private,
            connections: (*lake.connections()).clone(),
            shared_object: None,
            hook_secret: None,
        };
        let listeners = Listeners::bind(&settings).await.unwrap();
        let url = format!("http://{}", listeners.grpc.address());
        let http = listeners.http.address().to_string();
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(settings, listeners, stop.clone(), || Ok(())));
        let channel = Channel::from_shared(url.clone()).unwrap().connect_lazy();
        Self { url, channel, http, tokens, stop, running, _folder: folder }
    }

    /// A connection of its own.
    fn connect(&self) -> Channel {
        Channel::from_shared(self.url.clone()).unwrap().connect_lazy()
    }

    /// A request of this principal; `nobody` shows nothing.
    fn by<T>(&self, name: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if name != "nobody" {
            let (_, token) = self.tokens.iter().find(|(of, _)| *of == name).unwrap();
            let value: AsciiMetadataValue = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    /// Calls with an empty message; `None` when the call was let in, whatever came of it then.
    async fn refusal(&self, path: &str, name: &str) -> Option<Reason> {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let codec = ProstCodec::<(), ()>::default();
        let path = path.parse().unwrap();
        let answer: Result<_, Status> = client.unary(self.by(name, ()), path, codec).await;
        let reason = from_status(&answer.err()?).reason;
        [Reason::Unauthenticated, Reason::AccessDenied].into_iter().find(|of| *of == reason)
    }

    /// The answer to a request of a browser.
    async fn http(&self, method: &str, path: &str, shown: Option<&str>) -> String {
        let mut stream = TcpStream::connect(&self.http).await.unwrap();
        let shown = shown.map(|shown| format!("authorization: {shown}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {0}\r\norigin: http://{0}\r\n{shown}\
             content-length: 0\r\nconnection: close\r\n\r\n",
            self.http
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// The calls of the API that this role may make, by what their names begin with.
fn may(role: &str, call: &str) -> bool {
    let looks = ["Get", "List", "Watch"].iter().any(|verb| call.starts_with(verb))
        && call != "ListAuditEvents";
    let submits = ["CreateJob", "UpdateJob", "CancelJob", "PlanClone", "RunReplication"];
    let works =
        ["RegisterWorker", "AcquireTasks", "ReportTasks", "SendHeartbeat", "DeregisterWorker"];
    match role {
        "viewer" => looks,
        "submitter" => looks || submits.contains(&call),
        "operator" => !works.contains(&call),
        "worker" => works.contains(&call),
        _ => panic!("{role}"),
    }
}

#[tokio::test]
async fn each_call_is_open_to_its_roles_alone() {
    let lake = Lake::new();
    let guarded = Guarded::start(&lake).await;
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
    let mut calls = 0;
    for file in files.iter().filter(|file| file.package() == "deepclone.v1") {
        for service in &file.service {
            for call in &service.method {
                let path = format!("/deepclone.v1.{}/{}", service.name(), call.name());
                for nobody in ["nobody", "wrong", "old"] {
                    let refusal = guarded.refusal(&path, nobody).await;
                    assert_eq!(refusal, Some(Reason::Unauthenticated), "{nobody} {path}");
                }
                for role in ["viewer", "submitter", "operator", "worker"] {
                    let expected = (!may(role, call.name())).then_some(Reason::AccessDenied);
                    assert_eq!(guarded.refusal(&path, role).await, expected, "{role} {path}");
                }
                calls += 1;
            }
        }
    }
    assert!(calls >= 24, "{calls} calls");
    for (path, name, expected) in [
        ("/grpc.health.v1.Health/Check", "nobody", None),
        ("/grpc.health.v1.Health/Check", "wrong", None),
        ("/deepclone.v1.JobService/DropJob", "operator", Some(Reason::AccessDenied)),
        ("/deepclone.v1.JobService/DropJob", "nobody", Some(Reason::Unauthenticated)),
    ] {
        assert_eq!(guarded.refusal(path, name).await, expected, "{name} {path}");
    }
    guarded.stop().await;
}

#[tokio::test]
async fn a_jwt_of_a_submitter_creates_a_job_and_that_of_a_viewer_does_not() {
    let lake = Lake::new();
    lake.commit("orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let create = |name: &str| {
        let spec = Some(lake.spec("orders", "copy"));
        let job = v1::Job { spec, ..Default::default() };
        guarded.by(name, v1::CreateJobRequest { job: Some(job), ..Default::default() })
    };
    for (name, expected, part) in [
        ("jwt of viewer", Reason::AccessDenied, "viewer is a viewer"),
        ("jwt of nobody", Reason::Unauthenticated, "knows nobody by this credential"),
        ("jwt that is over", Reason::Unauthenticated, "the time of this token is over"),
        ("jwt of a stranger", Reason::Unauthenticated, "knows nobody by this credential"),
    ] {
        let failure = from_status(&jobs.create_job(create(name)).await.unwrap_err());
        assert_eq!(failure.reason, expected, "{name}");
        assert!(failure.message.contains(part), "{name}: {failure}");
    }
    let made = jobs.create_job(create("jwt of submitter")).await.unwrap().into_inner();
    let look = v1::GetJobRequest { name: made.name.clone() };
    let seen = jobs.get_job(guarded.by("jwt of viewer", look)).await.unwrap().into_inner();
    assert_eq!(seen.name, made.name);
    for (name, status) in [("jwt of viewer", 200), ("jwt that is over", 401)] {
        let (_, token) = guarded.tokens.iter().find(|(of, _)| *of == name).unwrap();
        let password = format!("Basic {}", STANDARD.encode(format!("anybody:{token}")));
        for (path, shown) in [("/metrics", format!("Bearer {token}")), ("/", password)] {
            let answer = guarded.http("GET", path, Some(&shown)).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {path}: {answer}");
        }
    }
    guarded.stop().await;
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> Reason {
    from_status(&answer.unwrap_err()).reason
}

#[tokio::test]
async fn a_scope_bounds_what_a_job_or_a_replication_may_name() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    lake.commit("hr/pay", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let create = |name: &str, source: &str, target: &str| {
        let job = v1::Job { spec: Some(lake.spec(source, target)), ..Default::default() };
        let message = v1::CreateJobRequest { job: Some(job), ..Default::default() };
        guarded.by(name, message)
    };
    for (source, target) in
        [("hr/pay", "dr/pay"), ("sales/orders", "hr/orders"), ("sales-x/orders", "dr/orders")]
    {
        let request = create("sales", source, target);
        assert_eq!(reason(jobs.create_job(request).await), Reason::AccessDenied, "{source}");
        let spec = Some(lake.spec(source, target));
        let request = guarded.by("sales", v1::PlanCloneRequest { spec });
        assert_eq!(reason(jobs.plan_clone(request).await), Reason::AccessDenied, "{source}");
    }
    jobs.create_job(create("sales", "sales/orders", "dr/orders")).await.unwrap();
    // The job of somebody else, out of scope, is shown and stays as it is.
    let other = jobs.create_job(create("submitter", "hr/pay", "dr/pay")).await.unwrap();
    let name = other.into_inner().name;
    let look = guarded.by("sales", v1::GetJobRequest { name: name.clone() });
    jobs.get_job(look).await.unwrap();
    let cancel = |of: &str| guarded.by(of, v1::CancelJobRequest { name: name.clone() });
    assert_eq!(reason(jobs.cancel_job(cancel("sales")).await), Reason::AccessDenied);
    jobs.cancel_job(cancel("submitter")).await.unwrap();

    let mut replications = ReplicationServiceClient::new(guarded.channel.clone());
    for (include, is_in_scope) in [
        ("sales/orders", true),
        ("sales/*", true),
        ("sales/**", true),
        ("sales*", false),
        ("**", false),
        ("hr/*", false),
        ("hr/pay", false),
    ] {
        let replication = v1::ReplicationSpec { include: vec![include.to_owned()], ..sales() };
        let message = v1::ApplyReplicationsRequest {
            replications: vec![replication],
            validate_only: true,
            ..Default::default()
        };
        let answer = replications.apply_replications(guarded.by("sales", message)).await;
        match is_in_scope {
            true => assert!(answer.is_ok(), "{include}: {answer:?}"),
            false => assert_eq!(reason(answer), Reason::AccessDenied, "{include}"),
        }
    }
    // A set that somebody else declared is not replaced by one in scope.
    let apply = |of: &str, include: &str, validate_only: bool| {
        let replication = v1::ReplicationSpec { include: vec![include.to_owned()], ..sales() };
        let replications = vec![replication];
        let message = v1::ApplyReplicationsRequest { replications, validate_only, budgets: vec![] };
        guarded.by(of, message)
    };
    replications.apply_replications(apply("operator", "hr/*", false)).await.unwrap();
    let answer = replications.apply_replications(apply("sales", "sales/*", true)).await;
    assert_eq!(reason(answer), Reason::AccessDenied);
    let name = "replications/sales".to_owned();
    let pause = v1::PauseReplicationRequest { name: name.clone(), until_time: None };
    let answer = replications.pause_replication(guarded.by("sales", pause.clone())).await;
    assert_eq!(reason(answer), Reason::AccessDenied);
    replications.pause_replication(guarded.by("operator", pause)).await.unwrap();
    guarded.stop().await;
}

#[tokio::test]
async fn a_worker_speaks_for_itself_and_offers_what_it_may() {
    let lake = Lake::new();
    let guarded = Guarded::start(&lake).await;
    let mut dispatch = DispatchServiceClient::new(guarded.channel.clone());
    let offer = registration(&lake, "w");
    let answer = dispatch.register_worker(guarded.by("narrow", offer.clone())).await;
    assert_eq!(reason(answer), Reason::AccessDenied);
    let known = dispatch.register_worker(guarded.by("worker", offer.clone())).await.unwrap();
    let worker_id = known.into_inner().worker_id;
    let beat = |of: &str| {
        let message = v1::SendHeartbeatRequest { worker_id: worker_id.clone(), held: vec![] };
        guarded.by(of, message)
    };
    dispatch.send_heartbeat(beat("worker")).await.unwrap();
    assert_eq!(reason(dispatch.send_heartbeat(beat("thief")).await), Reason::AccessDenied);
    let answer = dispatch.register_worker(guarded.by("thief", offer)).await;
    assert_eq!(reason(answer), Reason::AccessDenied);
    let leave = v1::DeregisterWorkerRequest { worker_id: worker_id.clone(), returned: vec![] };
    let answer = dispatch.deregister_worker(guarded.by("thief", leave)).await;
    assert_eq!(reason(answer), Reason::AccessDenied);
    guarded.stop().await;
}

#[tokio::test]
async fn pages_and_metrics_are_for_those_who_may_look_and_forms_for_operators() {
    let lake = Lake::new();
    let guarded = Guarded::start(&lake).await;
    let basic = |token: &str| {
        let pair = STANDARD.encode(format!("anybody:{token}"));
        format!("Basic {pair}")
    };
    for (path, name, status) in [
        ("/livez", "nobody", 200),
        ("/readyz", "nobody", 200),
        ("/metrics", "nobody", 401),
        ("/metrics", "old", 401),
        ("/metrics", "worker", 403),
        ("/metrics", "viewer", 200),
        ("/", "nobody", 401),
        ("/", "wrong", 401),
        ("/", "worker", 403),
        ("/", "viewer", 200),
        ("/style.css", "nobody", 401),
        ("/jobs", "submitter", 200),
        ("/nowhere", "nobody", 401),
    ] {
        for scheme in ["Bearer", "Basic"] {
            let shown = guarded.tokens.iter().find(|(of, _)| *of == name).map(|(_, token)| {
                if scheme == "Basic" { basic(token) } else { format!("Bearer {token}") }
            });
            let answer = guarded.http("GET", path, shown.as_deref()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {path}: {answer}");
            let asks = answer.to_lowercase().contains("www-authenticate: basic");
            assert_eq!(asks, status == 401 && path != "/metrics", "{name} {path}");
        }
    }
    // A form of an operator fails for want of its token alone; a scope is none of the pages'.
    for (name, status, part) in [
        ("viewer", 403, "role operator"),
        ("submitter", 403, "role operator"),
        ("sales", 403, "without a scope"),
        ("operator", 403, "reload it"),
    ] {
        let (_, token) = guarded.tokens.iter().find(|(of, _)| *of == name).unwrap();
        let shown = format!("Bearer {token}");
        let answer = guarded.http("POST", "/replications/x/run", Some(&shown)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
        assert!(answer.contains(part), "{name}: {answer}");
    }
    guarded.stop().await;
}

#[tokio::test]
async fn changes_and_refusals_are_on_record_and_questions_are_not() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let create = |of: &str, target: &str, validate_only: bool| {
        let job =
            Some(v1::Job { spec: Some(lake.spec("sales/orders", target)), ..v1::Job::default() });
        guarded.by(of, v1::CreateJobRequest { job, validate_only, ..Default::default() })
    };
    jobs.create_job(create("sales", "dr/orders", true)).await.unwrap();
    let made = jobs.create_job(create("sales", "dr/orders", false)).await.unwrap().into_inner();
    jobs.create_job(create("sales", "hr/orders", false)).await.unwrap_err();
    jobs.create_job(create("sales", "sales/orders", false)).await.unwrap_err();
    let look = |of: &str| guarded.by(of, v1::GetJobRequest { name: made.name.clone() });
    jobs.get_job(look("viewer")).await.unwrap();
    jobs.get_job(look("wrong")).await.unwrap_err();
    let cancel = v1::CancelJobRequest { name: made.name.clone() };
    jobs.cancel_job(guarded.by("viewer", cancel)).await.unwrap_err();
    let (_, operator) = guarded.tokens.iter().find(|(of, _)| *of == "operator").unwrap();
    let worker = format!("workers/{}", uuid::Uuid::nil());
    let form = format!("/{worker}/drain");
    guarded.http("POST", &form, Some(&format!("Bearer {operator}"))).await;

    let mut audit = AuditServiceClient::new(guarded.channel.clone());
    let answer = audit.list_audit_events(guarded.by("viewer", Default::default())).await;
    assert_eq!(reason(answer), Reason::AccessDenied);
    let expected = [
        ("sales", "JobService/CreateJob", made.name.as_str(), "OK"),
        ("sales", "JobService/CreateJob", "", "INVALID_ARGUMENT"),
        ("operator", "page/drain", &worker, "HTTP_403"),
        ("sales", "JobService/CreateJob", &lake.uri("hr/orders"), "ACCESS_DENIED"),
        ("", "JobService/GetJob", "", "UNAUTHENTICATED"),
        ("viewer", "JobService/CancelJob", "", "ACCESS_DENIED"),
        ("viewer", "AuditService/ListAuditEvents", "", "ACCESS_DENIED"),
    ];
    // Refusals are written beside the calls.
    let events = loop {
        let message = v1::ListAuditEventsRequest::default();
        let page = audit.list_audit_events(guarded.by("operator", message)).await.unwrap();
        let events = page.into_inner().events;
        if events.len() >= expected.len() {
            break events;
        }
        tokio::task::yield_now().await;
    };
    let mut shown: Vec<_> =
        events.iter().map(|of| (&*of.principal, &*of.call, &*of.resource, &*of.outcome)).collect();
    let mut expected = expected.to_vec();
    shown.sort_unstable();
    expected.sort_unstable();
    assert_eq!(shown, expected);
    assert!(events.iter().all(|of| of.address.starts_with("127.0.0.1:")), "{events:?}");
    let denied = events.iter().find(|of| of.resource.ends_with("hr/orders")).unwrap();
    assert!(denied.message.contains("outside its scope"), "{denied:?}");
    // By pages, and by principal.
    let page = |page_token: String| {
        let message = v1::ListAuditEventsRequest { page_size: 3, page_token, ..Default::default() };
        guarded.by("operator", message)
    };
    let first = audit.list_audit_events(page(String::new())).await.unwrap().into_inner();
    let second = audit.list_audit_events(page(first.next_page_token)).await.unwrap().into_inner();
    assert_eq!([first.events, second.events].concat(), events[..6]);
    let principal = "viewer".to_owned();
    let message = v1::ListAuditEventsRequest { principal, ..Default::default() };
    let of_viewer = audit.list_audit_events(guarded.by("operator", message)).await.unwrap();
    assert_eq!(of_viewer.into_inner().events.len(), 2);
    guarded.stop().await;
}

#[tokio::test]
async fn a_flood_of_one_ends_in_refusals_and_the_others_go_on() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut dispatch = DispatchServiceClient::new(guarded.channel.clone());
    let offer = registration(&lake, "w");
    let known = dispatch.register_worker(guarded.by("worker", offer)).await.unwrap();
    let worker_id = known.into_inner().worker_id;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let ask = |of: &str| guarded.by(of, v1::ListJobsRequest::default());
    // Far more than a burst, by somebody who is known and by somebody who is not.
    for (name, refusal) in [("viewer", None), ("wrong", Some(Reason::Unauthenticated))] {
        let flood = (0..CALLS_OF_ONE.burst + 10 * CALLS_OF_ONE.per_second).map(|_| {
            let mut jobs = jobs.clone();
            let request = ask(name);
            async move { jobs.list_jobs(request).await }
        });
        let mut overloaded = 0;
        for answer in futures::future::join_all(flood).await {
            match answer {
                Ok(_) => assert_eq!(refusal, None, "{name}"),
                Err(status) if from_status(&status).reason == Reason::Overloaded => {
                    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
                    overloaded += 1;
                }
                Err(status) => assert_eq!(Some(from_status(&status).reason), refusal, "{status}"),
            }
        }
        assert!(overloaded > 0, "{name}");
        // Beside it, an ordinary client and a worker.
        let held = vec![];
        let beat = v1::SendHeartbeatRequest { worker_id: worker_id.clone(), held };
        dispatch.send_heartbeat(guarded.by("worker", beat)).await.unwrap();
        let job = Some(v1::Job {
            spec: Some(lake.spec("sales/orders", "dr/orders")),
            ..v1::Job::default()
        });
        let create = v1::CreateJobRequest { job, ..Default::default() };
        jobs.create_job(guarded.by("submitter", create)).await.unwrap();
    }
    guarded.stop().await;
}

#[tokio::test]
async fn streams_of_a_principal_are_bounded_and_a_place_is_free_again() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let mut names = Vec::new();
    for number in 0..=WATCHERS_PER_PRINCIPAL_MAX / WATCHERS_PER_JOB_MAX {
        let spec = Some(lake.spec("sales/orders", &format!("dr/{number}")));
        let job = Some(v1::Job { spec, ..v1::Job::default() });
        let create = v1::CreateJobRequest { job, ..Default::default() };
        let made = jobs.create_job(guarded.by("submitter", create)).await.unwrap();
        names.push(made.into_inner().name);
    }
    let mut open = Vec::new();
    for number in 0..WATCHERS_PER_PRINCIPAL_MAX {
        // Not all on one connection.
        let mut jobs = JobServiceClient::new(guarded.connect());
        let name = names[number / WATCHERS_PER_JOB_MAX].clone();
        let watch = guarded.by("viewer", v1::WatchJobRequest { name });
        open.push(jobs.watch_job(watch).await.unwrap().into_inner());
    }
    let last = names.last().unwrap();
    let watch = |of: &str| guarded.by(of, v1::WatchJobRequest { name: last.clone() });
    assert_eq!(reason(jobs.watch_job(watch("viewer")).await), Reason::Overloaded);
    jobs.watch_job(watch("submitter")).await.unwrap();
    open.pop();
    // The coordinator learns a little later that the stream is over.
    while jobs.watch_job(watch("viewer")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(open);
    guarded.stop().await;
}
