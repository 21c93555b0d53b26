//! Workers that lie or cannot reach a store, objects that vanish, jobs that no worker takes.

use std::fs;
use std::time::Duration;

use deepclone_coordinator::state::Place;
use deepclone_core::limits::Limits;
use deepclone_core::reason::Reason;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;
use deepclone_proto::v1::task_failure::Kind;

use crate::support::{LIMITS, Lake, Running, Worker};

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_what_was_not_granted_are_refused() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut honest = Worker::register(&running, &lake, "honest").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = honest.acquire().await.unwrap();
    let done = honest.copy(&grants[0]);
    let key = grants[0].task.clone().unwrap();
    let mut liar = Worker::register(&running, &lake, "liar").await;
    for task in [
        key.clone(),
        v1::GrantKey { attempt: 2, ..key.clone() },
        v1::GrantKey { granted_epoch: key.granted_epoch + 1, ..key.clone() },
        v1::GrantKey { granted_epoch: key.granted_epoch - 1, ..key.clone() },
        v1::GrantKey { job_id: vec![7; 16], ..key.clone() },
        v1::GrantKey { fingerprint: vec![7; 32], ..key.clone() },
    ] {
        let outcome = v1::TaskOutcome { task: Some(task.clone()), ..done.clone() };
        let answer = liar.try_report(vec![outcome]).await.unwrap();
        assert_eq!(answer.refused, [task]);
    }
    for number in [0, 9] {
        let mut bent = done.clone();
        let Some(v1::task_outcome::Outcome::Receipt(receipt)) = &mut bent.outcome else {
            panic!("{bent:?}")
        };
        receipt.objects[0].proof = number;
        let failure = honest.try_report(vec![bent]).await.unwrap_err();
        assert_eq!(failure.reason, Reason::InvalidArgument, "proof {number}");
        assert!(failure.message.contains("proof"), "{failure}");
    }
    let registered = std::mem::replace(&mut liar.id, uuid::Uuid::from_u128(7).to_string());
    let failure = liar.try_report(vec![done.clone()]).await.unwrap_err();
    assert_eq!(failure.reason, Reason::WorkerNotFound, "an unknown worker");
    liar.id = registered;
    assert!(lake.versions("target").is_empty());
    honest.report(vec![done]).await;
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
}

