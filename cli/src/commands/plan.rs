//! `deepclone plan`: shows what a sync would copy.

use deepclone_core::failure::Failure;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::spec::{CloneSpec, Repair};

use super::context::CommandContext;
use super::session::Session;
use crate::args::SpecArguments;
use crate::args::convert::clone_spec;
use crate::render::{self, CommandOutput};

/// Runs `deepclone plan`.
///
/// # Errors
/// The reason why the sync would be refused, or why the logs cannot be read.
pub async fn run(
    arguments: &SpecArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    run_as(Repair::Nothing, arguments, context).await
}

/// Plans one job: a sync, or a repair.
///
/// # Errors
/// As [`run`].
pub async fn run_as(
    repair: Repair,
    arguments: &SpecArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let spec = clone_spec(arguments, JobLimits::default(), &context.current_dir)?;
    let spec = CloneSpec { repair, ..spec };
    let mut session = Session::without_workers(context, &spec).await?;
    let change = session.coordinator.plan(&spec).await;
    session.close().await;
    render::plan::answer(&spec, &change?)
}
