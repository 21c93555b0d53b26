//! Follows a job to its end: shows its progress, and says what an interrupt did.
//!
//! The first interrupt cancels an embedded job and waits briefly for its end; a job of a
//! coordinator elsewhere goes on. The second interrupt ends the command at once. A job that was
//! published all the same is a success. A coordinator elsewhere that restarts is waited for.

use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use tokio::time::Instant;
use uuid::Uuid;

use crate::client::CoordinatorClient;
use crate::client::job::{JobInfo, JobResult, JobStatus};
use crate::render::error::HINT;
use crate::render::progress::ProgressLine;
use crate::signals::Interrupts;

/// The longest wait for the end of a cancelled job.
const CANCEL_WAIT_MAX: Duration = Duration::from_secs(15);
/// The longest wait for a coordinator elsewhere that restarts.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// The pause between two attempts to reach it again.
const AWAY_PAUSE: Duration = Duration::from_millis(500);

/// The process that runs the coordinator, which decides what an interrupt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// This process; the job ends with it.
    Here,
    /// Another process; the job goes on after an interrupt.
    Elsewhere,
}

/// Follows `job` until it succeeds.
///
/// # Errors
/// The failure of the job; `CANCELLED` when somebody cancelled it; `INTERRUPTED` with what became
/// of the job.
pub async fn to_its_end(
    coordinator: &mut CoordinatorClient,
    job: JobInfo,
    home: Home,
    interrupts: &mut Interrupts,
) -> Result<(JobInfo, JobResult), Failure> {
    let mut line = ProgressLine::start();
    let id = job.id;
    let ended = match until_interrupted(coordinator, job, home, interrupts, &mut line).await? {
        Watched::Ended(job) => return outcome(job),
        Watched::Interrupted(job) if home == Home::Elsewhere => return Err(detached(job.id)),
        Watched::Interrupted(job) => {
            line.note("interrupted: ending the sync (interrupt again to leave at once)");
            cancelled(coordinator, job, interrupts, &mut line).await?
        }
    };
    line.clear();
    match ended.state {
        JobStatus::Cancelled => Err(unchanged(id)),
        JobStatus::Succeeded(_) => {
            line.note("note: the interrupt came too late: the sync was published all the same");
            outcome(ended)
        }
        _ => outcome(ended),
    }
}

/// The reason why watching ended.
enum Watched {
    Ended(JobInfo),
    Interrupted(JobInfo),
}

async fn until_interrupted(
    coordinator: &mut CoordinatorClient,
    mut job: JobInfo,
    home: Home,
    interrupts: &mut Interrupts,
    line: &mut ProgressLine,
) -> Result<Watched, Failure> {
    let id = job.id;
    let mut away_since: Option<Instant> = None;
    line.show(&job);
    while !job.state.is_final() {
        let watching = changes(coordinator, id, |changed| {
            line.show(&changed);
            job = changed;
            away_since = None;
        });
        let watched = tokio::select! {
            watched = watching => watched,
            () = interrupts.next() => return Ok(Watched::Interrupted(job)),
        };
        match watched {
            Ok(()) => {}
            Err(failure) if home == Home::Elsewhere && is_away(&failure) => {
                let since = *away_since.get_or_insert_with(Instant::now);
                if since.elapsed() > AWAY_MAX {
                    return Err(failure.with(HINT, goes_on(id)));
                }
            }
            Err(failure) => return Err(failure),
        }
        if !job.state.is_final() {
            tokio::select! {
                () = tokio::time::sleep(AWAY_PAUSE) => {}
                () = interrupts.next() => return Ok(Watched::Interrupted(job)),
            }
        }
    }
    Ok(Watched::Ended(job))
}

/// Passes every change of the job to `each` until the stream ends.
async fn changes(
    coordinator: &mut CoordinatorClient,
    job: Uuid,
    mut each: impl FnMut(JobInfo),
) -> Result<(), Failure> {
    let mut watch = coordinator.watch(job).await?;
    while let Some(job) = watch.next().await? {
        let is_final = job.state.is_final();
        each(job);
        if is_final {
            break;
        }
    }
    Ok(())
}

/// Cancels the job of the embedded coordinator and waits for its end for a bounded time.
async fn cancelled(
    coordinator: &mut CoordinatorClient,
    job: JobInfo,
    interrupts: &mut Interrupts,
    line: &mut ProgressLine,
) -> Result<JobInfo, Failure> {
    let id = job.id;
    let mut last = job;
    let ending = async {
        last = coordinator.cancel(id).await?;
        while !last.state.is_final() {
            changes(coordinator, id, |changed| {
                line.show(&changed);
                last = changed;
            })
            .await?;
        }
        Ok::<(), Failure>(())
    };
    let left_early = tokio::select! {
        ended = tokio::time::timeout(CANCEL_WAIT_MAX, ending) => match ended {
            Ok(ended) => ended.map(|()| false)?,
            Err(_) => true,
        },
        () = interrupts.next() => true,
    };
    match left_early && !last.state.is_final() {
        true => Err(unknown(&last)),
        false => Ok(last),
    }
}

fn outcome(job: JobInfo) -> Result<(JobInfo, JobResult), Failure> {
    match job.state.clone() {
        JobStatus::Succeeded(result) => Ok((job, result)),
        JobStatus::Failed(failure) => Err(failure),
        JobStatus::Cancelled => {
            let message = format!("job {} was cancelled: the replica is unchanged", job.id);
            Err(Failure::new(Reason::Cancelled, message))
        }
        _ => Err(Failure::new(Reason::Internal, format!("job {} has not ended", job.id))),
    }
}

fn is_away(failure: &Failure) -> bool {
    failure.reason == Reason::CoordinatorUnavailable
}

fn goes_on(job: Uuid) -> String {
    format!("`deepclone job watch {job}` follows it, `deepclone job cancel {job}` ends it")
}

fn detached(job: Uuid) -> Failure {
    let message = format!("interrupted: job {job} goes on at the coordinator");
    Failure::new(Reason::Interrupted, message).with(HINT, goes_on(job))
}

fn unchanged(job: Uuid) -> Failure {
    let message = format!("interrupted: job {job} was ended, the replica is unchanged");
    Failure::new(Reason::Interrupted, message)
        .with(HINT, "run the same command again to go on: what was copied stays")
}

/// Returns the failure of a command that ended before its job. Only a publishing job can have
/// changed the replica.
fn unknown(job: &JobInfo) -> Failure {
    let target = &job.spec.target.uri;
    match job.state {
        JobStatus::Publishing => {
            let message = format!(
                "interrupted while publishing: job {} may or may not be in the replica's log",
                job.id
            );
            let hint = format!("`deepclone history {target}` tells; or run the same command again");
            Failure::new(Reason::Interrupted, message).with(HINT, hint)
        }
        _ => unchanged(job.id),
    }
}

#[cfg(test)]
mod tests;
