//! A whole worker against a fake coordinator, over an in-memory connection.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use deepclone_common::config::Config;
use deepclone_common::connections::Side;
use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::exposition::classic;
use deepclone_core::evidence::Prior;
use deepclone_core::ids::{Attempt, Epoch, JobId, TaskFingerprint};
use deepclone_core::job_limits::JobShare;
use deepclone_core::spec::{TableRef, Verification};
use deepclone_core::task::{ObjectCopy, TaskSide, TaskSpec, TaskWork};
use deepclone_proto::v1::dispatch_service_server::{DispatchService, DispatchServiceServer};
use tokio::sync::Notify;
use tonic::Request;

use super::*;
use crate::metrics::WorkerMetrics;
use crate::options::WorkerLimits;

type Answer<T> = Result<Response<T>, Status>;

/// A coordinator that grants what it was given and keeps what it is told.
#[derive(Default)]
struct Fake {
    epoch: AtomicU64,
    grants: Mutex<VecDeque<Grant>>,
    registered_with: Mutex<Vec<Vec<GrantKey>>>,
    offered: Mutex<Vec<String>>,
    outcomes: Mutex<Vec<v1::TaskOutcome>>,
    left_with: Mutex<Option<Vec<v1::GrantKey>>>,
    reports_to_refuse: AtomicU64,
    drain: AtomicBool,
    shares: Mutex<Vec<v1::ToldShare>>,
    changed: Notify,
}

impl Fake {
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    async fn until(&self, done: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if done(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it never came");
    }
}

struct Service(Arc<Fake>);

#[tonic::async_trait]
impl DispatchService for Service {
    async fn register_worker(
        &self,
        request: Request<v1::RegisterWorkerRequest>,
    ) -> Answer<v1::RegisterWorkerResponse> {
        let request = request.into_inner();
        let names = request.connections.into_iter().map(|offer| offer.name);
        *self.0.offered.lock().unwrap() = names.collect();
        let held = request.held.into_iter().map(|key| key.try_into().unwrap());
        self.0.registered_with.lock().unwrap().push(held.collect());
        self.0.changed.notify_waiters();
        Ok(Response::new(v1::RegisterWorkerResponse {
            worker_id: "w".to_owned(),
            leader_epoch: self.0.epoch(),
            protocol: 2,
            heartbeat_interval: Some(duration_to_wire(Duration::from_millis(20))),
            lease_ttl: Some(duration_to_wire(Duration::from_secs(30))),
        }))
    }

    async fn acquire_tasks(
        &self,
        _request: Request<v1::AcquireTasksRequest>,
    ) -> Answer<v1::AcquireTasksResponse> {
        loop {
            let grant = self.0.grants.lock().unwrap().pop_front();
            if let Some(grant) = grant {
                let grants = vec![(&grant).into()];
                let leader_epoch = self.0.epoch();
                return Ok(Response::new(v1::AcquireTasksResponse { leader_epoch, grants }));
            }
            self.0.changed.notified().await;
        }
    }

    async fn report_tasks(
        &self,
        request: Request<v1::ReportTasksRequest>,
    ) -> Answer<v1::ReportTasksResponse> {
        let refused = self.0.reports_to_refuse.load(Ordering::Relaxed);
        if refused > 0 {
            self.0.reports_to_refuse.store(refused - 1, Ordering::Relaxed);
            return Err(Status::not_found("the worker is not known"));
        }
        self.0.outcomes.lock().unwrap().extend(request.into_inner().outcomes);
        self.0.changed.notify_waiters();
        Ok(Response::new(v1::ReportTasksResponse {
            leader_epoch: self.0.epoch(),
            refused: Vec::new(),
        }))
    }

