//! `deepclone clone`: one sync, from the creation of its job to its summary.

use deepclone_common::config::LimitSettings;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, Repair};
use uuid::Uuid;

use super::context::CommandContext;
use super::follow::to_its_end;
use super::plan;
use super::session::Session;
use crate::args::CloneArguments;
use crate::args::convert::{clone_spec, job_limits};
use crate::client::job::{JobInfo, JobResult};
use crate::refusal::invalid;
use crate::render::error::HINT;
use crate::render::{self, CommandOutput};
use crate::signals::Interrupts;

/// The default number of workers inside this process.
const WORKERS: u16 = 2;

/// Runs `deepclone clone`.
///
/// # Errors
/// The reason why the sync failed, was refused, or was interrupted.
pub async fn run(
    arguments: &CloneArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    run_as(Repair::Nothing, arguments, context).await
}

/// Runs one job: a sync, or a repair.
///
/// # Errors
/// As [`run`].
pub async fn run_as(
    repair: Repair,
    arguments: &CloneArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    if context.coordinator_url().is_some()
        && let Some(flag) = flag_of_this_process(arguments)
    {
        let message = format!("{flag} is for copying in this process: leave out --coordinator");
        return Err(invalid(message));
    }
    if arguments.dry_run {
        return plan::run_as(repair, &arguments.spec, context).await;
    }
    let job_limits = job_limits(&arguments.limits)?;
    let spec = clone_spec(&arguments.spec, job_limits, &context.current_dir)?;
    let spec = CloneSpec { repair, ..spec };
    let mut interrupts = Interrupts::catch()?;
    let workers = arguments.workers.unwrap_or(WORKERS);
    let (concurrency, bandwidth) = (arguments.concurrency, arguments.bandwidth);
    let limits = LimitSettings { concurrency, bandwidth, ..LimitSettings::default() };
    let mut session = Session::with_workers(context, &spec, workers, limits).await?;
    let done = sync(&mut session, &spec, &mut interrupts).await;
    session.close().await;
    let (job, result) = done?;
    render::clone::answer(&job, &result)
}

/// A flag that says how the workers of this process copy.
fn flag_of_this_process(arguments: &CloneArguments) -> Option<&'static str> {
    let flags = [
        (arguments.workers.is_some(), "--workers"),
        (arguments.concurrency.is_some(), "--concurrency"),
        (arguments.bandwidth.is_some(), "--bandwidth"),
    ];
    flags.into_iter().find_map(|(is_given, flag)| is_given.then_some(flag))
}

async fn sync(
    session: &mut Session,
    spec: &CloneSpec,
    interrupts: &mut Interrupts,
) -> Result<(JobInfo, JobResult), Failure> {
    let home = session.home;
    let job = tokio::select! {
        job = session.coordinator.create(spec, Uuid::new_v4()) => job?,
        () = interrupts.next() => return Err(before_the_answer()),
    };
    to_its_end(&mut session.coordinator, job, home, interrupts).await
}

fn before_the_answer() -> Failure {
    let message = "interrupted before the coordinator answered";
    Failure::new(Reason::Interrupted, message)
        .with(HINT, "run the same command again; `deepclone job list` shows a coordinator's jobs")
}
