//! The gRPC client: the only folder that sees wire types.
//!
//! A [`CoordinatorClient`] is a channel to a coordinator, over the network or in memory. Answers
//! are converted to [`job`], [`worker`], [`replication`], [`replicas`], [`history`], [`vacuum`],
//! [`upkeep`], [`cost`] and [`audit`] values, and errors to a `Failure` ([`status`]).

pub mod audit;
pub mod cost;
mod costs;
mod deletions;
pub mod history;
pub mod job;
pub mod replicas;
pub mod replication;
mod replications;
pub mod status;
pub mod upkeep;
pub mod vacuum;
pub mod worker;

use deepclone_common::dial::{CoordinatorChannel, Dialer};
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::{JobLimits, LimitsChange};
use deepclone_core::limits::MESSAGE_BYTES_MAX;
use deepclone_core::spec::CloneSpec;
use deepclone_proto::convert::spec::limits_to_wire;
use deepclone_proto::v1;
use deepclone_proto::v1::audit_service_client::AuditServiceClient;
use deepclone_proto::v1::cost_service_client::CostServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::replica_service_client::ReplicaServiceClient;
use deepclone_proto::v1::replication_service_client::ReplicationServiceClient;
use deepclone_proto::v1::worker_service_client::WorkerServiceClient;
use tonic::Streaming;
use uuid::Uuid;

use job::{Change, JobInfo};
use status::failure;
use worker::WorkerInfo;

/// Jobs or workers on a page that is asked for.
const PAGE_SIZE: i32 = 200;

/// A channel to a coordinator.
#[derive(Clone, Debug)]
pub struct CoordinatorClient {
    jobs: JobServiceClient<CoordinatorChannel>,
    workers: WorkerServiceClient<CoordinatorChannel>,
    replicas: ReplicaServiceClient<CoordinatorChannel>,
    replications: ReplicationServiceClient<CoordinatorChannel>,
    costs: CostServiceClient<CoordinatorChannel>,
    audits: AuditServiceClient<CoordinatorChannel>,
}

impl CoordinatorClient {
    /// Returns a client of the coordinator at the other end of `channel`.
    #[must_use]
    pub fn over(channel: impl Into<CoordinatorChannel>) -> Self {
        let channel = channel.into();
        let bytes = MESSAGE_BYTES_MAX;
        Self {
            jobs: JobServiceClient::new(channel.clone()).max_decoding_message_size(bytes),
            workers: WorkerServiceClient::new(channel.clone()).max_decoding_message_size(bytes),
            replicas: ReplicaServiceClient::new(channel.clone()).max_decoding_message_size(bytes),
            replications: ReplicationServiceClient::new(channel.clone())
                .max_decoding_message_size(bytes),
            costs: CostServiceClient::new(channel.clone()).max_decoding_message_size(bytes),
            audits: AuditServiceClient::new(channel).max_decoding_message_size(bytes),
        }
    }

    /// Connects to the coordinator at `url`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a malformed URL, `COORDINATOR_UNAVAILABLE` when nobody answers, or
    /// nobody who is believed.
    pub async fn connect(url: &str, dialer: &Dialer) -> Result<Self, Failure> {
        Ok(Self::over(dialer.connect("--coordinator", url).await?))
    }

    /// Creates a job. The same `request` again returns the same job.
    ///
    /// # Errors
    /// The refusal of the coordinator, or `COORDINATOR_UNAVAILABLE`.
    pub async fn create(&mut self, spec: &CloneSpec, request: Uuid) -> Result<JobInfo, Failure> {
        let job = v1::Job { spec: Some(spec.into()), ..v1::Job::default() };
        let request = v1::CreateJobRequest {
            job: Some(job),
            request_id: request.to_string(),
            validate_only: false,
        };
        let answer = self.jobs.create_job(request).await.map_err(failure)?;
        JobInfo::try_from(answer.into_inner())
    }

