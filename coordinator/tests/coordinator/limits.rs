//! The limits of jobs: asked for, changed while workers copy, kept over restarts, told to workers.

use std::sync::Arc;

use deepclone_coordinator::state::{Place, SqliteStore};
use deepclone_core::failure::Failure;
use deepclone_core::limits::Limits;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;

use crate::support::{LIMITS, Lake, Running, Worker};

const MIB: i64 = 1 << 20;

fn limits(bytes_per_second: Option<i64>, concurrency: Option<i32>) -> Option<v1::JobLimits> {
    Some(v1::JobLimits { bytes_per_second, concurrency, held: None })
}

/// Sets these limits as far as the mask names them.
fn update(name: &str, limits: Option<v1::JobLimits>, mask: &[&str]) -> v1::UpdateJobRequest {
    let spec = Some(v1::CloneSpec { limits, ..Default::default() });
    let paths = mask.iter().map(|path| (*path).to_owned()).collect();
    v1::UpdateJobRequest {
        job: Some(v1::Job { name: name.to_owned(), spec, ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths }),
    }
}

async fn try_update(
    running: &mut Running,
    request: v1::UpdateJobRequest,
) -> Result<Option<v1::JobLimits>, Failure> {
    let answer = running.jobs.update_job(request).await;
    let job = answer.map_err(|status| from_status(&status))?.into_inner();
    Ok(job.spec.unwrap().limits)
}

async fn shown(running: &mut Running, name: &str) -> Option<v1::JobLimits> {
    let request = v1::GetJobRequest { name: name.to_owned() };
    running.jobs.get_job(request).await.unwrap().into_inner().spec.unwrap().limits
}

fn two_files(lake: &Lake) {
    lake.commit("source", 0, &[("a.parquet", b"aaaa"), ("b.parquet", b"bb")]);
}

fn limited(lake: &Lake, limits: Option<v1::JobLimits>) -> v1::CloneSpec {
    v1::CloneSpec { limits, ..lake.spec("source", "target") }
}

