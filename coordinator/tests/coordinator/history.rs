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
async fn a_list_shows_the_newest_and_its_tokens_grow_old() {
    let lake = Lake::new();
    let mut running = Running::limited(&lake, Limits { jobs_ended_max: 3, ..LIMITS() }).await;
    let mut names = Vec::new();
    for _ in 0..5 {
        let job = running.create(lake.spec("nothing", "elsewhere")).await.unwrap();
        running.finish(&job.name).await;
        names.insert(0, job.name);
    }
    let list = |page_size, page_token: &str, filter: &str| v1::ListJobsRequest {
        page_size,
        page_token: page_token.to_owned(),
        filter: filter.to_owned(),
    };
    let page = running.jobs.list_jobs(list(2, "", "state = FAILED")).await.unwrap().into_inner();
    let shown: Vec<_> = page.jobs.iter().map(|job| job.name.clone()).collect();
    assert_eq!(shown, names[..2]);
    let token = page.next_page_token;
    let page = running.jobs.list_jobs(list(2, &token, "")).await.unwrap().into_inner();
    assert_eq!((page.jobs.len(), page.next_page_token.as_str()), (1, ""));
    assert_eq!(page.jobs[0].name, names[2]);
    let none = running.jobs.list_jobs(list(2, "", "state = SUCCEEDED")).await.unwrap();
    assert_eq!(none.into_inner(), v1::ListJobsResponse::default());
    let old = names[4].trim_start_matches("jobs/");
    let failure = from_status(&running.jobs.list_jobs(list(2, old, "")).await.unwrap_err());
    assert_eq!(failure.details["field"], "page_token", "{failure}");
}
