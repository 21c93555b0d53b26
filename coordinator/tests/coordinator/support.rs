//! A lake of two tables on local disk, a coordinator over it, and a worker that copies files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::config::Config;
use deepclone_common::connections::Connections;
use deepclone_coordinator::effects::Context;
use deepclone_coordinator::embedded::Embedded;
use deepclone_coordinator::state::{Place, SqliteStore, Store};
use deepclone_core::failure::Failure;
use deepclone_core::limits::Limits;
use deepclone_core::price::PriceTable;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::replica_service_client::ReplicaServiceClient;
use deepclone_proto::v1::replication_service_client::ReplicationServiceClient;
use deepclone_proto::v1::worker_service_client::WorkerServiceClient;
use tempfile::TempDir;
use tonic::transport::Channel;

/// Short enough for tests, in the same relation to each other as the real ones.
pub(crate) const LIMITS: fn() -> Limits = || Limits {
    heartbeat_interval: Duration::from_millis(200),
    lease_ttl: Duration::from_millis(800),
    backoff_min: Duration::from_millis(10),
    backoff_max: Duration::from_millis(50),
    ..Limits::default()
};

/// A folder that the connection `lake` leads to.
pub(crate) struct Lake {
    pub(crate) folder: TempDir,
}

impl Lake {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, table: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(table)
    }

    pub(crate) fn uri(&self, table: &str) -> String {
        format!("file://{}", self.path(table).display())
    }

    /// Writes the commit `version` of a table: its files with their bytes.
    pub(crate) fn commit(&self, table: &str, version: u64, files: &[(&str, &[u8])]) {
        let log = self.path(table).join("_delta_log");
        fs::create_dir_all(&log).unwrap();
        let mut lines = vec![format!(
            r#"{{"commitInfo":{{"timestamp":{},"operation":"WRITE","operationParameters":{{}}}}}}"#,
            1_700_000_000_000 + version
        )];
        if version == 0 {
            lines.push(r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned());
            lines.push(METADATA.to_owned());
        }
        for (name, bytes) in files {
            fs::write(self.path(table).join(name), bytes).unwrap();
            lines.push(format!(
                concat!(
                    r#"{{"add":{{"path":"{}","partitionValues":{{}},"size":{},"#,
                    r#""modificationTime":1700000000000,"dataChange":true,"#,
                    r#""stats":"{{\"numRecords\":1}}"}}}}"#,
                ),
                name,
                bytes.len()
            ));
        }
        fs::write(log.join(format!("{version:020}.json")), lines.join("\n") + "\n").unwrap();
    }

    pub(crate) fn connections(&self) -> Arc<Connections> {
        let text = format!(
            "[connections.lake]\nurl = \"file://{0}\"\nroles = [\"source\", \"target\"]\n\
             [connections.in]\nurl = \"file://{0}/in\"\nroles = [\"source\"]\n\
             [connections.out]\nurl = \"file://{0}/out\"\nroles = [\"target\"]\n",
            self.folder.path().canonicalize().unwrap().display()
        );
        Arc::new(Connections::from_config(&Config::parse(&text).unwrap()).unwrap())
    }

    pub(crate) fn spec(&self, source: &str, target: &str) -> v1::CloneSpec {
        let table = |name| v1::TableRef { uri: self.uri(name), connection: String::new() };
        v1::CloneSpec {
            source: Some(table(source)),
            target: Some(table(target)),
            ..Default::default()
        }
    }

    /// The versions in a table's log.
    pub(crate) fn versions(&self, table: &str) -> Vec<String> {
        let Ok(log) = fs::read_dir(self.path(table).join("_delta_log")) else { return vec![] };
        let names = log.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(".json")).collect();
        names.sort();
        names
    }
}

