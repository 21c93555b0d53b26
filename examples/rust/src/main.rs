//! A gRPC client in Rust: submits one sync to a coordinator and prints its state at every change.
//!
//! ```console
//! $ submit-and-watch http://127.0.0.1:7420 s3://lake/orders s3://backup/orders
//! ```
//!
//! `deepclone_proto::v1` is the generated code of `proto/deepclone/v1`; a client outside this
//! workspace may generate its own from the same files.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to its user")]

use std::error::Error;
use std::process::ExitCode;

use deepclone_proto::status;
use deepclone_proto::v1::job::State;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::{CloneSpec, CreateJobRequest, Job, TableRef, WatchJobRequest};
use uuid::Uuid;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [coordinator, source, target] = arguments.as_slice() else {
        eprintln!("usage: submit-and-watch http://HOST:PORT SOURCE_URI TARGET_URI");
        return ExitCode::from(2);
    };
    let ended = match submit_and_watch(coordinator, source, target).await {
        Ok(job) => outcome(&job),
        Err(error) => Err(explain(&*error)),
    };
    match ended {
        Ok(line) => println!("{line}"),
        Err(line) => {
            eprintln!("{line}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Returns the job in its final state.
async fn submit_and_watch(
    coordinator: &str,
    source: &str,
    target: &str,
) -> Result<Job, Box<dyn Error>> {
    let mut jobs = JobServiceClient::connect(coordinator.to_owned()).await?;
    // The coordinator finds the connection with the longest root above each URI.
    let table = |uri: &str| TableRef { uri: uri.to_owned(), connection: String::new() };
    let spec = CloneSpec {
        source: Some(table(source)),
        target: Some(table(target)),
        ..CloneSpec::default()
    };
    let created = jobs
        .create_job(CreateJobRequest {
            job: Some(Job { spec: Some(spec), ..Job::default() }),
            // After a lost answer the same request with the same id returns the same job.
            request_id: Uuid::new_v4().to_string(),
            validate_only: false,
        })
        .await?
        .into_inner();
    // The stream begins with the state now. If it breaks, open it again.
    let watch = WatchJobRequest { name: created.name };
    let mut changes = jobs.watch_job(watch).await?.into_inner();
    while let Some(change) = changes.message().await? {
        let job = change.job.unwrap_or_default();
        match job.state() {
            State::Succeeded | State::Failed | State::Cancelled => return Ok(job),
            state => println!("{} {}{}", job.name, state.as_str_name(), progress(&job)),
        }
    }
    Err("the coordinator closed the stream before the job ended".into())
}

fn progress(job: &Job) -> String {
    let Some(now) = job.progress.as_ref().filter(|now| now.objects_total > 0) else {
        return String::new();
    };
    format!(": {} of {} objects, {} bytes", now.objects_done, now.objects_total, now.bytes_copied)
}

/// Returns one line for the user: `Ok` if the replica shows the source's version.
fn outcome(job: &Job) -> Result<String, String> {
    if let Some(result) = &job.result {
        return Ok(format!(
            "{} SUCCEEDED: version {} of the source is version {} of the replica",
            job.name,
            result.source_version(),
            result.target_version()
        ));
    }
    let failure = job.failure.clone().unwrap_or_default();
    let state = job.state().as_str_name();
    Err(format!("{} {state}: {}: {}", job.name, failure.reason, failure.message))
}

/// Every error of the coordinator carries a reason, such as `JOB_NOT_FOUND`, to act upon.
fn explain(error: &(dyn Error + 'static)) -> String {
    let Some(answer) = error.downcast_ref::<tonic::Status>() else {
        return error.to_string();
    };
    let failure = status::from_status(answer);
    format!("{}: {}", failure.reason.row().name, failure.message)
}
