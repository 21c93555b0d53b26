//! Registers with a coordinator, then acquires, heartbeats and reports side by side.
//!
//! A session ends when the coordinator is away, or does not know the worker any more. Held grants
//! are copied on until their leases end, and announced again at the next registration. An answer of
//! a lower epoch than one already seen is ignored: it comes from a coordinator that leads no more.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use deepclone_common::connections::{Connections, Offer};
use deepclone_common::dial::CoordinatorChannel;
use deepclone_common::random;
use deepclone_common::store::retry::jittered;
use deepclone_core::failure::Failure;
use deepclone_core::ids::GrantKey;
use deepclone_core::limits::{ACQUIRE_WAIT_MAX, MESSAGE_BYTES_MAX};
use deepclone_core::task::Grant;
use deepclone_proto::convert::outcome::outcome_to_wire;
use deepclone_proto::convert::task::told_from_wire;
use deepclone_proto::convert::time::{duration_from_wire, duration_to_wire};
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::{DISPATCH_PROTOCOLS, status, v1};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status};

use crate::held::HeldTasks;
use crate::options::{CoordinatorEndpoint, WorkerOptions};

/// The longest wait for an answer, beyond what the call itself waits.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// The first pause when no coordinator answers; it doubles up to [`AWAY_MAX`].
const AWAY_MIN: Duration = Duration::from_millis(100);
/// The longest pause when no coordinator answers.
const AWAY_MAX: Duration = Duration::from_secs(5);
/// How long copies that were stopped may take to give up their uploads.
const GIVE_UP_MAX: Duration = Duration::from_secs(1);
/// Outcomes in one report: with 256 objects each and tags of 1 KiB, less than a message may have.
const OUTCOMES_PER_REPORT: usize = 8;

/// The worker's state that outlives a session.
struct Worker {
    options: WorkerOptions,
    incarnation: uuid::Uuid,
    connections: Arc<Connections>,
    held: HeldTasks,
    /// The highest epoch of any answer.
    epoch: AtomicU64,
    /// True once the coordinator has told the worker to leave.
    draining: AtomicBool,
    shutdown: CancellationToken,
}

/// One registration with a coordinator.
struct Session {
    client: DispatchServiceClient<CoordinatorChannel>,
    worker_id: String,
    heartbeat_interval: Duration,
    lease_ttl: Duration,
    /// What the worker announced.
    offers: Vec<Offer>,
}

/// How a session ended.
enum End {
    /// The worker has left: every grant is done or returned.
    Left,
    /// The coordinator is away, or does not know the worker: it must register again.
    Lost(Status),
    /// The worker has other connections than those it registered with.
    Changed,
}

/// Serves whichever of `coordinators` leads until `shutdown`, or until it is told to drain; then
/// finishes or returns its grants and leaves. `registered` shows the URL of the coordinator that
/// knows the worker, `None` while none does.
///
/// # Errors
/// A coordinator refuses this worker for good. One that is away is waited for.
pub async fn run(
    options: WorkerOptions,
    coordinators: Vec<CoordinatorEndpoint>,
    connections: Arc<Connections>,
    registered: watch::Sender<Option<String>>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let metrics = options.metrics.clone();
    let held = HeldTasks::new(Arc::clone(&connections), &options.limits, metrics)
        .traced(options.spans.clone(), options.name.clone());
    let worker = Worker {
        options,
        incarnation: random::uuid(),
        connections,
        held,
        epoch: AtomicU64::new(0),
        draining: AtomicBool::new(false),
        shutdown,
    };
    let mut away = AWAY_MIN;
    let mut was_known = false;
    let mut waiting = Waiting::default();
    loop {
        for coordinator in &coordinators {
            let session = tokio::select! {
                biased;
                session = worker.register(coordinator) => session,
                () = worker.shutdown.cancelled() => return worker.leave_alone().await,
            };
            match session {
                Ok(session) => {
                    worker.tell_registered(&session, &coordinator.url);
                    registered.send_replace(Some(coordinator.url.clone()));
                    was_known = true;
                    waiting = Waiting::default();
                    let end = worker.serve(&session).await;
                    registered.send_replace(None);
                    worker.options.metrics.registered(false);
                    away = AWAY_MIN;
                    match end {
                        End::Left => return Ok(()),
                        End::Lost(status) => {
                            let (code, error) = (status.code(), status.message());
                            tracing::warn!(
                                worker = session.worker_id,
                                ?code,
                                error,
                                "coordinator lost"
                            );
                        }
                        End::Changed => tracing::info!("registers again with other connections"),
                    }
                }
                // A credential that counted before may be replaced while this waits.
                Err(status) if is_final(&status) && !(was_known && is_of_credential(&status)) => {
                    return Err(status::from_status(&status));
                }
                Err(status) => waiting.tell(&coordinator.url, &status),
            }
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(jittered(away)) => {}
            () = worker.shutdown.cancelled() => return worker.leave_alone().await,
        }
        away = (away * 2).min(AWAY_MAX);
    }
}

