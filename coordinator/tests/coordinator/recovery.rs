//! A coordinator that starts again, and evidence of earlier jobs.

use std::fs;

use deepclone_coordinator::state::Place;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;

use crate::support::{Lake, Running, Worker, objects};

const HINT: &str = "target/_deepclone/replica.json";

/// Enough files for two tasks: a task holds 256 objects at the most.
fn big_commit(lake: &Lake) {
    let names: Vec<_> = (0..300).map(|number| format!("f{number:03}.parquet")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    lake.commit("source", 0, &files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_and_copies_nothing_twice() {
    let lake = Lake::new();
    big_commit(&lake);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::start(&lake, &place).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire_room(256).await.unwrap();
    assert_eq!(grants.len(), 1);
    let first = objects(&grants[0]);
    worker.report(vec![worker.copy(&grants[0])]).await;
    let Running { embedded, .. } = running;
    embedded.stop().await.unwrap();

    let mut running = Running::start(&lake, &place).await;
    let shown = v1::GetJobRequest { name: job.name.clone() };
    let shown = running.jobs.get_job(shown).await.unwrap().into_inner();
    assert_eq!(shown.spec, job.spec);
    assert_eq!(shown.create_time, job.create_time);
    worker.move_to(&running, vec![]).await;
    let grants = worker.acquire().await.unwrap();
    assert_eq!(grants.iter().map(objects).sum::<usize>(), 300 - first);
    let outcomes = grants.iter().map(|grant| worker.copy(grant)).collect();
    worker.report(outcomes).await;
    let done = running.finish(&job.name).await;
    assert_eq!(done.state(), State::Succeeded, "{done:?}");
    let result = done.result.unwrap();
    assert_eq!((result.objects_copied, result.bytes_read), (300, 300));
    assert_eq!(result.proofs.unwrap().read_back, 300, "those of before the restart, too");
    running.embedded.stop().await.unwrap();

    // What ended stays as it was told.
    let mut running = Running::start(&lake, &place).await;
    let shown = v1::GetJobRequest { name: job.name.clone() };
    let shown = running.jobs.get_job(shown).await.unwrap().into_inner();
    assert_eq!(shown.state(), State::Succeeded);
    let result = shown.result.unwrap();
    assert_eq!(result.clone_metrics["num_copied_files"], 300);
    assert_eq!(result.proofs.unwrap().read_back, 300);
    assert_eq!(lake.versions("target").len(), 1);
}

/// Copies the first task of a job, then cancels it.
async fn leave_half(lake: &Lake, running: &mut Running, worker: &mut Worker) -> usize {
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire_room(256).await.unwrap();
    worker.report(vec![worker.copy(&grants[0])]).await;
    running.jobs.cancel_job(v1::CancelJobRequest { name: job.name.clone() }).await.unwrap();
    assert_eq!(running.finish(&job.name).await.state(), State::Cancelled);
    objects(&grants[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_job_copied_is_proved_and_what_a_vacuum_took_is_copied_again() {
    let lake = Lake::new();
    big_commit(&lake);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let copied = leave_half(&lake, &mut running, &mut worker).await;
    fs::remove_file(lake.path("target").join("f000.parquet")).unwrap();

    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire().await.unwrap();
    assert_eq!(grants.iter().map(objects).sum::<usize>(), 300, "the worker looks at each");
    let outcomes = grants.iter().map(|grant| worker.copy(grant)).collect();
    worker.report(outcomes).await;
    let done = running.finish(&job.name).await;
    assert_eq!(done.state(), State::Succeeded, "{done:?}");
    let result = done.result.unwrap();
    assert_eq!(usize::try_from(result.objects_skipped).unwrap(), copied - 1);
    assert!(lake.path("target").join("f000.parquet").exists());
}

/// Nothing but the replica's log knows of a job whose database is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_database_is_lost_is_not_made_twice_though_others_followed() {
    let lake = Lake::new();
    let mut versions = Vec::new();
    for (number, asked) in ["nightly", "hourly", "nightly", "hourly", "weekly"].iter().enumerate() {
        let version = number as u64;
        lake.commit("source", version, &[(&format!("f{number}.parquet"), b"x")]);
        let mut running = Running::start(&lake, &Place::Private).await;
        let _working = Worker::register(&running, &lake, "w").await.work();
        let hint = fs::read(lake.path(HINT)).unwrap_or_default();
        let job = running.create_as(lake.spec("source", "target"), asked).await.unwrap();
        let done = running.finish(&job.name).await;
        assert_eq!(done.state(), State::Succeeded, "{asked}: {done:?}");
        let result = done.result.unwrap();
        versions.push((result.target_version.unwrap(), result.up_to_date));
        let is_told_again = result.up_to_date;
        assert_eq!(fs::read(lake.path(HINT)).unwrap() == hint, is_told_again, "{asked}");
        running.embedded.stop().await.unwrap();
    }
    let expected = [(0, false), (1, false), (0, true), (1, true), (2, false)];
    assert_eq!(versions, expected, "the version, and whether it was there before");
    assert_eq!(lake.versions("target").len(), 3);
}
