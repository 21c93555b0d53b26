//! The sizes of what clients and workers send: a refusal names the field and the limit, and nothing
//! is kept.

use deepclone_core::limits::{Limits, WATCHERS_MAX, WATCHERS_PER_JOB_MAX};
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;

use crate::support::{LIMITS, Lake, Running, Worker};

async fn list(running: &mut Running) -> Vec<String> {
    let page = running.jobs.list_jobs(v1::ListJobsRequest::default()).await.unwrap();
    page.into_inner().jobs.into_iter().map(|job| job.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overload_is_refused_and_evicts_no_history() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let limits = Limits { jobs_live_max: 1, jobs_ended_max: 1, ..LIMITS() };
    let mut running = Running::limited(&lake, limits).await;
    let ended = running.create(lake.spec("nothing", "elsewhere")).await.unwrap();
    assert_eq!(running.finish(&ended.name).await.state(), State::Failed);
    let live = running.create(lake.spec("source", "target")).await.unwrap();
    for request_id in ["", "r", "r"] {
        let refused = running.create_as(lake.spec("source", "other"), request_id).await;
        let failure = refused.unwrap_err();
        assert_eq!(failure.reason, Reason::Overloaded, "{failure}");
        assert_eq!(failure.reason.row().grpc, tonic::Code::ResourceExhausted as i32);
        assert_eq!(list(&mut running).await, [live.name.clone(), ended.name.clone()]);
    }
    let cancel = v1::CancelJobRequest { name: live.name.clone() };
    running.jobs.cancel_job(cancel).await.unwrap();
    running.create_as(lake.spec("source", "other"), "r").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_is_too_large_is_refused_by_every_call_that_takes_one() {
    let lake = Lake::new();
    let mut running = Running::limited(&lake, LIMITS()).await;
    let spec =
        v1::CloneSpec { partition_filter: "x".repeat(1 << 20), ..lake.spec("source", "target") };
    let failure = running.create(spec.clone()).await.unwrap_err();
    let planned = running.jobs.plan_clone(v1::PlanCloneRequest { spec: Some(spec) }).await;
    for failure in [failure, from_status(&planned.unwrap_err())] {
        assert_eq!(failure.reason, Reason::InvalidArgument);
        assert_eq!(failure.details["field"], "spec.partition_filter");
        assert!(failure.message.contains("at most 16384"), "{failure}");
    }
    assert!(list(&mut running).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_are_bounded_and_a_place_is_free_again() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let mut running = Running::limited(&lake, LIMITS()).await;
    let jobs = WATCHERS_MAX / WATCHERS_PER_JOB_MAX + 1;
    let mut names = Vec::new();
    for number in 0..jobs {
        let spec = lake.spec("source", &format!("target{number}"));
        names.push(running.create(spec).await.unwrap().name);
    }
    let mut streams = Vec::new();
    for name in &names[..jobs - 1] {
        for _ in 0..WATCHERS_PER_JOB_MAX {
            let request = v1::WatchJobRequest { name: name.clone() };
            streams.push(running.jobs.watch_job(request).await.unwrap().into_inner());
        }
    }
    for (name, what) in [(&names[0], "the job"), (&names[jobs - 1], "jobs")] {
        let request = v1::WatchJobRequest { name: name.clone() };
        let failure = from_status(&running.jobs.watch_job(request).await.err().unwrap());
        assert_eq!(failure.reason, Reason::Overloaded);
        assert!(failure.message.contains(&format!("follow {what} already")), "{failure}");
    }
    // A stream that its client dropped ends when the coordinator learns of it.
    drop(streams);
    loop {
        let request = v1::WatchJobRequest { name: names[jobs - 1].clone() };
        if running.jobs.watch_job(request).await.is_ok() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_say_too_much_are_refused_by_field() {
    let lake = Lake::new();
    let mut running = Running::limited(&lake, Limits { workers_max: 2, ..LIMITS() }).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let request = v1::RegisterWorkerRequest {
        name: "big".to_owned(),
        version: "9".repeat(1_000),
        incarnation: vec![0; 16],
        protocol_min: 2,
        protocol_max: 2,
        ..Default::default()
    };
    let refused = worker.client.register_worker(request.clone()).await.unwrap_err();
    assert_eq!(from_status(&refused).details["field"], "version");
    let held = vec![v1::HeldTask::default(); 5_000];
    let failure = worker.heartbeat(held).await.unwrap_err();
    assert_eq!(failure.details["field"], "held");
    assert!(failure.message.contains("at most 4096"), "{failure}");
    let failure = worker.try_report(vec![v1::TaskOutcome::default(); 257]).await.unwrap_err();
    assert_eq!(failure.details["field"], "outcomes");

    // More workers than are known at once: refused, and nothing of them is shown or kept.
    let _second = Worker::register(&running, &lake, "second").await;
    let third = v1::RegisterWorkerRequest { version: "1".to_owned(), ..request };
    let refused = worker.client.register_worker(third).await.unwrap_err();
    assert!(from_status(&refused).message.contains("too many workers"), "{refused}");
    let shown = running.workers.list_workers(v1::ListWorkersRequest::default()).await.unwrap();
    assert_eq!(shown.into_inner().workers.len(), 2);
}