/// Why each coordinator does not take the worker. The same is not said twice in a row.
#[derive(Default)]
struct Waiting(BTreeMap<String, String>);

impl Waiting {
    fn tell(&mut self, coordinator: &str, status: &Status) {
        let error = status.message();
        if self.is_news(coordinator, error) {
            tracing::warn!(coordinator, code = ?status.code(), error, "waits for a coordinator");
        }
    }

    fn is_news(&mut self, coordinator: &str, error: &str) -> bool {
        self.0.insert(coordinator.to_owned(), error.to_owned()).as_deref() != Some(error)
    }
}

/// True when another call would get the same answer.
fn is_final(status: &Status) -> bool {
    let code = status.code();
    matches!(code, Code::InvalidArgument | Code::FailedPrecondition) || is_of_credential(status)
}

/// True when the coordinator does not know or allow who asks.
fn is_of_credential(status: &Status) -> bool {
    matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated)
}

/// Waits for an answer, and returns a status of its own when none comes in time.
async fn answer<T>(
    wait: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(wait, call).await {
        Ok(answer) => answer.map(Response::into_inner),
        Err(_) => Err(Status::unavailable("the coordinator did not answer in time")),
    }
}

fn bad_answer(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("the coordinator's answer means nothing here: {error}"))
}

impl Worker {
    fn tell_registered(&self, session: &Session, coordinator: &str) {
        let (worker, name) = (&session.worker_id, &self.options.name);
        tracing::info!(worker, name, coordinator, "registered");
        self.options.metrics.registered(true);
    }

