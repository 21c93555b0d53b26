//! A worker that says of each task that it is done, when its time has come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deepclone_common::connections::Offer;
use deepclone_proto::DISPATCH_PROTOCOLS;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::object_receipt::Proof;
use deepclone_proto::v1::task_outcome::Outcome;
use deepclone_proto::v1::task_spec::Work;
use deepclone_proto::v1::{
    AcquireTasksRequest, ConnectionOffer, Grant, GrantKey, HeldTask, ObjectReceipt, Receipt,
    RegisterWorkerRequest, ReportTasksRequest, SendHeartbeatRequest, TaskOutcome,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::figures::Figures;

/// Bytes that a worker asks for: four tasks.
const BYTES_FREE: u64 = 256 << 20;
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// What all workers share.
pub(crate) struct Fleet {
    offers: Vec<Offer>,
    /// From one receipt of a worker to its next.
    pause: Duration,
    figures: Mutex<Figures>,
    reported: Notify,
}

/// A registered worker, with the grants that it holds.
pub(crate) struct ThinWorker {
    fleet: Arc<Fleet>,
    number: u32,
    client: DispatchServiceClient<Channel>,
    id: String,
    held: Arc<Mutex<Vec<GrantKey>>>,
}

impl Fleet {
    /// Workers that offer these connections and make so many receipts a second together.
    pub(crate) fn new(offers: Vec<Offer>, workers: u32, rate: u32) -> Self {
        let pause = match rate {
            0 => Duration::ZERO,
            _ => Duration::from_secs(workers.into()) / rate,
        };
        Self { offers, pause, figures: Mutex::default(), reported: Notify::new() }
    }

    /// Waits until so many tasks were reported.
    pub(crate) async fn until_reported(&self, tasks: u32) {
        while self.note().reports.count() < tasks {
            self.reported.notified().await;
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        self.note().clone()
    }

    fn note(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThinWorker {
    pub(crate) async fn register(
        fleet: Arc<Fleet>,
        number: u32,
        channel: Channel,
    ) -> Result<Self, Status> {
        let mut client = DispatchServiceClient::new(channel);
        let offered = fleet.offers.iter().map(|offer| ConnectionOffer {
            name: offer.name.clone(),
            fingerprint: offer.fingerprint.to_vec(),
            can_read: offer.can_read,
            can_write: offer.can_write,
        });
        let request = RegisterWorkerRequest {
            name: format!("worker-{number}"),
            protocol_min: *DISPATCH_PROTOCOLS.start(),
            protocol_max: *DISPATCH_PROTOCOLS.end(),
            version: "bench".to_owned(),
            connections: offered.collect(),
            held: Vec::new(),
            incarnation: vec![7; 16],
        };
        let id = client.register_worker(request).await?.into_inner().worker_id;
        Ok(Self { fleet, number, client, id, held: Arc::default() })
    }

    /// Works until it is aborted.
    pub(crate) fn start(self) -> JoinHandle<Result<(), Status>> {
        tokio::spawn(async move {
            let beats = self.beat();
            let works = self.work();
            tokio::try_join!(beats, works).map(|_| ())
        })
    }

    async fn beat(&self) -> Result<(), Status> {
        let mut client = self.client.clone();
        // They do not all beat at the same moment.
        tokio::time::sleep(HEARTBEAT_INTERVAL / 1_000 * (self.number % 1_000)).await;
        let mut due = tokio::time::interval(HEARTBEAT_INTERVAL);
        loop {
            due.tick().await;
            let keys = self.held().clone();
            let told = |key| HeldTask { task: Some(key), bytes_done: 1, bytes_read: 1 };
            let held = keys.into_iter().map(told).collect();
            let begun = Instant::now();
            let worker_id = self.id.clone();
            client.send_heartbeat(SendHeartbeatRequest { worker_id, held }).await?;
            self.fleet.note().heartbeats.note(begun.elapsed());
        }
    }

    async fn work(&self) -> Result<(), Status> {
        let mut client = self.client.clone();
        // They do not all begin at the same moment.
        let share = f64::from(self.number % 997) / 997.0;
        let mut next = tokio::time::Instant::now() + self.fleet.pause.mul_f64(share);
        loop {
            tokio::time::sleep_until(next).await;
            let begun = Instant::now();
            let request = AcquireTasksRequest {
                worker_id: self.id.clone(),
                bytes_free: BYTES_FREE,
                objects_free: 1_000,
                wait: Some(prost_types::Duration { seconds: 20, nanos: 0 }),
            };
            let answer = client.acquire_tasks(request).await?.into_inner();
            if !answer.grants.is_empty() {
                let mut figures = self.fleet.note();
                figures.grants.note(begun.elapsed());
                figures.tasks_granted += u32::try_from(answer.grants.len()).unwrap_or(u32::MAX);
            }
            self.held().extend(answer.grants.iter().filter_map(|grant| grant.task.clone()));
            for grant in answer.grants {
                next = (next + self.fleet.pause).max(tokio::time::Instant::now());
                tokio::time::sleep_until(next).await;
                self.report(&mut client, grant).await?;
            }
        }
    }

    async fn report(
        &self,
        client: &mut DispatchServiceClient<Channel>,
        grant: Grant,
    ) -> Result<(), Status> {
        let outcome = outcome(&grant).ok_or_else(|| Status::internal("another task"))?;
        let begun = Instant::now();
        let (worker_id, outcomes) = (self.id.clone(), vec![outcome]);
        let request = ReportTasksRequest { worker_id, outcomes };
        let answer = client.report_tasks(request).await?.into_inner();
        if !answer.refused.is_empty() {
            return Err(Status::new(Code::Internal, "a receipt was refused"));
        }
        self.held().retain(|key| Some(key) != grant.task.as_ref());
        self.fleet.note().reports.note(begun.elapsed());
        self.fleet.reported.notify_one();
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Vec<GrantKey>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every object of the task is at the target, as far as the worker says.
fn outcome(grant: &Grant) -> Option<TaskOutcome> {
    let Work::Batch(batch) = grant.spec.as_ref()?.work.as_ref()? else { return None };
    let objects = batch.objects.iter().map(|object| ObjectReceipt {
        size: object.size,
        crc64nvme: 1,
        source_etag: "e3a1f".to_owned(),
        target_etag: "e3a1f".to_owned(),
        existed: false,
        proof: Proof::StoredChecksum.into(),
    });
    let bytes = batch.objects.iter().map(|object| object.size).sum();
    let receipt = Receipt {
        objects: objects.collect(),
        bytes_read: bytes,
        bytes_written: bytes,
        requests: 2,
        source_requests: 1,
        elapsed_ms: 100,
        ..Receipt::default()
    };
    Some(TaskOutcome { task: grant.task.clone(), outcome: Some(Outcome::Receipt(receipt)) })
}