/// What a worker is told with a heartbeat while it holds this grant.
async fn told(worker: &mut Worker, grant: &v1::Grant) -> Vec<v1::JobShare> {
    let held = vec![v1::HeldTask { task: grant.task.clone(), bytes_done: 0, bytes_read: 0 }];
    let shares = worker.heartbeat(held).await.unwrap().shares;
    let job = &grant.task.as_ref().unwrap().job_id;
    assert!(shares.iter().all(|told| told.job_id == *job), "{shares:?}");
    shares.into_iter().map(|told| told.share.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_told_changed_and_kept_over_a_restart_and_after_the_end() {
    let lake = Lake::new();
    two_files(&lake);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let asked = limits(Some(8 * MIB), Some(4));
    let job = running.create(limited(&lake, asked)).await.unwrap();
    assert_eq!(job.spec.unwrap().limits, asked);
    let grant = worker.acquire().await.unwrap().remove(0);
    let share = v1::JobShare { bytes_per_second: Some(8 << 20), concurrency: Some(4) };
    assert_eq!(grant.share, Some(share));

    let slower = update(&job.name, limits(Some(MIB), None), &["spec.limits.bytes_per_second"]);
    let now = limits(Some(MIB), Some(4));
    assert_eq!(try_update(&mut running, slower).await, Ok(now));
    let share = v1::JobShare { bytes_per_second: Some(1 << 20), concurrency: Some(4) };
    assert_eq!(told(&mut worker, &grant).await, [share]);
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    assert_eq!(shown(&mut running, &job.name).await, now);
    worker.move_to(&running, vec![grant.task.clone().unwrap()]).await;
    running.reach(&job.name, State::Copying).await;
    let lifted = update(&job.name, None, &["spec.limits"]);
    assert_eq!(try_update(&mut running, lifted).await, Ok(None));
    // Nothing is told before all workers can have come back.
    let all = v1::JobShare::default();
    while told(&mut worker, &grant).await != [all] {
        tokio::task::yield_now().await;
    }
    let last = update(&job.name, limits(None, Some(2)), &[]);
    let last_limits = limits(None, Some(2));
    assert_eq!(try_update(&mut running, last).await, Ok(last_limits));
    worker.report(vec![worker.copy(&grant)]).await;
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    assert_eq!(shown(&mut running, &job.name).await, last_limits);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ended_keeps_its_limits_however_long_ago_that_was() {
    let lake = Lake::new();
    two_files(&lake);
    let store = SqliteStore::open(&Place::Private).await.unwrap();
    let forgetful = Limits { jobs_ended_max: 1, ..LIMITS() };
    let mut running = Running::with(&lake, Arc::new(store), forgetful).await;
    let asked = limits(Some(MIB), None);
    let spec = limited(&lake, asked);
    let job = running.create_as(spec.clone(), "r").await.unwrap();
    let faster = update(&job.name, limits(Some(2 * MIB), None), &[]);
    try_update(&mut running, faster).await.unwrap();
    // The same request finds its job, whose limits changed since.
    let again = running.create_as(spec.clone(), "r").await.unwrap();
    assert_eq!((&again.name, again.spec.unwrap().limits), (&job.name, limits(Some(2 * MIB), None)));
    let cancel = v1::CancelJobRequest { name: job.name.clone() };
    running.jobs.cancel_job(cancel).await.unwrap();
    for is_forgotten in [false, true] {
        if is_forgotten {
            let other = running.create(lake.spec("nothing", "elsewhere")).await.unwrap();
            running.finish(&other.name).await;
        }
        let request = update(&job.name, limits(None, Some(1)), &[]);
        let status = running.jobs.update_job(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert_eq!(from_status(&status).reason, Reason::JobEnded, "{is_forgotten}");
        assert_eq!(shown(&mut running, &job.name).await, limits(Some(2 * MIB), None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_job_is_planned_and_copied_only_once_it_is_released() {
    let lake = Lake::new();
    two_files(&lake);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let held = Some(v1::JobLimits { held: Some(true), ..Default::default() });
    let job = running.create(limited(&lake, held)).await.unwrap();
    running.reach(&job.name, State::Held).await;
    running.embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    worker.move_to(&running, vec![]).await;
    running.reach(&job.name, State::Held).await;
    let released = update(&job.name, None, &["spec.limits.held"]);
    assert_eq!(try_update(&mut running, released).await, Ok(None));
    let grant = worker.acquire().await.unwrap().remove(0);
    worker.report(vec![worker.copy(&grant)]).await;
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_limits_can_change_and_only_to_what_lets_a_copy_go_on() {
    let lake = Lake::new();
    two_files(&lake);
    let mut running = Running::start(&lake, &Place::Private).await;
    let asked = limits(Some(MIB), Some(4));
    let name = running.create(limited(&lake, asked)).await.unwrap().name;
    let with = |change: fn(&mut v1::Job)| {
        let mut request = update(&name, limits(None, Some(1)), &[]);
        change(request.job.as_mut().unwrap());
        request
    };
    let mode = |job: &mut v1::Job| job.spec.as_mut().unwrap().mode = 1;
    for (request, field) in [
        (v1::UpdateJobRequest::default(), "job"),
        (update("jobs/mine", limits(None, Some(1)), &[]), "name"),
        (update(&name, None, &[]), "update_mask"),
        (update(&name, limits(None, Some(1)), &["spec.verification"]), "update_mask"),
        (update(&name, limits(None, Some(1)), &["spec.limits", "state"]), "update_mask"),
        (update(&name, limits(None, Some(1)), &["*"]), "update_mask"),
        (with(mode), "job.spec"),
        (with(|job| job.state = State::Cancelled.into()), "job.state"),
        (update(&name, limits(Some(131_071), None), &[]), "spec.limits.bytes_per_second"),
        (update(&name, limits(Some(-1), None), &["spec.limits"]), "spec.limits.bytes_per_second"),
        (update(&name, limits(None, Some(0)), &[]), "spec.limits.concurrency"),
    ] {
        let failure = try_update(&mut running, request).await.unwrap_err();
        assert_eq!(failure.reason, Reason::InvalidArgument, "{failure}");
        assert_eq!(failure.details["field"], field, "{failure}");
    }
    assert_eq!(shown(&mut running, &name).await, asked);
    let unknown = format!("jobs/{}", uuid::Uuid::from_u128(7));
    let request = update(&unknown, limits(None, Some(1)), &[]);
    let failure = try_update(&mut running, request).await.unwrap_err();
    assert_eq!(failure.reason, Reason::JobNotFound);
    let wrong = limited(&lake, limits(None, Some(0)));
    let failure = running.create(wrong).await.unwrap_err();
    assert_eq!(failure.details["field"], "spec.limits.concurrency");
}
