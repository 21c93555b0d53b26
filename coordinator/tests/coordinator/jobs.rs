//! Create, plan, watch, cancel, list; refusals with their details.

use deepclone_coordinator::state::Place;
use deepclone_core::limits::WHOLE_OBJECT_BYTES_MAX;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;

use crate::support::{Lake, Running, Worker};

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_is_watched_to_its_end_and_a_second_one_has_nothing_to_do() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa"), ("b.parquet", b"bb")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    assert!(matches!(job.state(), State::Planning | State::WaitingForWorkers), "{job:?}");
    running.reach(&job.name, State::WaitingForWorkers).await;

    let working = Worker::register(&running, &lake, "w").await.work();
    let changes = running.watch(&job.name).await;
    let sequences: Vec<_> = changes.iter().map(|change| change.sequence).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    let done = changes.last().unwrap().job.clone().unwrap();
    assert_eq!(done.state(), State::Succeeded, "{done:?}");
    let result = done.result.unwrap();
    assert_eq!((result.source_version, result.target_version), (Some(0), Some(0)));
    assert_eq!((result.objects_copied, result.bytes_written), (2, 6));
    assert_eq!(result.proofs, Some(v1::ProofCounts { read_back: 2, ..Default::default() }));
    assert_eq!(result.clone_metrics["num_copied_files"], 2);
    assert_eq!(result.clone_metrics["source_table_size"], 6);
    assert!(done.end_time.is_some());
    assert_eq!(lake.versions("target"), ["00000000000000000000.json"]);

    let again = running.create(lake.spec("source", "target")).await.unwrap();
    let again = running.finish(&again.name).await;
    assert_eq!(again.state(), State::Succeeded, "{again:?}");
    let result = again.result.unwrap();
    assert!(result.up_to_date);
    assert_eq!(result.clone_metrics["source_num_of_files"], 2);
    assert_eq!(lake.versions("target").len(), 1);

    let all = list(&mut running, "").await;
    assert_eq!(all, [again.name.clone(), job.name.clone()]);
    assert_eq!(list(&mut running, "state = FAILED").await, [""; 0]);
    running.embedded.stop().await.unwrap();
    assert_eq!(working.await.unwrap(), 2);
}