const METADATA: &str = concat!(
    r#"{"metaData":{"id":"5b6c9f7c-6a53-4f9d-8d1b-0f4e0f1c2d3e","#,
    r#""format":{"provider":"parquet","options":{}},"#,
    r#""schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\","#,
    r#"\"nullable\":true,\"metadata\":{}}]}","#,
    r#""partitionColumns":[],"configuration":{},"createdTime":1700000000000}}"#,
);

/// A coordinator over a lake, with its clients.
pub(crate) struct Running {
    pub(crate) embedded: Embedded,
    pub(crate) jobs: JobServiceClient<Channel>,
    pub(crate) workers: WorkerServiceClient<Channel>,
    pub(crate) replications: ReplicationServiceClient<Channel>,
    pub(crate) replicas: ReplicaServiceClient<Channel>,
}

impl Running {
    pub(crate) async fn start(lake: &Lake, place: &Place) -> Self {
        let store = Arc::new(SqliteStore::open(place).await.unwrap());
        Self::over(lake, store).await
    }

    pub(crate) async fn over(lake: &Lake, store: Arc<dyn Store>) -> Self {
        Self::with(lake, store, LIMITS()).await
    }

    /// A coordinator with a private state and these limits.
    pub(crate) async fn limited(lake: &Lake, limits: Limits) -> Self {
        let store = SqliteStore::open(&Place::Private).await.unwrap();
        Self::with(lake, Arc::new(store), limits).await
    }

    pub(crate) async fn with(lake: &Lake, store: Arc<dyn Store>, limits: Limits) -> Self {
        Self::start_with(lake.connections(), store, limits).await
    }

    /// A coordinator with the connections of this file, and a private state.
    pub(crate) async fn of(config: &str) -> Self {
        let connections = Connections::from_config(&Config::parse(config).unwrap()).unwrap();
        let store = SqliteStore::open(&Place::Private).await.unwrap();
        Self::start_with(Arc::new(connections), Arc::new(store), LIMITS()).await
    }

    /// A coordinator with other prices than the list prices.
    pub(crate) async fn priced(lake: &Lake, place: &Place, prices: PriceTable) -> Self {
        let store = Arc::new(SqliteStore::open(place).await.unwrap());
        let limits = LIMITS();
        let context = Context::new(lake.connections(), store, &limits).with_prices(prices);
        Self::over_embedded(Embedded::start_in(context, limits).await.unwrap())
    }

    async fn start_with(
        connections: Arc<Connections>,
        store: Arc<dyn Store>,
        limits: Limits,
    ) -> Self {
        Self::over_embedded(Embedded::start_with(connections, store, limits).await.unwrap())
    }

    pub(crate) fn over_embedded(embedded: Embedded) -> Self {
        let jobs = JobServiceClient::new(embedded.channel());
        let workers = WorkerServiceClient::new(embedded.channel());
        let replications = ReplicationServiceClient::new(embedded.channel());
        let replicas = ReplicaServiceClient::new(embedded.channel());
        Self { embedded, jobs, workers, replications, replicas }
    }

    pub(crate) async fn create(&mut self, spec: v1::CloneSpec) -> Result<v1::Job, Failure> {
        self.create_as(spec, "").await
    }