    async fn send_heartbeat(
        &self,
        _request: Request<v1::SendHeartbeatRequest>,
    ) -> Answer<v1::SendHeartbeatResponse> {
        Ok(Response::new(v1::SendHeartbeatResponse {
            leader_epoch: self.0.epoch(),
            abandon: Vec::new(),
            drain: self.0.drain.load(Ordering::Relaxed),
            shares: self.0.shares.lock().unwrap().clone(),
        }))
    }

    async fn deregister_worker(
        &self,
        request: Request<v1::DeregisterWorkerRequest>,
    ) -> Answer<v1::DeregisterWorkerResponse> {
        *self.0.left_with.lock().unwrap() = Some(request.into_inner().returned);
        self.0.changed.notify_waiters();
        Ok(Response::new(v1::DeregisterWorkerResponse {}))
    }
}

/// A channel to the fake over a pipe in memory; a new pipe for each connection.
fn channel(fake: &Arc<Fake>) -> tonic::transport::Channel {
    let fake = Arc::clone(fake);
    let connector = tower::service_fn(move |_uri: tonic::codegen::http::Uri| {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let service = DispatchServiceServer::new(Service(Arc::clone(&fake)));
        let incoming = tokio_stream::once(Ok::<_, std::io::Error>(theirs));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        async move { Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(ours)) }
    });
    tonic::transport::Endpoint::from_static("http://fake").connect_with_connector_lazy(connector)
}

fn connections(folder: &Path) -> Connections {
    let text = format!(
        "[connections.disk]\nurl = \"file://{0}\"\nroles = [\"source\", \"target\"]\n\
         [connections.archive]\nurl = \"file://{0}/archive\"\nroles = [\"source\"]",
        folder.display()
    );
    Connections::from_config(&Config::parse(&text).unwrap()).unwrap()
}

fn grant(connections: &Connections, folder: &Path, number: u8) -> Grant {
    let side = |name: &str, side| {
        let uri = format!("file://{}/{name}", folder.display());
        let found = connections.resolve(&TableRef { uri, connection: None }, side).unwrap();
        let Offered { connection, fingerprint, root } = Offered::from(found);
        TaskSide { connection, fingerprint, root }
    };
    let path = format!("f{number}");
    Grant {
        key: GrantKey {
            job: JobId(uuid::Uuid::from_u128(1)),
            fingerprint: TaskFingerprint([number; 32]),
            attempt: Attempt(1),
            epoch: Epoch(5),
        },
        ttl: Duration::from_secs(30),
        share: JobShare::ALL,
        trace: None,
        spec: TaskSpec {
            source: side("s", Side::Source),
            target: side("t", Side::Target),
            verification: Verification::Digest,
            work: TaskWork::Objects(vec![ObjectCopy {
                source_path: path.clone(),
                target_path: path,
                size: 3,
                size_is_minimum: false,
                prior: Prior::Absent,
            }]),
        },
    }
}

struct Offered {
    connection: String,
    fingerprint: [u8; 32],
    root: String,
}

impl From<deepclone_common::connections::Resolved> for Offered {
    fn from(found: deepclone_common::connections::Resolved) -> Self {
        Self { connection: found.connection, fingerprint: found.fingerprint, root: found.root }
    }
}

struct Running {
    fake: Arc<Fake>,
    connections: Connections,
    folder: tempfile::TempDir,
    shutdown: CancellationToken,
    worker: tokio::task::JoinHandle<Result<(), Failure>>,
    catalog: Catalog,
}

