//! Clients: each asks for a sync and follows it to its end, over every restart.

use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::clone_spec::{DivergencePolicy, Repair, SourceReplacedPolicy};
use deepclone_proto::v1::job::State;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::clouds::SOUTH;
use crate::network::Network;
use crate::scenario::Order;
use crate::world::World;

/// How long a client waits for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(90);
/// Its pause after a failed call.
const PAUSE: Duration = Duration::from_secs(1);

/// A client with its order.
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) network: Network,
    pub(crate) order: Order,
    /// The URI of the order's source.
    pub(crate) source: String,
    pub(crate) request_id: String,
}

impl Client {
    fn service(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.network.channel(CancellationToken::new()))
    }

    fn spec(&self) -> v1::CloneSpec {
        let table = |uri: String| v1::TableRef { uri, connection: String::new() };
        let divergence = match self.order.overwrites {
            true => DivergencePolicy::Overwrite,
            false => DivergencePolicy::Fail,
        };
        let replaced = match self.order.reclones {
            true => SourceReplacedPolicy::Reclone,
            false => SourceReplacedPolicy::Refuse,
        };
        let verification = match self.order.reads_back {
            true => v1::Verification::ReadBack,
            false => v1::Verification::Digest,
        };
        let repair = match self.order.repairs {
            true => Repair::Bytes,
            false => Repair::Nothing,
        };
        v1::CloneSpec {
            repair: repair.into(),
            source: Some(table(self.source.clone())),
            target: Some(table(format!("s3://{SOUTH}/{}", self.order.target))),
            divergence_policy: divergence.into(),
            source_replaced_policy: replaced.into(),
            verification: verification.into(),
            ..Default::default()
        }
    }

    /// When it was asked for, and the job in its final state.
    pub(crate) async fn run(&self) -> (i64, v1::Job) {
        tokio::time::sleep(Duration::from_millis(self.order.at_ms)).await;
        let asked_ms = self.world.lock().clouds.now_ms;
        let mut service = self.service();
        let job = self.create(&mut service).await;
        self.note(&job);
        if let Some(after_ms) = self.order.cancel_ms {
            let (mut service, name) = (self.service(), job.name.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                // Whether it is heard or not, the job ends.
                let _heard = service.cancel_job(v1::CancelJobRequest { name }).await;
            });
        }
        loop {
            match self.watch(&mut service, &job.name).await {
                Ok(job) => {
                    self.note(&job);
                    return (asked_ms, job);
                }
                Err(failure) if failure.reason == Reason::JobNotFound => {
                    self.create(&mut service).await;
                }
                Err(failure) => self.complain(&failure),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn note(&self, job: &v1::Job) {
        let (id, state, failure) = (&self.request_id, job.state(), job.failure.as_ref());
        let failure = failure.map(|failure| &failure.message);
        self.world.note(&format_args!("{id} is {} {state:?} {failure:?}", job.name));
    }

    /// Only a coordinator that is away is no surprise.
    fn complain(&self, failure: &Failure) {
        let expected = [Reason::CoordinatorUnavailable, Reason::Cancelled, Reason::Overloaded];
        let broke = failure.reason == Reason::Internal && failure.details.is_empty();
        if !expected.contains(&failure.reason) && !broke {
            let message = format!("{} is answered {failure}", self.request_id);
            self.world.violate(message);
        }
    }

    async fn create(&self, service: &mut JobServiceClient<Channel>) -> v1::Job {
        loop {
            let request = v1::CreateJobRequest {
                job: Some(v1::Job { spec: Some(self.spec()), ..Default::default() }),
                request_id: self.request_id.clone(),
                validate_only: false,
            };
            match answered(service.create_job(request)).await {
                Ok(job) => return job,
                Err(failure) => self.complain(&failure),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn watch(
        &self,
        service: &mut JobServiceClient<Channel>,
        name: &str,
    ) -> Result<v1::Job, Failure> {
        let request = v1::WatchJobRequest { name: name.to_owned() };
        let mut changes = answered(service.watch_job(request)).await?;
        loop {
            let change = changes.message().await.map_err(|status| from_status(&status))?;
            let Some(job) = change.and_then(|change| change.job) else {
                return Err(Failure::new(Reason::CoordinatorUnavailable, "the stream ended"));
            };
            if matches!(job.state(), State::Succeeded | State::Failed | State::Cancelled) {
                return Ok(job);
            }
        }
    }
}

async fn answered<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(ANSWER_MAX, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(from_status(&status)),
        Err(_) => Err(Failure::new(Reason::CoordinatorUnavailable, "no answer")),
    }
}