    pub(crate) async fn create_as(
        &mut self,
        spec: v1::CloneSpec,
        request_id: &str,
    ) -> Result<v1::Job, Failure> {
        let request = v1::CreateJobRequest {
            job: Some(v1::Job { spec: Some(spec), ..Default::default() }),
            request_id: request_id.to_owned(),
            validate_only: false,
        };
        let answer = self.jobs.create_job(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
    }

    /// Returns every change of a job until its final state.
    pub(crate) async fn watch(&mut self, name: &str) -> Vec<v1::WatchJobResponse> {
        let request = v1::WatchJobRequest { name: name.to_owned() };
        let mut stream = self.jobs.watch_job(request).await.unwrap().into_inner();
        let mut changes = Vec::new();
        while let Some(change) = stream.message().await.unwrap() {
            changes.push(change);
        }
        changes
    }

    /// Returns the job in its final state.
    pub(crate) async fn finish(&mut self, name: &str) -> v1::Job {
        let changes = tokio::time::timeout(Duration::from_secs(60), self.watch(name)).await;
        changes.expect("the job does not end").pop().unwrap().job.unwrap()
    }

    /// Waits until a job is in this state.
    pub(crate) async fn reach(&mut self, name: &str, state: v1::job::State) {
        let request = v1::WatchJobRequest { name: name.to_owned() };
        let mut stream = self.jobs.watch_job(request).await.unwrap().into_inner();
        let reached = async {
            while let Some(change) = stream.message().await.unwrap() {
                if change.job.unwrap().state() == state {
                    return;
                }
            }
            panic!("{name} ended before it was {state:?}");
        };
        let reached = tokio::time::timeout(Duration::from_secs(60), reached).await;
        reached.expect("the job does not come so far");
    }
}

/// What a worker with all connections of a lake says of itself.
pub(crate) fn registration(lake: &Lake, name: &str) -> v1::RegisterWorkerRequest {
    v1::RegisterWorkerRequest {
        name: name.to_owned(),
        protocol_min: 2,
        protocol_max: 2,
        version: "test".to_owned(),
        connections: lake
            .connections()
            .offers()
            .into_iter()
            .map(|offer| v1::ConnectionOffer {
                name: offer.name,
                fingerprint: offer.fingerprint.to_vec(),
                can_read: offer.can_read,
                can_write: offer.can_write,
            })
            .collect(),
        held: vec![],
        incarnation: uuid::Uuid::new_v4().as_bytes().to_vec(),
    }
}

/// A worker that copies files, one call at a time.
pub(crate) struct Worker {
    pub(crate) client: DispatchServiceClient<Channel>,
    pub(crate) id: String,
    folder: PathBuf,
    registration: v1::RegisterWorkerRequest,
}

impl Worker {
    pub(crate) async fn register(running: &Running, lake: &Lake, name: &str) -> Self {
        let registration = registration(lake, name);
        let client = DispatchServiceClient::new(running.embedded.channel());
        let folder = lake.folder.path().canonicalize().unwrap();
        let mut worker = Self { client, id: String::new(), folder, registration };
        worker.announce(vec![]).await;
        worker
    }

    /// Registers (again), holding these.
    pub(crate) async fn announce(&mut self, held: Vec<v1::GrantKey>) {
        let request = v1::RegisterWorkerRequest { held, ..self.registration.clone() };
        self.id = self.client.register_worker(request).await.unwrap().into_inner().worker_id;
    }

    /// Moves the same process to another coordinator.
    pub(crate) async fn move_to(&mut self, running: &Running, held: Vec<v1::GrantKey>) {
        self.client = DispatchServiceClient::new(running.embedded.channel());
        self.announce(held).await;
    }

    /// Sends heartbeats and asks until there are tasks.
    pub(crate) async fn acquire(&mut self) -> Result<Vec<v1::Grant>, Failure> {
        self.acquire_room(u32::MAX).await
    }