    async fn register(&self, coordinator: &CoordinatorEndpoint) -> Result<Session, Status> {
        let mut client = DispatchServiceClient::new(coordinator.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let offers = self.connections.offers();
        let told = offers.iter().map(|offer| v1::ConnectionOffer {
            name: offer.name.clone(),
            fingerprint: offer.fingerprint.to_vec(),
            can_read: offer.can_read,
            can_write: offer.can_write,
        });
        let request = v1::RegisterWorkerRequest {
            name: self.options.name.clone(),
            protocol_min: *DISPATCH_PROTOCOLS.start(),
            protocol_max: *DISPATCH_PROTOCOLS.end(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            connections: told.collect(),
            held: self.held.all().iter().map(|held| (&held.key).into()).collect(),
            incarnation: self.incarnation.as_bytes().to_vec(),
        };
        let known = answer(ANSWER_WAIT_MAX, client.register_worker(request)).await?;
        if !self.is_current(known.leader_epoch) {
            return Err(Status::unavailable("the coordinator leads no more"));
        }
        if !DISPATCH_PROTOCOLS.contains(&known.protocol) {
            let message = format!("the coordinator speaks protocol {}", known.protocol);
            return Err(Status::failed_precondition(message));
        }
        let interval = duration_from_wire(known.heartbeat_interval, "heartbeat_interval");
        Ok(Session {
            client,
            worker_id: known.worker_id,
            heartbeat_interval: interval.map_err(bad_answer)?,
            lease_ttl: duration_from_wire(known.lease_ttl, "lease_ttl").map_err(bad_answer)?,
            offers,
        })
    }

    /// Notes an answer's epoch. Returns false when a higher one was seen.
    fn is_current(&self, epoch: u64) -> bool {
        self.epoch.fetch_max(epoch, Ordering::Relaxed) <= epoch
    }

    async fn serve(&self, session: &Session) -> End {
        let lost = tokio::select! {
            biased;
            lost = self.acquire(session) => lost,
            lost = self.beat(session) => lost,
            lost = self.report(session) => lost,
            () = self.left(session) => return End::Left,
            () = self.connections.until_offers_differ(&session.offers) => return End::Changed,
        };
        End::Lost(lost)
    }

    /// Asks for tasks while the worker has capacity and should not leave.
    async fn acquire(&self, session: &Session) -> Status {
        let mut client = session.client.clone();
        loop {
            self.held
                .until(|held| {
                    let capacity = held.capacity();
                    capacity.bytes > 0 && capacity.objects > 0
                })
                .await;
            if self.is_leaving() {
                return std::future::pending().await;
            }
            let capacity = self.held.capacity();
            let request = v1::AcquireTasksRequest {
                worker_id: session.worker_id.clone(),
                bytes_free: capacity.bytes,
                objects_free: capacity.objects,
                wait: Some(duration_to_wire(ACQUIRE_WAIT_MAX)),
            };
            let wait = ACQUIRE_WAIT_MAX + ANSWER_WAIT_MAX;
            let granted = tokio::select! {
                biased;
                granted = answer(wait, client.acquire_tasks(request)) => granted,
                () = self.shutdown.cancelled() => return std::future::pending().await,
            };
            match granted {
                Ok(granted) if self.is_current(granted.leader_epoch) => {
                    let came_at = Instant::now();
                    for grant in granted.grants {
                        match Grant::try_from(grant) {
                            Ok(grant) => self.held.start(grant, came_at),
                            Err(error) => return bad_answer(error),
                        }
                    }
                }
                Ok(_) => return Status::unavailable("the coordinator leads no more"),
                Err(status) => return status,
            }
        }
    }

    /// Sends heartbeats with the grants that are held.
    async fn beat(&self, session: &Session) -> Status {
        let mut client = session.client.clone();
        let mut ticks = tokio::time::interval(session.heartbeat_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let held = self.held.all();
            let sent_at = Instant::now();
            let request = v1::SendHeartbeatRequest {
                worker_id: session.worker_id.clone(),
                held: held.iter().map(Into::into).collect(),
            };
            match answer(ANSWER_WAIT_MAX, client.send_heartbeat(request)).await {
                Ok(beat) if self.is_current(beat.leader_epoch) => {
                    let abandon = beat.abandon.into_iter().map(GrantKey::try_from);
                    let shares = beat.shares.into_iter().map(told_from_wire);
                    let shares = shares.collect::<Result<Vec<_>, _>>();
                    match (abandon.collect::<Result<Vec<_>, _>>(), shares) {
                        (Ok(abandon), Ok(shares)) => {
                            self.held.forget(abandon);
                            self.held.limit(shares);
                        }
                        (Err(error), _) | (_, Err(error)) => return bad_answer(error),
                    }
                    self.held.extend(&held, sent_at, session.lease_ttl);
                    if beat.drain && !self.draining.swap(true, Ordering::Relaxed) {
                        tracing::info!("draining: the coordinator asks for it");
                        self.held.forget([]);
                    }
                }
                Ok(_) => return Status::unavailable("the coordinator leads no more"),
                Err(status) => return status,
            }
        }
    }

    /// Reports ended tasks, and forgets each once the coordinator has answered.
    async fn report(&self, session: &Session) -> Status {
        let mut client = session.client.clone();
        loop {
            self.held.until(|held| !held.outcomes(1).is_empty()).await;
            let outcomes = self.held.outcomes(OUTCOMES_PER_REPORT);
            let request = v1::ReportTasksRequest {
                worker_id: session.worker_id.clone(),
                outcomes: outcomes.iter().map(|(key, how)| outcome_to_wire(key, how)).collect(),
            };
            match answer(ANSWER_WAIT_MAX, client.report_tasks(request)).await {
                Ok(taken) if self.is_current(taken.leader_epoch) => {
                    if !taken.refused.is_empty() {
                        let count = taken.refused.len();
                        tracing::warn!(
                            count,
                            "the coordinator does not know these grants: they are dropped"
                        );
                    }
                    self.held.forget(outcomes.iter().map(|(key, _)| *key));
                }
                Ok(_) => return Status::unavailable("the coordinator leads no more"),
                Err(status) => return status,
            }
        }
    }

    /// Stops all copies, each of which throws its upload away, and returns the grants.
    async fn give_up(&self) -> Vec<GrantKey> {
        let held: Vec<GrantKey> = self.held.all().iter().map(|held| held.key).collect();
        self.held.forget(held.iter().copied());
        let _in_time = tokio::time::timeout(GIVE_UP_MAX, self.held.given_up()).await;
        held
    }

    /// Leaves while no coordinator is there: it takes the grants back when it starts, or when it
    /// notices that the heartbeats stopped.
    async fn leave_alone(&self) -> Result<(), Failure> {
        let held = self.give_up().await.len();
        if held > 0 {
            tracing::warn!(held, "leaving without a coordinator: copies are given up");
        }
        Ok(())
    }

    fn is_leaving(&self) -> bool {
        self.shutdown.is_cancelled() || self.draining.load(Ordering::Relaxed)
    }

    /// Waits until the worker should leave, then leaves: it waits for the held grants for a while,
    /// and returns what is not done then.
    async fn left(&self, session: &Session) {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => {}
            () = self.held.until(|_| self.draining.load(Ordering::Relaxed)) => {}
        }
        let finished = self.held.until(HeldTasks::is_empty);
        let _in_time = tokio::time::timeout(self.options.drain_max, finished).await;
        let returned = self.give_up().await;
        let request = v1::DeregisterWorkerRequest {
            worker_id: session.worker_id.clone(),
            returned: returned.iter().map(Into::into).collect(),
        };
        let mut client = session.client.clone();
        // A coordinator that does not get it notices that the heartbeats stop.
        if let Err(status) = answer(ANSWER_WAIT_MAX, client.deregister_worker(request)).await {
            tracing::info!(code = ?status.code(), "no answer to the worker's leave");
        }
    }
}
