//! `deepclone plan`: shows what a sync would copy.

use deepclone_core::failure::Failure;
use deepclone_core::job_limits::JobLimits;

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
    let spec = clone_spec(arguments, JobLimits::default(), &context.current_dir)?;
    let mut session = Session::without_workers(context, &spec).await?;
    let change = session.coordinator.plan(&spec).await;
    session.close().await;
    render::plan::answer(&spec, &change?)
}
