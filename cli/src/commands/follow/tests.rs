//! Following against a fake coordinator whose job each test moves by hand.

use std::sync::atomic::{AtomicBool, Ordering};

use deepclone_proto::v1;
use deepclone_proto::v1::job::State as Wire;
use deepclone_proto::v1::job_service_server::{JobService, JobServiceServer};
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use super::*;

const ID: Uuid = Uuid::from_u128(7);

/// Shows the job that the test sets; tells the test of every cancel.
struct Fake {
    job: watch::Receiver<v1::Job>,
    cancels: mpsc::UnboundedSender<()>,
    /// The next stream ends with UNAVAILABLE after its first answer.
    breaks: AtomicBool,
}

/// The test's end of it.
struct Hand {
    job: watch::Sender<v1::Job>,
    cancels: mpsc::UnboundedReceiver<()>,
}

fn job(state: Wire) -> v1::Job {
    let spec = deepclone_core::spec::CloneSpec {
        source: deepclone_core::spec::TableRef { uri: "s3://a/t".into(), connection: None },
        target: deepclone_core::spec::TableRef { uri: "s3://b/t".into(), connection: None },
        mode: Default::default(),
        source_point: Default::default(),
        partition_filter: None,
        properties: Default::default(),
        verification: Default::default(),
        divergence_policy: Default::default(),
        allowed_features: Vec::new(),
        source_replaced_policy: Default::default(),
        repair: Default::default(),
        limits: Default::default(),
    };
    let result = v1::Result {
        source_version: Some(7),
        target_version: Some(4),
        duration: Some(Default::default()),
        ..Default::default()
    };
    let failure = v1::Failure {
        code: 9,
        reason: "TARGET_DIVERGED".into(),
        message: "somebody wrote".into(),
        ..Default::default()
    };
    v1::Job {
        name: format!("jobs/{ID}"),
        spec: Some((&spec).into()),
        state: state.into(),
        result: (state == Wire::Succeeded).then_some(result),
        failure: (state == Wire::Failed).then_some(failure),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl JobService for Fake {
    type WatchJobStream = ReceiverStream<Result<v1::WatchJobResponse, Status>>;

    async fn watch_job(
        &self,
        _: Request<v1::WatchJobRequest>,
    ) -> Result<Response<Self::WatchJobStream>, Status> {
        let (send, stream) = mpsc::channel(1);
        let mut job = self.job.clone();
        let breaks = self.breaks.swap(false, Ordering::SeqCst);
        tokio::spawn(async move {
            loop {
                let now = job.borrow_and_update().clone();
                let change = v1::WatchJobResponse { sequence: 1, job: Some(now) };
                if send.send(Ok(change)).await.is_err() {
                    return;
                }
                if breaks {
                    let _ = send.send(Err(Status::unavailable("going away"))).await;
                    return;
                }
                if job.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn cancel_job(
        &self,
        _: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        self.cancels.send(()).map_err(|_| Status::internal("the test is over"))?;
        Ok(Response::new(self.job.borrow().clone()))
    }

    async fn get_job(&self, _: Request<v1::GetJobRequest>) -> Result<Response<v1::Job>, Status> {
        Ok(Response::new(self.job.borrow().clone()))
    }

    async fn create_job(
        &self,
        _: Request<v1::CreateJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn list_jobs(
        &self,
        _: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn update_job(
        &self,
        _: Request<v1::UpdateJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        Err(Status::unimplemented("not faked"))
    }

    async fn plan_clone(
        &self,
        _: Request<v1::PlanCloneRequest>,
    ) -> Result<Response<v1::PlanCloneResponse>, Status> {
        Err(Status::unimplemented("not faked"))
    }
}

/// A fake coordinator with one job in `state`, over a duplex.
async fn fake(state: Wire, breaks: bool) -> (CoordinatorClient, Hand) {
    let (job, shown) = watch::channel(job(state));
    let (tell, cancels) = mpsc::unbounded_channel();
    let fake = Fake { job: shown, cancels: tell, breaks: AtomicBool::new(breaks) };
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(theirs));
    tokio::spawn(
        Server::builder().add_service(JobServiceServer::new(fake)).serve_with_incoming(incoming),
    );
    let mut ours = Some(TokioIo::new(ours));
    let connector = tower::service_fn(move |_| {
        let ours = ours.take();
        async move { ours.ok_or_else(|| std::io::Error::other("connected once already")) }
    });
    let endpoint = Endpoint::from_static("http://fake");
    let channel = endpoint.connect_with_connector(connector).await.unwrap();
    (CoordinatorClient::over(channel), Hand { job, cancels })
}

/// A follower at work; ends with what `to_its_end` says.
struct Follower {
    done: tokio::task::JoinHandle<Result<(JobInfo, JobResult), Failure>>,
    interrupt: mpsc::Sender<()>,
    hand: Hand,
}

async fn follow(state: Wire, home: Home, breaks: bool) -> Follower {
    let (mut coordinator, hand) = fake(state, breaks).await;
    let (interrupt, mut interrupts) = Interrupts::by_hand();
    let done = tokio::spawn(async move {
        let job = coordinator.get(ID).await?;
        to_its_end(&mut coordinator, job, home, &mut interrupts).await
    });
    Follower { done, interrupt, hand }
}

impl Follower {
    async fn failure(self) -> (Reason, String, String) {
        let failure = self.done.await.unwrap().unwrap_err();
        let hint = failure.details.get(HINT).cloned().unwrap_or_default();
        (failure.reason, failure.message, hint)
    }
}

#[tokio::test]
async fn a_job_is_followed_to_its_result_or_its_failure() {
    let follower = follow(Wire::Planning, Home::Here, false).await;
    follower.hand.job.send(job(Wire::Copying)).unwrap();
    follower.hand.job.send(job(Wire::Succeeded)).unwrap();
    let (_, result) = follower.done.await.unwrap().unwrap();
    assert_eq!(result.target_version, 4);

    let follower = follow(Wire::Failed, Home::Here, false).await;
    let (reason, message, _) = follower.failure().await;
    assert_eq!((reason, message.as_str()), (Reason::TargetDiverged, "somebody wrote"));

    let follower = follow(Wire::Cancelled, Home::Elsewhere, false).await;
    let (reason, message, _) = follower.failure().await;
    assert_eq!(reason, Reason::Cancelled);
    assert!(message.contains("was cancelled: the replica is unchanged"), "{message}");
}

#[tokio::test]
async fn an_interrupt_cancels_our_own_job_and_says_how_to_go_on() {
    let mut follower = follow(Wire::Copying, Home::Here, false).await;
    follower.interrupt.send(()).await.unwrap();
    follower.hand.cancels.recv().await.unwrap();
    follower.hand.job.send(job(Wire::Cancelled)).unwrap();
    let (reason, message, hint) = follower.failure().await;
    assert_eq!(reason, Reason::Interrupted);
    assert!(message.contains("the replica is unchanged"), "{message}");
    assert!(hint.contains("run the same command again"), "{hint}");
}

#[tokio::test]
async fn a_job_that_was_published_all_the_same_is_a_success() {
    let mut follower = follow(Wire::Publishing, Home::Here, false).await;
    follower.interrupt.send(()).await.unwrap();
    follower.hand.cancels.recv().await.unwrap();
    follower.hand.job.send(job(Wire::Succeeded)).unwrap();
    assert!(follower.done.await.unwrap().is_ok());
}

#[tokio::test]
async fn the_second_interrupt_leaves_at_once_and_says_what_is_known() {
    for (state, wanted) in [
        (Wire::Copying, "the replica is unchanged"),
        (Wire::Publishing, "may or may not be in the replica's log"),
    ] {
        let mut follower = follow(state, Home::Here, false).await;
        follower.interrupt.send(()).await.unwrap();
        follower.hand.cancels.recv().await.unwrap();
        follower.interrupt.send(()).await.unwrap();
        // The job itself has not ended, and never does here.
        let (reason, message, _) = follower.failure().await;
        assert_eq!(reason, Reason::Interrupted);
        assert!(message.contains(wanted), "{message}");
    }
}

#[tokio::test]
async fn an_interrupt_only_detaches_from_a_job_elsewhere() {
    let mut follower = follow(Wire::Copying, Home::Elsewhere, false).await;
    follower.interrupt.send(()).await.unwrap();
    let done = (&mut follower.done).await.unwrap().unwrap_err();
    assert_eq!(done.reason, Reason::Interrupted);
    assert!(done.message.contains("goes on at the coordinator"), "{}", done.message);
    assert!(done.details[HINT].contains(&format!("deepclone job watch {ID}")));
    assert!(follower.hand.cancels.try_recv().is_err(), "it was cancelled");
}

#[tokio::test]
async fn a_coordinator_elsewhere_that_restarts_is_waited_for_and_our_own_is_not() {
    let follower = follow(Wire::Copying, Home::Elsewhere, true).await;
    follower.hand.job.send(job(Wire::Succeeded)).unwrap();
    assert!(follower.done.await.unwrap().is_ok());

    let follower = follow(Wire::Copying, Home::Here, true).await;
    let (reason, ..) = follower.failure().await;
    assert_eq!(reason, Reason::CoordinatorUnavailable);
}