/// Enough files for several tasks.
fn many_tasks(lake: &Lake) {
    let names: Vec<_> = (0..1_500).map(|number| format!("f{number:04}.parquet")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    lake.commit("source", 0, &files);
}

async fn workers(running: &mut Running) -> Vec<v1::Worker> {
    let request = v1::ListWorkersRequest::default();
    running.workers.list_workers(request).await.unwrap().into_inner().workers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_permission_is_set_aside_and_fails_no_job() {
    let lake = Lake::new();
    many_tasks(&lake);
    // Leases as long as real ones: what is told here does not depend on the clock.
    let mut running = Running::limited(&lake, Limits::default()).await;
    let mut bad = Worker::register(&running, &lake, "bad").await;
    let mut good = Worker::register(&running, &lake, "good").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let mut denied = 0;
    while denied < 3 {
        good.heartbeat(vec![]).await.unwrap();
        let grants = bad.acquire_room(256).await.unwrap();
        denied += grants.len();
        let failures = grants.iter().map(|grant| Worker::fail(grant, Kind::SourceDenied));
        bad.report(failures.collect()).await;
    }
    assert!(workers(&mut running).await.iter().all(|worker| worker.set_aside.is_empty()));
    let working = good.work();
    let done = running.finish(&job.name).await;
    assert_eq!(done.state(), State::Succeeded, "{done:?}");
    bad.heartbeat(vec![]).await.ok();
    let shown = workers(&mut running).await;
    let aside = |name: &str| {
        shown.iter().find(|worker| worker.display_name == name).unwrap().set_aside.clone()
    };
    let [set_aside] = &aside("bad")[..] else { panic!("{shown:?}") };
    assert_eq!(set_aside.connection, "lake");
    assert_eq!(set_aside.reason, "it did not work");
    let seconds = |time: Option<prost_types::Timestamp>| time.unwrap().seconds;
    assert!(seconds(set_aside.until_time) > seconds(shown[0].last_seen_time));
    assert!(aside("good").is_empty());
    running.embedded.stop().await.unwrap();
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_fails_when_every_worker_is_denied() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut workers = [
        Worker::register(&running, &lake, "a").await,
        Worker::register(&running, &lake, "b").await,
    ];
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    running.reach(&job.name, State::Copying).await;
    for at in [0, 1] {
        let grants = loop {
            for worker in &mut workers {
                worker.heartbeat(vec![]).await.unwrap();
            }
            let grants = workers[at].acquire_once(9).await.unwrap();
            if !grants.is_empty() {
                break grants;
            }
        };
        workers[at].report(vec![Worker::fail(&grants[0], Kind::TargetDenied)]).await;
    }
    let job = running.finish(&job.name).await;
    assert_eq!(job.failure.unwrap().reason, "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_vanished_is_planned_around_at_the_newest_version() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa"), ("b.parquet", b"bb")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire().await.unwrap();
    // The source compacts its files, and a VACUUM removes one that the plan needs.
    let remove = r#"{"remove":{"path":"a.parquet","deletionTimestamp":1,"dataChange":true}}"#;
    lake.commit("source", 1, &[("c.parquet", b"cccc")]);
    let commit = lake.path("source/_delta_log/00000000000000000001.json");
    let text = fs::read_to_string(&commit).unwrap();
    fs::write(&commit, format!("{text}{remove}\n")).unwrap();
    fs::remove_file(lake.path("source/a.parquet")).unwrap();
    worker.report(vec![Worker::fail(&grants[0], Kind::SourceNotFound)]).await;

    let _working = worker.work();
    let done = running.finish(&job.name).await;
    assert_eq!(done.state(), State::Succeeded, "{done:?}");
    assert_eq!(done.result.unwrap().source_version, Some(1));
    let commit = fs::read_to_string(lake.path("target/_delta_log/00000000000000000000.json"));
    let commit = commit.unwrap();
    assert!(commit.contains("c.parquet") && !commit.contains("a.parquet"), "{commit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_the_newest_version_needs_fails_the_job_by_its_key() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    for newest in [true, false] {
        let mut worker = Worker::register(&running, &lake, "w").await;
        let point = (!newest).then_some(v1::clone_spec::SourcePoint::Version(0));
        let spec = v1::CloneSpec { source_point: point, ..lake.spec("source", "target") };
        let job = running.create(spec).await.unwrap();
        let grants = worker.acquire().await.unwrap();
        worker.report(vec![Worker::fail(&grants[0], Kind::SourceNotFound)]).await;
        let failure = running.finish(&job.name).await.failure.unwrap();
        assert_eq!(failure.reason, "OBJECT_VANISHED");
        if newest {
            assert!(failure.message.contains("a.parquet"), "{}", failure.message);
            assert_eq!(failure.details["key"], "a.parquet");
        }
        let request =
            v1::DeregisterWorkerRequest { worker_id: worker.id.clone(), returned: vec![] };
        worker.client.deregister_worker(request).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_no_worker_takes_ends_with_no_workers() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let limits = Limits { no_workers_wait: Duration::from_millis(300), ..LIMITS() };
    let mut running = Running::limited(&lake, limits).await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let failure = running.finish(&job.name).await.failure.unwrap();
    assert_eq!(failure.reason, "NO_WORKERS");
    assert!(failure.message.contains("connections of source and target"), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_commit_still_ends_in_a_checkpoint_and_hints() {
    let lake = Lake::new();
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    let mut name = String::new();
    for (version, file) in [(0, "a.parquet"), (1, "b.parquet")] {
        lake.commit("source", version, &[(file, b"aaaa")]);
        let spec = v1::CloneSpec {
            properties: [("delta.checkpointInterval".to_owned(), "1".to_owned())].into(),
            ..lake.spec("source", "target")
        };
        name = running.create(spec).await.unwrap().name;
        let done = running.finish(&name).await;
        assert_eq!(done.state(), State::Succeeded, "{done:?}");
    }
    running.embedded.stop().await.unwrap();
    working.await.unwrap();

    // As if the process had died between the commit and all that follows it.
    take_back_the_last_end(&lake.path("state.db")).await;
    let after = [
        "target/_delta_log/00000000000000000001.checkpoint.parquet",
        "target/_delta_log/_last_checkpoint",
        "target/_deepclone/replica.json",
    ];
    let kept = after.map(|file| fs::read(lake.path(file)).unwrap());
    for file in after {
        fs::remove_file(lake.path(file)).unwrap();
    }
    let mut running = Running::start(&lake, &place).await;
    let done = running.finish(&name).await;
    assert_eq!(done.state(), State::Succeeded, "{done:?}");
    assert_eq!(after.map(|file| fs::read(lake.path(file)).unwrap()), kept);
    assert_eq!(lake.versions("target").len(), 2);
}

/// Deletes the facts from the last `published` on.
async fn take_back_the_last_end(database: &std::path::Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let facts = sqlx::query(
        "DELETE FROM facts
         WHERE sequence >= (SELECT max(sequence) FROM facts WHERE kind = 'published')",
    );
    assert_eq!(facts.execute(&pool).await.unwrap().rows_affected(), 2);
    let row = "DELETE FROM jobs WHERE ended_sequence = (SELECT max(ended_sequence) FROM jobs)";
    assert_eq!(sqlx::query(row).execute(&pool).await.unwrap().rows_affected(), 1);
    pool.close().await;
}
