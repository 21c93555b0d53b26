//! `deepclone doctor`: tries a target, and finds uploads that nobody ended.

use std::time::Duration;

use deepclone_common::clock::Clock;
use deepclone_common::connections::{Opened, Side, Writes};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::uploads::OpenUpload;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::context::CommandContext;
use super::session;
use crate::args::{DoctorArguments, convert};
use crate::render::{self, CommandOutput};

/// Runs `deepclone doctor`.
///
/// # Errors
/// The reason why the target cannot hold a replica, or cannot be looked at.
pub async fn run(
    arguments: &DoctorArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    context.refuse_coordinator("doctor")?;
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
    let (name, fingerprint, root) = (&found.connection, &found.fingerprint, &found.root);
    let notice = connections.probe_target(name, fingerprint, root).await?;
    let opened = connections.open_by(name, fingerprint, root).map_err(refused)?;
    let uploads = open_uploads(&opened).await?;
    let aborted = match arguments.abort_older_than {
        Some(age) => abort(&opened, &uploads, age).await?,
        None => Vec::new(),
    };
    render::doctor::answer(&found.uri, notice.as_deref(), uploads.as_deref(), &aborted)
}

/// The uploads below the target; `None` where its store cannot list them.
async fn open_uploads(opened: &Opened) -> Result<Option<Vec<OpenUpload>>, Failure> {
    let Writes::Store(store) = &opened.writes else { return Ok(Some(Vec::new())) };
    let prefix = match opened.table.root.as_ref() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    match store.open_uploads(&prefix).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == StoreErrorKind::Unsupported => Ok(None),
        Err(error) => Err(failure(opened, "its uploads cannot be listed", &error)),
    }
}

/// Throws away the uploads that were opened longer ago than `age`, and returns their ids.
async fn abort(
    opened: &Opened,
    uploads: &Option<Vec<OpenUpload>>,
    age: Duration,
) -> Result<Vec<String>, Failure> {
    let (Writes::Store(store), Some(uploads)) = (&opened.writes, uploads) else {
        return Ok(Vec::new());
    };
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let latest_ms = Clock::System.now_ms().saturating_sub(age_ms);
    let mut aborted = Vec::new();
    for upload in uploads.iter().filter(|one| one.begun_ms.is_some_and(|at| at < latest_ms)) {
        let what = format!("the upload of {} cannot be thrown away", upload.path);
        store.abort_open(upload).await.map_err(|error| failure(opened, &what, &error))?;
        aborted.push(upload.id.clone());
    }
    Ok(aborted)
}

fn failure(opened: &Opened, what: &str, error: &StoreError) -> Failure {
    let reason = match error.kind {
        StoreErrorKind::Denied => Reason::PermissionDenied,
        _ => Reason::StorageUnavailable,
    };
    Failure::new(reason, format!("the target {}: {what}: {error}", opened.table.uri))
}