fn running(setup: impl Fn(&Fake)) -> Running {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("s")).unwrap();
    let connections = connections(folder.path());
    let fake = Arc::new(Fake { epoch: AtomicU64::new(5), ..Fake::default() });
    for number in 0..3 {
        std::fs::write(folder.path().join(format!("s/f{number}")), [number; 3]).unwrap();
        fake.grants.lock().unwrap().push_back(grant(&connections, folder.path(), number));
    }
    setup(&fake);
    let mut catalog = Catalog::default();
    let metrics = WorkerMetrics::new(&mut catalog);
    let limits = WorkerLimits::of(1 << 20, 512, None);
    let (name, drain_max) = ("w".to_owned(), Duration::from_secs(5));
    let options = WorkerOptions { name, limits, drain_max, metrics, spans: Default::default() };
    let shutdown = CancellationToken::new();
    let coordinator =
        CoordinatorEndpoint { url: "http://fake".to_owned(), channel: channel(&fake).into() };
    let (registered, _) = watch::channel(None);
    let worker = tokio::spawn(run(
        options,
        vec![coordinator],
        Arc::new(connections.clone()),
        registered,
        shutdown.clone(),
    ));
    Running { fake, connections, folder, shutdown, worker, catalog }
}

impl Running {
    fn reported(&self) -> BTreeSet<Vec<u8>> {
        let outcomes = self.fake.outcomes.lock().unwrap();
        let done = outcomes.iter().filter(|outcome| {
            matches!(outcome.outcome, Some(v1::task_outcome::Outcome::Receipt(_)))
        });
        done.map(|outcome| outcome.task.clone().unwrap().fingerprint).collect()
    }

    async fn all_reported(&self) {
        self.fake.until(|fake| fake.outcomes.lock().unwrap().len() >= 3).await;
        assert_eq!(self.reported().len(), 3);
        for number in 0..3 {
            let copied = std::fs::read(self.folder.path().join(format!("t/f{number}"))).unwrap();
            assert_eq!(copied, [number; 3]);
        }
    }
}

