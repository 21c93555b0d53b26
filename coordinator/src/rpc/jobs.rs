//! `JobService`: clients create, show, watch and cancel syncs.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::limits::PLAN_CALLS_MAX;
use deepclone_core::price::Traffic;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::convert::WireError;
use deepclone_proto::v1::{self, job_service_server::JobService};
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::{Semaphore, watch};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert::{body, refused, status};
use super::job_filter::{job_filter, job_order};
use super::unread::dropped_when_unread;
use super::{accept, names, show, update};
use crate::access::caller::Caller;
use crate::driver::Handle;
use crate::driver::job_list::list_jobs;
use crate::driver::job_query::JobsQuery;
use crate::driver::message::{Message, Submission};
use crate::driver::snapshot::JobSnapshot;
use crate::effects::preview::{Preview, ToCopy, preview};
use crate::effects::{Context, guarded};
use crate::state::{JobPlace, JobSpec};

/// How often a stream looks whether its follower is still known.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Serves `JobService` over the driver.
pub struct Jobs {
    handle: Handle,
    context: Context,
    /// Bounds the plans that are made for clients.
    plan_calls: Semaphore,
}

impl Jobs {
    #[must_use]
    pub fn new(handle: Handle, context: Context) -> Self {
        Self { handle, context, plan_calls: Semaphore::new(PLAN_CALLS_MAX) }
    }

    async fn plan_clone_inner(&self, job_spec: &JobSpec) -> Result<v1::PlanCloneResponse, Failure> {
        let _turn = self.plan_calls.try_acquire().map_err(|_| {
            let message = format!("{PLAN_CALLS_MAX} plans are made already: try later");
            Failure::new(Reason::Overloaded, message)
        })?;
        // The id of a sync that is never made: no log holds it.
        let sync = JobId(Uuid::now_v7());
        Ok(match guarded(preview(&self.context, sync, job_spec)).await {
            Ok(Preview::UpToDate { source_version, replica_version, note }) => {
                v1::PlanCloneResponse {
                    change: Some(v1::Progress {
                        source_version: Some(show::signed(source_version)),
                        ..Default::default()
                    }),
                    clone_metrics: note.clone_metrics,
                    up_to_date: true,
                    target_version: Some(show::signed(replica_version)),
                    ..Default::default()
                }
            }
            Ok(Preview::Change(to_copy)) => {
                let cost = Some(self.cost(job_spec, &to_copy));
                v1::PlanCloneResponse { cost, ..shown(to_copy) }
            }
            Err(failure) => {
                v1::PlanCloneResponse { refusal: Some((&failure).into()), ..Default::default() }
            }
        })
    }

    /// Allows a caller to change a job: one that it might have made.
    async fn allow(&self, caller: &Caller, job: JobId) -> Result<(), Status> {
        caller.concerns(format!("jobs/{job}"));
        if caller.name().is_none() {
            return Ok(());
        }
        let snapshot = self.handle.ask(|reply| Message::Job(job, reply)).await.map_err(status)?;
        caller.allow_sync(&snapshot.job_spec)
    }

