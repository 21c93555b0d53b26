//! Jobs that ended long ago: the machine forgot them, and the database has them.

use std::sync::Arc;

use deepclone_coordinator::state::{Place, SqliteStore};
use deepclone_core::limits::Limits;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;

use crate::support::{LIMITS, Lake, Running, Worker};

/// The machine keeps only the newest ended job.
fn forgetful() -> Limits {
    Limits { jobs_ended_max: 1, ..LIMITS() }
}

async fn start(lake: &Lake, place: &Place) -> Running {
    let store = SqliteStore::open(place).await.unwrap();
    Running::with(lake, Arc::new(store), forgetful()).await
}

/// Makes jobs that fail, until the machine forgets those before.
async fn others(lake: &Lake, running: &mut Running) {
    for _ in 0..2 {
        let job = running.create(lake.spec("nothing", "elsewhere")).await.unwrap();
        assert_eq!(running.finish(&job.name).await.state(), State::Failed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_one_job_however_long_ago_it_ended() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let place = Place::File(lake.path("state.db"));
    let mut running = start(&lake, &place).await;
    let spec = lake.spec("source", "target");
    let job = running.create_as(spec.clone(), "r1").await.unwrap();
    let working = Worker::register(&running, &lake, "w").await.work();
    let done = running.finish(&job.name).await;
    assert_eq!(done.state(), State::Succeeded);

    for restarted in [false, true] {
        if restarted {
            running.embedded.stop().await.unwrap();
            running = start(&lake, &place).await;
        }
        others(&lake, &mut running).await;
        let again = running.create_as(spec.clone(), "r1").await.unwrap();
        assert_eq!(again, done, "restarted: {restarted}");
        let failure = running.create_as(lake.spec("source", "other"), "r1").await.unwrap_err();
        assert_eq!(failure.reason, Reason::InvalidArgument);
        assert_eq!(failure.details["field"], "request_id");
        let get = v1::GetJobRequest { name: job.name.clone() };
        assert_eq!(running.jobs.get_job(get).await.unwrap().into_inner(), done);
        let cancel = v1::CancelJobRequest { name: job.name.clone() };
        assert_eq!(running.jobs.cancel_job(cancel).await.unwrap().into_inner(), done);
        let changes = running.watch(&job.name).await;
        assert_eq!(changes.len(), 1, "its final state, and the end");
        assert_eq!(changes[0].job.as_ref(), Some(&done));
    }
    assert_eq!(lake.versions("target").len(), 1);
    running.embedded.stop().await.unwrap();
    working.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_new_request_id_at_once_from_many_makes_one_job() {
    let lake = Lake::new();
    let running = Running::limited(&lake, forgetful()).await;
    let calls = (0..20).map(|_| {
        let mut jobs = running.jobs.clone();
        let spec = Some(lake.spec("source", "target"));
        let request = v1::CreateJobRequest {
            job: Some(v1::Job { spec, ..Default::default() }),
            request_id: "r".to_owned(),
            validate_only: false,
        };
        async move { jobs.create_job(request).await.unwrap().into_inner().name }
    });
    let names = futures::future::join_all(calls).await;
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_was_is_not_found() {
    let lake = Lake::new();
    let mut running = Running::limited(&lake, forgetful()).await;
    let name = format!("jobs/{}", uuid::Uuid::from_u128(7));
    let get = v1::GetJobRequest { name: name.clone() };
    let cancel = v1::CancelJobRequest { name: name.clone() };
    let watch = v1::WatchJobRequest { name };
    for status in [
        running.jobs.get_job(get).await.unwrap_err(),
        running.jobs.cancel_job(cancel).await.unwrap_err(),
        running.jobs.watch_job(watch).await.map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(from_status(&status).reason, Reason::JobNotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_with_what_the_database_alone_knows() {
    let lake = Lake::new();
    let mut running = Running::limited(&lake, Limits { jobs_ended_max: 3, ..LIMITS() }).await;
    let mut names = Vec::new();
    for number in 0..6 {
        let target = if number % 2 == 0 { "even" } else { "odd" };
        let job = running.create(lake.spec("nothing", target)).await.unwrap();
        running.finish(&job.name).await;
        names.insert(0, job.name);
    }
    let mut listed = async |filter: &str, order_by: &str| {
        let (mut shown, mut page_token) = (Vec::new(), String::new());
        loop {
            let (filter, order_by) = (filter.to_owned(), order_by.to_owned());
            let request = v1::ListJobsRequest { page_size: 2, page_token, filter, order_by };
            let page = running.jobs.list_jobs(request).await.unwrap().into_inner();
            shown.extend(page.jobs.into_iter().map(|job| job.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return shown;
            }
        }
    };
    assert_eq!(listed("", "").await, names);
    assert_eq!(listed("state = SUCCEEDED", "").await, [""; 0]);
    let reversed: Vec<_> = names.iter().rev().cloned().collect();
    assert_eq!(listed("state = FAILED", "create_time").await, reversed);
    let even = format!("target = \"{}\"", lake.spec("nothing", "even").target.unwrap().uri);
    let expected: Vec<_> = names.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!(listed(&even, "create_time desc").await, expected);
    assert_eq!(listed("submitter = nobody", "").await, [""; 0]);

    let refused = async |running: &mut Running, request| {
        from_status(&running.jobs.list_jobs(request).await.unwrap_err()).details["field"].clone()
    };
    let request = v1::ListJobsRequest::default();
    let bad = v1::ListJobsRequest { page_token: "no".to_owned(), ..request.clone() };
    assert_eq!(refused(&mut running, bad).await, "page_token");
    let bad = v1::ListJobsRequest { filter: "no".to_owned(), ..request.clone() };
    assert_eq!(refused(&mut running, bad).await, "filter");
    let bad = v1::ListJobsRequest { order_by: "state".to_owned(), ..request };
    assert_eq!(refused(&mut running, bad).await, "order_by");
}