#[tokio::test]
async fn what_is_granted_is_copied_and_reported_and_the_worker_leaves_when_told() {
    let running = running(|_| {});
    running.all_reported().await;
    let text = classic(running.catalog.registry()).unwrap();
    for line in [
        "deepclone_worker_registered 1",
        "deepclone_worker_registrations_total 1",
        "deepclone_worker_tasks_done_total 3",
        "deepclone_worker_objects_done_total 3",
        "deepclone_worker_read_bytes_total 9",
        "deepclone_worker_written_bytes_total 9",
        "deepclone_worker_flowing_bytes 0",
        "deepclone_worker_buffer_bytes 0",
        "deepclone_worker_buffer_limit_bytes 1048576",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    running.shutdown.cancel();
    running.worker.await.unwrap().unwrap();
    assert_eq!(running.fake.left_with.lock().unwrap().clone(), Some(Vec::new()));
    assert!(classic(running.catalog.registry()).unwrap().contains("deepclone_worker_registered 0"));
}

#[tokio::test]
async fn a_drain_by_the_coordinator_ends_it_too() {
    let running = running(|_| {});
    running.all_reported().await;
    running.fake.drain.store(true, Ordering::Relaxed);
    running.worker.await.unwrap().unwrap();
    assert_eq!(running.fake.left_with.lock().unwrap().clone(), Some(Vec::new()));
}

#[tokio::test]
async fn reports_survive_a_lost_coordinator_and_what_is_held_is_announced_again() {
    let running = running(|fake| fake.reports_to_refuse.store(2, Ordering::Relaxed));
    running.all_reported().await;
    let registered = running.fake.registered_with.lock().unwrap().clone();
    assert_eq!(registered.len(), 3);
    assert!(registered[0].is_empty());
    assert!(!registered[1].is_empty() && !registered[2].is_empty(), "{registered:?}");
    running.shutdown.cancel();
    running.worker.await.unwrap().unwrap();
}

#[test]
fn why_a_coordinator_does_not_take_the_worker_is_said_once() {
    let mut waiting = Waiting::default();
    for (coordinator, error, is_news) in [
        ("a", "away", true),
        ("a", "away", false),
        ("b", "away", true),
        ("a", "its key is asked for", true),
        ("b", "away", false),
        ("a", "away", true),
    ] {
        assert_eq!(waiting.is_news(coordinator, error), is_news, "{coordinator}: {error}");
    }
}

#[tokio::test]
async fn a_worker_with_other_connections_registers_again() {
    let running = running(|_| {});
    running.all_reported().await;
    let registered = |fake: &Fake| fake.registered_with.lock().unwrap().len();
    let before = registered(&running.fake);
    let folder = running.folder.path().display();
    let disk =
        format!("[connections.disk]\nurl = \"file://{folder}\"\nroles = [\"source\", \"target\"]");
    running.connections.replace(&Config::parse(&disk).unwrap()).unwrap();
    running.fake.until(|fake| registered(fake) > before).await;
    assert_eq!(*running.fake.offered.lock().unwrap(), ["disk"]);
    running.shutdown.cancel();
    running.worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_share_that_means_nothing_ends_the_session_and_one_that_does_is_taken() {
    let running = running(|fake| {
        let share = Some(v1::JobShare { bytes_per_second: Some(1 << 20), concurrency: Some(1) });
        let job_id = uuid::Uuid::from_u128(1).as_bytes().to_vec();
        fake.shares.lock().unwrap().push(v1::ToldShare { job_id, share });
    });
    running.all_reported().await;
    running.fake.shares.lock().unwrap().push(v1::ToldShare::default());
    let before = running.fake.registered_with.lock().unwrap().len();
    let again = |fake: &Fake| fake.registered_with.lock().unwrap().len() > before;
    running.fake.until(again).await;
    running.shutdown.cancel();
    running.worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn answers_of_a_lower_epoch_are_ignored() {
    let running = running(|_| {});
    running.all_reported().await;
    running.fake.epoch.store(4, Ordering::Relaxed);
    running.fake.outcomes.lock().unwrap().clear();
    // A coordinator that leads no more grants in vain: nothing of it is copied or reported.
    let connections = connections(running.folder.path());
    let stale = grant(&connections, running.folder.path(), 0);
    running.fake.grants.lock().unwrap().push_back(stale);
    let before = running.fake.registered_with.lock().unwrap().len();
    running.fake.changed.notify_waiters();
    let again = |fake: &Fake| fake.registered_with.lock().unwrap().len() > before + 1;
    running.fake.until(again).await;
    assert!(running.fake.outcomes.lock().unwrap().is_empty());
    running.shutdown.cancel();
    running.worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_bent_coordinator_is_refused_and_nothing_is_written() {
    let running = running(|fake| {
        let mut grants = fake.grants.lock().unwrap();
        for (grant, path) in grants.iter_mut().zip(["_delta_log/f", "../f"]) {
            let TaskWork::Objects(objects) = &mut grant.spec.work else { panic!("{grant:?}") };
            objects[0].target_path = path.to_owned();
        }
        let archive = Connections::offers(&connections(Path::new("/x"))).remove(0);
        assert_eq!(archive.name, "archive");
        grants[2].spec.target.connection = archive.name;
    });
    running.fake.until(|fake| fake.outcomes.lock().unwrap().len() >= 3).await;
    let outcomes = running.fake.outcomes.lock().unwrap().clone();
    let told: BTreeSet<(i32, String)> = outcomes
        .into_iter()
        .map(|outcome| match outcome.outcome.unwrap() {
            v1::task_outcome::Outcome::Failure(failure) => (failure.kind, failure.message),
            other => panic!("{other:?}"),
        })
        .collect();
    let denied = i32::from(v1::task_failure::Kind::TargetDenied);
    assert!(told.iter().all(|(kind, _)| *kind == denied), "{told:?}");
    for part in ["_delta_log/f", "\"../f\"", "archive has no role target"] {
        assert!(told.iter().any(|(_, message)| message.contains(part)), "{part}: {told:?}");
    }
    let mut names: Vec<_> = std::fs::read_dir(running.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["s"], "no target folder, no file beside it");
    running.shutdown.cancel();
    running.worker.await.unwrap().unwrap();
}
