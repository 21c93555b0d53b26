//! Leases, lost and draining workers, refusals of the dispatch protocol.

use deepclone_coordinator::state::Place;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;

use crate::support::{Lake, Running, Worker};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_workers_task_goes_to_another() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut lost = Worker::register(&running, &lake, "lost").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = lost.acquire().await.unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].task.as_ref().unwrap().attempt, 1);
    // It says nothing more; its lease runs out while the other one waits.
    let mut other = Worker::register(&running, &lake, "other").await;
    let grants = other.acquire().await.unwrap();
    assert_eq!(grants[0].task.as_ref().unwrap().attempt, 2);
    other.report(vec![other.copy(&grants[0])]).await;
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_is_told_and_gets_nothing() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let name = format!("workers/{}", worker.id);
    let shown = running
        .workers
        .drain_worker(v1::DrainWorkerRequest { name: name.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(shown.state(), v1::worker::State::Draining);
    assert_eq!((shown.display_name.as_str(), shown.name), ("w", name.clone()));
    assert_eq!(shown.connections, ["in", "lake", "out"]);
    running.create(lake.spec("source", "target")).await.unwrap();
    assert!(worker.heartbeat(vec![]).await.unwrap().drain);
    assert!(worker.acquire_once(1).await.unwrap().is_empty());

    let request = v1::DeregisterWorkerRequest { worker_id: worker.id.clone(), returned: vec![] };
    worker.client.deregister_worker(request).await.unwrap();
    let failure = worker.acquire_once(1).await.unwrap_err();
    assert_eq!(failure.reason, Reason::WorkerNotFound);
    let failure = worker.heartbeat(vec![]).await.unwrap_err();
    assert_eq!(failure.reason, Reason::WorkerNotFound);
    let status = running.workers.get_worker(v1::GetWorkerRequest { name }).await.unwrap_err();
    assert_eq!(from_status(&status).reason, Reason::WorkerNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_one_name_are_two_workers() {
    let lake = Lake::new();
    let mut running = Running::start(&lake, &Place::Private).await;
    let one = Worker::register(&running, &lake, "twin").await;
    let other = Worker::register(&running, &lake, "twin").await;
    assert_ne!(one.id, other.id);
    let request = v1::ListWorkersRequest::default();
    let all = running.workers.list_workers(request).await.unwrap().into_inner().workers;
    assert_eq!(all.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_does_not_fit_is_a_failed_try() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire().await.unwrap();
    let mut outcome = worker.copy(&grants[0]);
    if let Some(v1::task_outcome::Outcome::Receipt(receipt)) = &mut outcome.outcome {
        receipt.objects[0].size += 1;
    }
    worker.report(vec![outcome]).await;
    let grants = worker.acquire().await.unwrap();
    assert_eq!(grants[0].task.as_ref().unwrap().attempt, 2);
    worker.report(vec![worker.copy(&grants[0])]).await;
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_another_protocol_is_refused() {
    let lake = Lake::new();
    let running = Running::start(&lake, &Place::Private).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let request = v1::RegisterWorkerRequest {
        name: "new".to_owned(),
        protocol_min: 7,
        protocol_max: 9,
        incarnation: vec![0; 16],
        ..Default::default()
    };
    let status = worker.client.register_worker(request).await.unwrap_err();
    let failure = from_status(&status);
    assert_eq!(failure.reason, Reason::InvalidArgument);
    assert!(failure.message.contains("7 to 9"), "{failure}");
}
