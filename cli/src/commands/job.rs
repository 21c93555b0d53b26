//! `deepclone job …`: the jobs of a coordinator elsewhere.

use deepclone_core::failure::Failure;
use deepclone_core::job_limits::LimitsChange;
use uuid::Uuid;

use super::context::CommandContext;
use super::follow::{Home, to_its_end};
use crate::args::convert::{clone_spec, job_filter, job_id, job_limits, limits_change};
use crate::args::{JobCommand, JobName};
use crate::render::{self, CommandOutput};
use crate::signals::Interrupts;

/// Runs a command of `deepclone job`.
///
/// # Errors
/// The refusal of the coordinator; for `watch` also the failure of the job.
pub async fn run(command: &JobCommand, context: &CommandContext) -> Result<CommandOutput, Failure> {
    match command {
        JobCommand::Create(arguments) => {
            let spec =
                clone_spec(&arguments.spec, job_limits(&arguments.limits)?, &context.current_dir)?;
            let mut coordinator = context.coordinator("job create").await?;
            render::job::one(&coordinator.create(&spec, Uuid::new_v4()).await?)
        }
        JobCommand::Get(name) => {
            let id = job_id(&name.job)?;
            let mut coordinator = context.coordinator("job get").await?;
            render::job::one(&coordinator.get(id).await?)
        }
        JobCommand::List(arguments) => {
            let filter = job_filter(arguments)?;
            let order = if arguments.oldest_first { "create_time" } else { "" };
            let mut coordinator = context.coordinator("job list").await?;
            let jobs = coordinator.list(&filter, order, usize::from(arguments.limit)).await?;
            render::job::many(&jobs)
        }
        JobCommand::Watch(name) => {
            let id = job_id(&name.job)?;
            let mut coordinator = context.coordinator("job watch").await?;
            let mut interrupts = Interrupts::catch()?;
            let job = coordinator.get(id).await?;
            let home = Home::Elsewhere;
            let (job, result) = to_its_end(&mut coordinator, job, home, &mut interrupts).await?;
            render::clone::answer(&job, &result)
        }
        JobCommand::Cancel(name) => {
            let id = job_id(&name.job)?;
            let mut coordinator = context.coordinator("job cancel").await?;
            render::job::one(&coordinator.cancel(id).await?)
        }
        JobCommand::Hold(name) => hold(name, true, context).await,
        JobCommand::Release(name) => hold(name, false, context).await,
        JobCommand::Limit(arguments) => {
            let id = job_id(&arguments.job)?;
            let change = limits_change(arguments)?;
            let mut coordinator = context.coordinator("job limit").await?;
            render::job::one(&coordinator.limit(id, change).await?)
        }
    }
}

async fn hold(
    name: &JobName,
    held: bool,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let id = job_id(&name.job)?;
    let what = if held { "job hold" } else { "job release" };
    let mut coordinator = context.coordinator(what).await?;
    let change = LimitsChange { held: Some(held), ..LimitsChange::default() };
    render::job::one(&coordinator.limit(id, change).await?)
}