async fn list(running: &mut Running, filter: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let filter = filter.to_owned();
        let request =
            v1::ListJobsRequest { page_size: 1, page_token, filter, ..Default::default() };
        let page = running.jobs.list_jobs(request).await.unwrap().into_inner();
        names.extend(page.jobs.into_iter().map(|job| job.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return names;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_makes_one_job() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let spec = lake.spec("source", "target");
    let first = running.create_as(spec.clone(), "r1").await.unwrap();
    let again = running.create_as(spec.clone(), "r1").await.unwrap();
    assert_eq!(first.name, again.name);
    let other = running.create_as(spec.clone(), "r2").await.unwrap();
    assert_ne!(first.name, other.name);
    let failure = running.create_as(lake.spec("source", "elsewhere"), "r1").await.unwrap_err();
    assert_eq!(failure.reason, Reason::InvalidArgument);
    assert_eq!(failure.details["field"], "request_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_of_one_target_run_one_after_another() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let first = running.create(lake.spec("source", "target")).await.unwrap();
    running.reach(&first.name, State::WaitingForWorkers).await;
    let second = running.create(lake.spec("source", "target")).await.unwrap();
    assert_eq!(second.state(), State::Queued);
    let _working = Worker::register(&running, &lake, "w").await.work();
    assert_eq!(running.finish(&first.name).await.state(), State::Succeeded);
    let second = running.finish(&second.name).await;
    assert!(second.result.unwrap().up_to_date);
    assert_eq!(lake.versions("target").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_leaves_the_target_alone() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    running.reach(&job.name, State::WaitingForWorkers).await;
    let request = v1::CancelJobRequest { name: job.name.clone() };
    running.jobs.cancel_job(request).await.unwrap();
    assert_eq!(running.finish(&job.name).await.state(), State::Cancelled);
    assert!(lake.versions("target").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_and_keeps_nothing() {
    let lake = Lake::new();
    let large = vec![0; usize::try_from(WHOLE_OBJECT_BYTES_MAX).unwrap() + 1];
    let files = [("a.parquet", b"aaaa".as_slice()), ("b.parquet", b"bb"), ("c.parquet", &large)];
    lake.commit("source", 0, &files);
    let mut running = Running::start(&lake, &Place::Private).await;
    let spec = Some(lake.spec("source", "target"));
    let plan = running.jobs.plan_clone(v1::PlanCloneRequest { spec }).await.unwrap().into_inner();
    let change = plan.change.unwrap();
    let bytes = 6 + i64::try_from(large.len()).unwrap();
    assert_eq!((change.objects_total, change.bytes_total, change.tasks_total), (3, bytes, 2));
    // The large file: three parts, a temporary file and its link. And the commit, and
    // `replica.json`.
    assert_eq!((plan.source_requests, plan.target_requests), (2 + 3, 2 + 2 + 2));
    assert_eq!(plan.target_version, None);
    assert!(list(&mut running, "").await.is_empty());
    assert!(!lake.path("target").exists());

    let spec = Some(lake.spec("nothing", "target"));
    let plan = running.jobs.plan_clone(v1::PlanCloneRequest { spec }).await.unwrap().into_inner();
    assert_eq!(plan.refusal.unwrap().reason, "NOT_A_DELTA_TABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused_with_its_field() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let good = || lake.spec("source", "target");
    let table = |uri: &str, connection: &str| {
        Some(v1::TableRef { uri: uri.to_owned(), connection: connection.to_owned() })
    };
    let cases = [
        (v1::CloneSpec { mode: 2, ..good() }, Reason::Unimplemented, "spec.mode"),
        (v1::CloneSpec { source: None, ..good() }, Reason::InvalidArgument, "spec.source"),
        // I10: a place that no connection leads to, or an unknown connection.
        (
            v1::CloneSpec { source: table("file:///etc", ""), ..good() },
            Reason::InvalidArgument,
            "spec.source",
        ),
        (
            v1::CloneSpec { target: table("file:///etc", "lake"), ..good() },
            Reason::InvalidArgument,
            "spec.target",
        ),
        (
            v1::CloneSpec { target: table(&lake.uri("t"), "other"), ..good() },
            Reason::InvalidArgument,
            "spec.target",
        ),
    ];
    for (spec, reason, field) in cases {
        let failure = running.create(spec).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{failure}");
        assert_eq!(failure.details["field"], field, "{failure}");
    }
    let name = "jobs/00000000-0000-0000-0000-000000000000".to_owned();
    let status = running.jobs.get_job(v1::GetJobRequest { name: name.clone() }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    let failure = from_status(&status);
    assert_eq!(failure.reason, Reason::JobNotFound);
    assert_eq!(failure.details["name"], name);
    assert!(list(&mut running, "").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_inside_the_other_is_refused_within_one_store() {
    let lake = Lake::new();
    let text = ["north", "south", "also-north"].map(|name| {
        let port = if name == "south" { 9001 } else { 9000 };
        format!(
            "[connections.{name}]\nurl = \"s3://lake\"\nroles = [\"source\", \"target\"]\n\
             aws_endpoint_url = \"http://127.0.0.1:{port}\"\naws_access_key_id = \"id\"\n\
             aws_secret_access_key = \"key\"\n"
        )
    });
    let local = format!(
        "[connections.disk]\nurl = \"{}\"\nroles = [\"source\", \"target\"]\n",
        lake.uri("")
    );
    let mut running = Running::of(&format!("{}{local}", text.concat())).await;
    let (source, inside) = (lake.uri("source"), lake.uri("source/inside"));
    for ((from, source), (to, target), problem) in [
        (("disk", source.as_str()), ("disk", source.as_str()), Some("are the same table")),
        (("disk", &source), ("disk", &inside), Some("lies inside the source")),
        (("disk", &inside), ("disk", &source), Some("lies inside the target")),
        (("north", "s3://lake/t"), ("north", "s3://lake/t"), Some("are the same table")),
        (("north", "s3://lake/t"), ("also-north", "s3://lake/t/u"), Some("inside the source")),
        (("north", "s3://lake/t"), ("south", "s3://lake/t"), None),
        (("north", "s3://lake/t"), ("south", "s3://lake/t/u"), None),
        (("north", "s3://lake/t"), ("also-north", "s3://lake/t2"), None),
    ] {
        let table = |uri: &str, connection: &str| {
            Some(v1::TableRef { uri: uri.to_owned(), connection: connection.to_owned() })
        };
        let spec = v1::CloneSpec {
            source: table(source, from),
            target: table(target, to),
            ..Default::default()
        };
        let job = v1::Job { spec: Some(spec), ..Default::default() };
        let request =
            v1::CreateJobRequest { job: Some(job), validate_only: true, ..Default::default() };
        let refused = running.jobs.create_job(request).await.err().map(|error| from_status(&error));
        let message = refused.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
        let case = format!("{from} {source} → {to} {target}: {message}");
        assert_eq!(refused.is_some(), problem.is_some(), "{case}");
        assert!(message.contains(problem.unwrap_or_default()), "{case}");
        assert!(refused.is_none_or(|failure| failure.reason == Reason::InvalidArgument));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validation_alone_creates_nothing() {
    let lake = Lake::new();
    let mut running = Running::start(&lake, &Place::Private).await;
    let spec = Some(lake.spec("source", "target"));
    let request = v1::CreateJobRequest {
        job: Some(v1::Job { spec, ..Default::default() }),
        request_id: String::new(),
        validate_only: true,
    };
    let job = running.jobs.create_job(request.clone()).await.unwrap().into_inner();
    assert_eq!(job.name, "");
    assert!(list(&mut running, "").await.is_empty());
    let mut named = request;
    named.job.as_mut().unwrap().name = "jobs/mine".to_owned();
    let failure = from_status(&running.jobs.create_job(named).await.unwrap_err());
    assert_eq!(failure.details["field"], "job.name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_no_table_fails_the_job() {
    let lake = Lake::new();
    let mut running = Running::start(&lake, &Place::Private).await;
    let job = running.create(lake.spec("nothing", "target")).await.unwrap();
    let job = running.finish(&job.name).await;
    assert_eq!(job.state(), State::Failed);
    assert_eq!(job.failure.unwrap().reason, "NOT_A_DELTA_TABLE");
    assert!(!lake.path("target").exists());
}