    /// Asks until there are tasks, with a capacity of so many objects.
    pub(crate) async fn acquire_room(&mut self, objects: u32) -> Result<Vec<v1::Grant>, Failure> {
        let patient = async {
            loop {
                self.heartbeat(vec![]).await?;
                let grants = self.acquire_once(objects).await?;
                if !grants.is_empty() {
                    return Ok(grants);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), patient).await.expect("no task comes")
    }

    /// Asks once for tasks.
    pub(crate) async fn acquire_once(&mut self, objects: u32) -> Result<Vec<v1::Grant>, Failure> {
        let request = v1::AcquireTasksRequest {
            worker_id: self.id.clone(),
            bytes_free: u64::MAX,
            objects_free: objects,
            wait: Some(prost_types::Duration { seconds: 0, nanos: 200_000_000 }),
        };
        let answer = self.client.acquire_tasks(request).await;
        answer.map(|answer| answer.into_inner().grants).map_err(|status| from_status(&status))
    }

    /// Copies a task's objects, as a real worker would see them.
    pub(crate) fn copy(&self, grant: &v1::Grant) -> v1::TaskOutcome {
        let spec = grant.spec.as_ref().unwrap();
        let Some(v1::task_spec::Work::Batch(batch)) = &spec.work else { panic!("no batch") };
        // The connections of replications have folders of their own below the lake.
        let below = |connection: &str| match connection {
            "lake" => self.folder.clone(),
            name => self.folder.join(name),
        };
        let (from, to) = (below(&spec.source_connection), below(&spec.target_connection));
        let file = |folder: &Path, root: &str, path: &str| folder.join(root).join(path);
        let mut receipt = v1::Receipt::default();
        for object in &batch.objects {
            let target = file(&to, &spec.target_root, &object.target_path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let existed = Path::exists(&target);
            let source = file(&from, &spec.source_root, &object.source_path);
            let size = fs::copy(source, target).unwrap();
            receipt.bytes_read += size;
            receipt.bytes_written += if existed { 0 } else { size };
            let proof = v1::object_receipt::Proof::ReadBack.into();
            receipt.objects.push(v1::ObjectReceipt { size, existed, proof, ..Default::default() });
        }
        let outcome = Some(v1::task_outcome::Outcome::Receipt(receipt));
        v1::TaskOutcome { task: grant.task.clone(), outcome }
    }

    /// Reports; one that was lost meanwhile registers first, as a real worker does.
    pub(crate) async fn report(&mut self, outcomes: Vec<v1::TaskOutcome>) {
        let mut answer = self.try_report(outcomes.clone()).await;
        if answer.as_ref().is_err_and(|failure| failure.reason == Reason::WorkerNotFound) {
            let held = outcomes.iter().map(|outcome| outcome.task.clone().unwrap());
            self.announce(held.collect()).await;
            answer = self.try_report(outcomes).await;
        }
        assert!(answer.unwrap().refused.is_empty());
    }

    pub(crate) async fn try_report(
        &mut self,
        outcomes: Vec<v1::TaskOutcome>,
    ) -> Result<v1::ReportTasksResponse, Failure> {
        let request = v1::ReportTasksRequest { worker_id: self.id.clone(), outcomes };
        let answer = self.client.report_tasks(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
    }

    /// A task's failure at its first object.
    pub(crate) fn fail(grant: &v1::Grant, kind: v1::task_failure::Kind) -> v1::TaskOutcome {
        let message = "it did not work".to_owned();
        let failure = v1::TaskFailure {
            index: Some(0),
            kind: kind.into(),
            message,
            ..v1::TaskFailure::default()
        };
        let outcome = Some(v1::task_outcome::Outcome::Failure(failure));
        v1::TaskOutcome { task: grant.task.clone(), outcome }
    }

    pub(crate) async fn heartbeat(
        &mut self,
        held: Vec<v1::HeldTask>,
    ) -> Result<v1::SendHeartbeatResponse, Failure> {
        let request = v1::SendHeartbeatRequest { worker_id: self.id.clone(), held };
        let answer = self.client.send_heartbeat(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
    }

    /// Copies whatever it is given, until the coordinator stops; returns the objects copied.
    pub(crate) fn work(mut self) -> tokio::task::JoinHandle<usize> {
        tokio::spawn(async move {
            let mut copied = 0;
            while let Ok(grants) = self.acquire().await {
                let outcomes: Vec<_> = grants.iter().map(|grant| self.copy(grant)).collect();
                copied += grants.iter().map(objects).sum::<usize>();
                self.report(outcomes).await;
            }
            copied
        })
    }
}

/// How many objects a grant has.
pub(crate) fn objects(grant: &v1::Grant) -> usize {
    match &grant.spec.as_ref().unwrap().work {
        Some(v1::task_spec::Work::Batch(batch)) => batch.objects.len(),
        _ => 0,
    }
}
