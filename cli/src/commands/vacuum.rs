//! `deepclone vacuum`: deletes from a replica what no reader within its retention needs.

use deepclone_common::clock::Clock;
use deepclone_common::connections::{Opened, Side, Writes};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::uploads::OpenUpload;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_delta::vacuum::{VacuumOptions, vacuum};

use super::context::CommandContext;
use super::session;
use crate::args::{VacuumArguments, convert};
use crate::render::CommandOutput;
use crate::render::progress::CountLine;
use crate::render::vacuum::{VacuumAnswer, answer};

/// Runs `deepclone vacuum`.
///
/// # Errors
/// The reason why the replica is refused, cannot be read, or an object of it cannot be deleted.
pub async fn run(
    arguments: &VacuumArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    context.refuse_coordinator("vacuum")?;
    let target = convert::table(
        Side::Target,
        &arguments.target,
        arguments.target_connection.as_deref(),
        &context.current_dir,
    )?;
    let connections = session::connections(context, &[(&target, Side::Target)])?;
    let refused =
        |error: deepclone_common::connections::ConnectionError| error.failure_of(Side::Target);
    let found = connections.resolve(&target, Side::Target).map_err(refused)?;
    let opened =
        connections.open_by(&found.connection, &found.fingerprint, &found.root).map_err(refused)?;
    let options = VacuumOptions {
        retain: arguments.retain,
        may_break_time_travel: arguments.break_time_travel,
        allowed_features: arguments.allow_feature.clone(),
        with_log: arguments.log,
        dry_run: arguments.dry_run,
        ..VacuumOptions::default()
    };
    let line = CountLine::start("deleting", "objects");
    let progress = |done, total| line.show(done, total);
    let report = vacuum(&opened.table, &options, &Clock::System, &progress).await;
    let report = report.map_err(|error| error.of(Side::Target).failure())?;
    let uploads = uploads(&opened, report.unreferenced_before_ms, arguments.dry_run).await?;
    drop(line);
    answer(&VacuumAnswer {
        target: &opened.table.uri,
        report: &report,
        uploads,
        is_dry_run: arguments.dry_run,
    })
}

/// Throws away the uploads that were opened at or before `before_ms`, and returns how many they
/// are; `None` where the store lists none.
async fn uploads(
    opened: &Opened,
    before_ms: i64,
    is_dry_run: bool,
) -> Result<Option<u64>, Failure> {
    let Writes::Store(store) = &opened.writes else { return Ok(None) };
    let prefix = match opened.table.root.as_ref() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    let listed = match store.open_uploads(&prefix).await {
        Ok(listed) => listed,
        Err(error) if error.kind == StoreErrorKind::Unsupported => return Ok(None),
        Err(error) => return Err(failure(opened, "its open uploads cannot be listed", &error)),
    };
    let is_old = |one: &&OpenUpload| one.begun_ms.is_some_and(|at| at <= before_ms);
    let mut count = 0;
    for upload in listed.iter().filter(is_old) {
        if !is_dry_run {
            let what = format!("the upload of {} cannot be thrown away", upload.path);
            store.abort_open(upload).await.map_err(|error| failure(opened, &what, &error))?;
        }
        count += 1;
    }
    Ok(Some(count))
}

fn failure(opened: &Opened, what: &str, error: &StoreError) -> Failure {
    let reason = match error.kind {
        StoreErrorKind::Denied => Reason::PermissionDenied,
        _ => Reason::StorageUnavailable,
    };
    Failure::new(reason, format!("the target {}: {what}: {error}", opened.table.uri))
}