    /// Returns a job in its state now.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn get(&mut self, job: Uuid) -> Result<JobInfo, Failure> {
        let request = v1::GetJobRequest { name: job::name(job) };
        let answer = self.jobs.get_job(request).await.map_err(failure)?;
        JobInfo::try_from(answer.into_inner())
    }

    /// Returns `limit` jobs at the most, by a filter and in an order as the API has them.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` or `COORDINATOR_UNAVAILABLE`.
    pub async fn list(
        &mut self,
        filter: &str,
        order_by: &str,
        limit: usize,
    ) -> Result<Vec<JobInfo>, Failure> {
        let mut jobs = Vec::new();
        let mut page_token = String::new();
        while jobs.len() < limit {
            let left = i32::try_from(limit - jobs.len()).unwrap_or(PAGE_SIZE).min(PAGE_SIZE);
            let (filter, order_by) = (filter.to_owned(), order_by.to_owned());
            let request = v1::ListJobsRequest { page_size: left, page_token, filter, order_by };
            let page = self.jobs.list_jobs(request).await.map_err(failure)?.into_inner();
            for job in page.jobs {
                jobs.push(JobInfo::try_from(job)?);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        jobs.truncate(limit);
        Ok(jobs)
    }

    /// Follows a job from its state now to its end.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn watch(&mut self, job: Uuid) -> Result<Watch, Failure> {
        let request = v1::WatchJobRequest { name: job::name(job) };
        let answer = self.jobs.watch_job(request).await.map_err(failure)?;
        Ok(Watch { stream: answer.into_inner() })
    }

    /// Asks a job to end.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn cancel(&mut self, job: Uuid) -> Result<JobInfo, Failure> {
        let request = v1::CancelJobRequest { name: job::name(job) };
        let answer = self.jobs.cancel_job(request).await.map_err(failure)?;
        JobInfo::try_from(answer.into_inner())
    }

    /// Changes the limits of a job.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`, `JOB_ENDED` or `COORDINATOR_UNAVAILABLE`.
    pub async fn limit(&mut self, job: Uuid, change: LimitsChange) -> Result<JobInfo, Failure> {
        let paths = [
            (change.bytes_per_second.is_some(), "spec.limits.bytes_per_second"),
            (change.concurrency.is_some(), "spec.limits.concurrency"),
            (change.held.is_some(), "spec.limits.held"),
        ];
        let paths = paths.into_iter().filter(|(is_changed, _)| *is_changed);
        let limits = limits_to_wire(JobLimits::default().changed(change));
        let request = v1::UpdateJobRequest {
            job: Some(v1::Job {
                name: job::name(job),
                spec: Some(v1::CloneSpec { limits, ..v1::CloneSpec::default() }),
                ..v1::Job::default()
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.map(|(_, path)| path.to_owned()).collect(),
            }),
        };
        let answer = self.jobs.update_job(request).await.map_err(failure)?;
        JobInfo::try_from(answer.into_inner())
    }

    /// Returns what a sync would copy.
    ///
    /// # Errors
    /// The reason why the sync would be refused, or `COORDINATOR_UNAVAILABLE`.
    pub async fn plan(&mut self, spec: &CloneSpec) -> Result<Change, Failure> {
        let request = v1::PlanCloneRequest { spec: Some(spec.into()) };
        let answer = self.jobs.plan_clone(request).await.map_err(failure)?;
        Change::try_from(answer.into_inner())
    }

    /// Returns all workers that the coordinator knows.
    ///
    /// # Errors
    /// `COORDINATOR_UNAVAILABLE`.
    pub async fn workers(&mut self) -> Result<Vec<WorkerInfo>, Failure> {
        let mut workers = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListWorkersRequest { page_size: PAGE_SIZE, page_token };
            let page = self.workers.list_workers(request).await.map_err(failure)?.into_inner();
            for worker in page.workers {
                workers.push(WorkerInfo::try_from(worker)?);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(workers);
            }
        }
    }

    /// Tells a worker to finish its tasks and to take no more.
    ///
    /// # Errors
    /// `WORKER_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn drain(&mut self, worker: Uuid) -> Result<WorkerInfo, Failure> {
        let request = v1::DrainWorkerRequest { name: worker::name(worker) };
        let answer = self.workers.drain_worker(request).await.map_err(failure)?;
        WorkerInfo::try_from(answer.into_inner())
    }
}

/// The stream of a job's changes.
#[derive(Debug)]
pub struct Watch {
    stream: Streaming<v1::WatchJobResponse>,
}

impl Watch {
    /// Returns the job after its next change, or `None` after the end of the stream.
    ///
    /// # Errors
    /// `COORDINATOR_UNAVAILABLE`.
    pub async fn next(&mut self) -> Result<Option<JobInfo>, Failure> {
        let Some(change) = self.stream.message().await.map_err(failure)? else { return Ok(None) };
        let job = change.job.ok_or_else(|| status::malformed("WatchJobResponse.job is missing"))?;
        JobInfo::try_from(job).map(Some)
    }
}

/// A number of the wire that is never negative.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
