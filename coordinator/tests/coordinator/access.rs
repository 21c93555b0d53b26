//! Who may make which call: each call of the API by each role, and with no, a wrong, an old and the
//! right credential; JWTs; scopes; whose calls a worker's are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deepclone_core::reason::Reason;
use deepclone_proto::FILE_DESCRIPTOR_SET;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::replication_service_client::ReplicationServiceClient;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::guarded::{Guarded, reason};
use crate::replications::sales;
use crate::support::{Lake, registration};

/// The calls of the API that this role may make, by what their names begin with.
fn may(role: &str, call: &str) -> bool {
    let looks = ["Get", "List", "Watch"].iter().any(|verb| call.starts_with(verb))
        && call != "ListAuditEvents";
    let submits = [
        "CreateJob",
        "UpdateJob",
        "CancelJob",
        "PlanClone",
        "RunReplication",
        "VerifyReplica",
        "DescribeReplica",
        "ProveDeletion",
        "ReadHistory",
    ];
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