    /// What a sync would cost.
    fn cost(&self, job_spec: &JobSpec, to_copy: &ToCopy) -> v1::Cost {
        let traffic = Traffic {
            bytes: to_copy.bytes,
            source_reads: to_copy.note.requests.source,
            target_writes: to_copy.note.requests.target,
            ..Traffic::default()
        };
        let (source, target) = (&job_spec.source.connection, &job_spec.target.connection);
        let now = UnixTime(self.context.clock.now_ms());
        show::cost(&self.context.pricing.price_next(source, target, now, traffic))
    }
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn create_job(
        &self,
        request: Request<v1::CreateJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let caller = Caller::of(&request);
        let call = request.extensions().get().cloned();
        let request = body(request);
        let job = request.job.ok_or(WireError::Missing { field: "job" }).map_err(refused)?;
        let spec = only_spec(job).map_err(refused)?;
        let id = accept::job_id(&request.request_id).map_err(refused)?;
        let job_spec = accept::job_spec(&self.context.connections, spec).map_err(status)?;
        caller.concerns(&job_spec.target.uri);
        caller.allow_sync(&job_spec)?;
        let submitter = caller.name().map(ToOwned::to_owned);
        let job_spec = Arc::new(JobSpec { submitter, ..job_spec });
        if request.validate_only {
            caller.tries();
            let spec = Some((&job_spec.spec).into());
            return Ok(Response::new(v1::Job { spec, ..Default::default() }));
        }
        let asked = Arc::clone(&job_spec);
        let submission = accept::submission(id, &request.request_id, job_spec);
        let submission = Box::new(Submission { request_id: call, ..submission });
        let snapshot =
            self.handle.ask(|reply| Message::Submit(submission, reply)).await.map_err(status)?;
        caller.concerns(format!("jobs/{}", snapshot.job));
        if snapshot.job_spec != asked {
            let why = "it made another job already: use a new one for another spec";
            return Err(refused(WireError::invalid("request_id", why)));
        }
        Ok(Response::new(show::job(&snapshot)))
    }

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let job = names::job(&body(request).name).map_err(refused)?;
        let snapshot = self.handle.ask(|reply| Message::Job(job, reply)).await.map_err(status)?;
        Ok(Response::new(show::job(&snapshot)))
    }

    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let request = body(request);
        let query = JobsQuery {
            filter: job_filter(&request.filter).map_err(refused)?,
            order: job_order(&request.order_by).map_err(refused)?,
            after: page_token(&request.page_token).map_err(refused)?,
            size: names::page_size(request.page_size).map_err(refused)?,
        };
        let store = self.context.store.as_ref();
        let page = list_jobs(&self.handle, store, &query).await.map_err(status)?;
        let next_page_token = page.next.map(|next| next.to_string()).unwrap_or_default();
        let jobs = page.jobs.iter().map(|job| show::job(job)).collect();
        Ok(Response::new(v1::ListJobsResponse { jobs, next_page_token }))
    }

    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<v1::WatchJobResponse, Status>> + Send>>;

    async fn watch_job(
        &self,
        request: Request<v1::WatchJobRequest>,
    ) -> Result<Response<Self::WatchJobStream>, Status> {
        let caller = Caller::of(&request);
        let turn = caller.follow()?;
        let job = names::job(&body(request).name).map_err(refused)?;
        let changes = self.handle.ask(|reply| Message::Watch(job, reply)).await.map_err(status)?;
        let changes =
            stream::unfold(Some(Following { changes, is_first: true, caller }), next_change);
        // The turn ends with the stream.
        let changes = changes.inspect(move |_| {
            let _open = &turn;
        });
        Ok(Response::new(Box::pin(dropped_when_unread(changes))))
    }

    async fn update_job(
        &self,
        request: Request<v1::UpdateJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let caller = Caller::of(&request);
        let (job, change) = update::limits(body(request)).map_err(refused)?;
        self.allow(&caller, job).await?;
        let limit = |reply| Message::Limit(job, change, reply);
        let snapshot = self.handle.ask(limit).await.map_err(status)?;
        Ok(Response::new(show::job(&snapshot)))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let caller = Caller::of(&request);
        let job = names::job(&body(request).name).map_err(refused)?;
        self.allow(&caller, job).await?;
        let by = caller.name().map(ToOwned::to_owned);
        let snapshot =
            self.handle.ask(|reply| Message::Cancel(job, by, reply)).await.map_err(status)?;
        Ok(Response::new(show::job(&snapshot)))
    }

    async fn plan_clone(
        &self,
        request: Request<v1::PlanCloneRequest>,
    ) -> Result<Response<v1::PlanCloneResponse>, Status> {
        let caller = Caller::of(&request);
        let spec = body(request).spec.ok_or(WireError::Missing { field: "spec" });
        let spec = spec.map_err(refused)?;
        let job_spec = accept::job_spec(&self.context.connections, spec).map_err(status)?;
        caller.concerns(&job_spec.target.uri);
        caller.allow_sync(&job_spec)?;
        self.plan_clone_inner(&job_spec).await.map(Response::new).map_err(status)
    }
}

/// Reads the place after which a page begins. `None` for the first page.
fn page_token(token: &str) -> Result<Option<JobPlace>, WireError> {
    let given = Some(token).filter(|token| !token.is_empty());
    let place = given.map(str::parse).transpose();
    place.map_err(|_| WireError::invalid("page_token", "it is none of ours"))
}

/// A stream of a job's changes, and who follows it.
struct Following {
    changes: watch::Receiver<Arc<JobSnapshot>>,
    is_first: bool,
    caller: Caller,
}

impl Following {
    /// Waits for the next change.
    async fn changed(&mut self) -> Result<(), Status> {
        if std::mem::take(&mut self.is_first) {
            return Ok(());
        }
        loop {
            let changed = tokio::time::timeout(LOOK_EVERY, self.changes.changed()).await;
            self.caller.is_still_known()?;
            match changed {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(_ended)) => {
                    let message = "the coordinator is stopping: watch again";
                    return Err(status(Failure::new(Reason::CoordinatorUnavailable, message)));
                }
                Err(_nothing_yet) => {}
            }
        }
    }
}

/// The first message shows the job as it is, the last one its final state.
async fn next_change(
    following: Option<Following>,
) -> Option<(Result<v1::WatchJobResponse, Status>, Option<Following>)> {
    let mut following = following?;
    if let Err(refused) = following.changed().await {
        return Some((Err(refused), None));
    }
    let now = Arc::clone(&following.changes.borrow_and_update());
    let sequence = i64::try_from(now.sequence).unwrap_or(i64::MAX);
    let change = v1::WatchJobResponse { sequence, job: Some(show::job(&now)) };
    Some((Ok(change), (!now.state.is_final()).then_some(following)))
}

/// Returns the spec of a job that a client sends.
fn only_spec(job: v1::Job) -> Result<v1::CloneSpec, WireError> {
    if !job.name.is_empty() {
        return Err(WireError::invalid("job.name", "only the coordinator sets it"));
    }
    update::refuse_outputs(&job)?;
    job.spec.ok_or(WireError::Missing { field: "job.spec" })
}

fn shown(to_copy: ToCopy) -> v1::PlanCloneResponse {
    let ToCopy { source_version, replica_version, objects, bytes, tasks, note } = to_copy;
    v1::PlanCloneResponse {
        change: Some(v1::Progress {
            source_version: Some(show::signed(source_version)),
            objects_total: show::signed(objects as u64),
            bytes_total: show::signed(bytes),
            tasks_total: show::short(tasks as u64),
            notices: note.notices,
            ..Default::default()
        }),
        source_requests: show::signed(note.requests.source),
        target_requests: show::signed(note.requests.target),
        clone_metrics: note.clone_metrics,
        target_version: replica_version.map(show::signed),
        ..Default::default()
    }
}
