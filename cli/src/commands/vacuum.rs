//! `deepclone vacuum`: deletes from a replica what no reader within its retention needs.

use deepclone_common::clock::Clock;
use deepclone_common::connections::{Side, end_old_uploads};
use deepclone_core::failure::Failure;
use deepclone_delta::vacuum::{VacuumOptions, vacuum};

use super::context::CommandContext;
use super::session;
use crate::args::{VacuumArguments, convert};
use crate::client::vacuum::VacuumAnswer;
use crate::render::CommandOutput;
use crate::render::progress::CountLine;
use crate::render::vacuum::answer;

/// Runs `deepclone vacuum`.
///
/// # Errors
/// The reason why the replica is refused, cannot be read, or an object of it cannot be deleted.
pub async fn run(
    arguments: &VacuumArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let target = convert::table(
        Side::Target,
        &arguments.target,
        arguments.target_connection.as_deref(),
        &context.current_dir,
    )?;
    let options = VacuumOptions {
        retain: arguments.retain,
        may_break_time_travel: arguments.break_time_travel,
        allowed_features: arguments.allow_feature.clone(),
        with_log: arguments.log,
        dry_run: arguments.dry_run,
        ..VacuumOptions::default()
    };
    if let Some(url) = context.coordinator_url() {
        return answer(&context.connect(url).await?.vacuum(&target, &options).await?);
    }
    let connections = session::connections(context, &[(&target, Side::Target)])?;
    let refused =
        |error: deepclone_common::connections::ConnectionError| error.failure_of(Side::Target);
    let found = connections.resolve(&target, Side::Target).map_err(refused)?;
    let opened =
        connections.open_by(&found.connection, &found.fingerprint, &found.root).map_err(refused)?;
    let line = CountLine::start("deleting", "objects");
    let progress = |done, total| line.show(done, total);
    let report = vacuum(&opened.table, &options, &Clock::System, &progress).await;
    let report = report.map_err(|error| error.of(Side::Target).failure())?;
    let uploads =
        end_old_uploads(&opened, report.unreferenced_before_ms, arguments.dry_run).await?;
    drop(line);
    answer(&VacuumAnswer::of(&opened.table.uri, report, uploads, arguments.dry_run))
}
