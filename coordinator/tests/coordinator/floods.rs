//! What one caller may ask for, and the others beside a flood of it.

use std::time::Duration;

use deepclone_core::limits::{CALLS_OF_ONE, WATCHERS_PER_JOB_MAX, WATCHERS_PER_PRINCIPAL_MAX};
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;

use crate::guarded::{Guarded, reason};
use crate::support::{Lake, registration};

#[tokio::test]
async fn a_flood_of_one_ends_in_refusals_and_the_others_go_on() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut dispatch = DispatchServiceClient::new(guarded.channel.clone());
    let offer = registration(&lake, "w");
    let known = dispatch.register_worker(guarded.by("worker", offer)).await.unwrap();
    let worker_id = known.into_inner().worker_id;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let ask = |of: &str| guarded.by(of, v1::ListJobsRequest::default());
    // Far more than a burst, by somebody who is known and by somebody who is not.
    for (name, refusal) in [("viewer", None), ("wrong", Some(Reason::Unauthenticated))] {
        let flood = (0..CALLS_OF_ONE.burst + 10 * CALLS_OF_ONE.per_second).map(|_| {
            let mut jobs = jobs.clone();
            let request = ask(name);
            async move { jobs.list_jobs(request).await }
        });
        let mut overloaded = 0;
        for answer in futures::future::join_all(flood).await {
            match answer {
                Ok(_) => assert_eq!(refusal, None, "{name}"),
                Err(status) if from_status(&status).reason == Reason::Overloaded => {
                    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
                    overloaded += 1;
                }
                Err(status) => assert_eq!(Some(from_status(&status).reason), refusal, "{status}"),
            }
        }
        assert!(overloaded > 0, "{name}");
        // Beside it, an ordinary client and a worker.
        let held = vec![];
        let beat = v1::SendHeartbeatRequest { worker_id: worker_id.clone(), held };
        dispatch.send_heartbeat(guarded.by("worker", beat)).await.unwrap();
        let job = Some(v1::Job {
            spec: Some(lake.spec("sales/orders", "dr/orders")),
            ..v1::Job::default()
        });
        let create = v1::CreateJobRequest { job, ..Default::default() };
        jobs.create_job(guarded.by("submitter", create)).await.unwrap();
    }
    guarded.stop().await;
}

#[tokio::test]
async fn pages_and_metrics_count_as_calls_do() {
    for page in ["/style.css", "/metrics"] {
        let lake = Lake::new();
        let guarded = Guarded::start(&lake).await;
        let status = async |name: &str| {
            let (_, token) = guarded.tokens.iter().find(|(of, _)| *of == name).unwrap();
            let shown = format!("Bearer {token}");
            guarded.http("GET", page, Some(&shown)).await[..12].to_owned()
        };
        for name in ["viewer", "wrong"] {
            let mut refused = false;
            for _ in 0..CALLS_OF_ONE.burst + 10 * CALLS_OF_ONE.per_second {
                refused = status(name).await == "HTTP/1.1 429";
                if refused {
                    break;
                }
            }
            assert!(refused, "{page}: {name}");
            assert_eq!(status("operator").await, "HTTP/1.1 200", "{page}: another one goes on");
        }
        guarded.stop().await;
    }
}

#[tokio::test]
async fn a_stream_ends_soon_after_its_principal_is_taken_out() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let spec = Some(lake.spec("sales/orders", "dr/orders"));
    let job = Some(v1::Job { spec, ..v1::Job::default() });
    let create = v1::CreateJobRequest { job, ..Default::default() };
    let name = jobs.create_job(guarded.by("submitter", create)).await.unwrap().into_inner().name;
    let mut open = Vec::new();
    for who in ["viewer", "operator"] {
        let watch = guarded.by(who, v1::WatchJobRequest { name: name.clone() });
        open.push(jobs.watch_job(watch).await.unwrap().into_inner());
    }
    guarded.take_out("viewer");
    let ended = async {
        loop {
            if let Err(status) = open[0].message().await {
                return status;
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    assert_eq!(from_status(&ended).reason, Reason::Unauthenticated, "{ended}");
    // No worker takes the job: the other stream has nothing more to tell, and stays.
    while let Ok(next) = tokio::time::timeout(Duration::from_secs(1), open[1].message()).await {
        assert!(next.unwrap().is_some(), "it goes on");
    }
    guarded.stop().await;
}

#[tokio::test]
async fn streams_of_a_principal_are_bounded_and_a_place_is_free_again() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let mut names = Vec::new();
    for number in 0..=WATCHERS_PER_PRINCIPAL_MAX / WATCHERS_PER_JOB_MAX {
        let spec = Some(lake.spec("sales/orders", &format!("dr/{number}")));
        let job = Some(v1::Job { spec, ..v1::Job::default() });
        let create = v1::CreateJobRequest { job, ..Default::default() };
        let made = jobs.create_job(guarded.by("submitter", create)).await.unwrap();
        names.push(made.into_inner().name);
    }
    let mut open = Vec::new();
    for number in 0..WATCHERS_PER_PRINCIPAL_MAX {
        // Not all on one connection.
        let mut jobs = JobServiceClient::new(guarded.connect());
        let name = names[number / WATCHERS_PER_JOB_MAX].clone();
        let watch = guarded.by("viewer", v1::WatchJobRequest { name });
        open.push(jobs.watch_job(watch).await.unwrap().into_inner());
    }
    let last = names.last().unwrap();
    let watch = |of: &str| guarded.by(of, v1::WatchJobRequest { name: last.clone() });
    assert_eq!(reason(jobs.watch_job(watch("viewer")).await), Reason::Overloaded);
    jobs.watch_job(watch("submitter")).await.unwrap();
    open.pop();
    // The coordinator learns a little later that the stream is over.
    while jobs.watch_job(watch("viewer")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(open);
    guarded.stop().await;
}
