//! `deepclone doctor`: checks a connection, and finds uploads that nobody ended.

use std::time::Duration;

use deepclone_common::checkup::{Checkup, CheckupAccess, examine};
use deepclone_common::clock::Clock;
use deepclone_common::config::Config;
use deepclone_common::connections::{ConnectionError, Connections, Opened, Resolved, Side, Writes};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::uploads::OpenUpload;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::context::CommandContext;
use super::session;
use crate::args::{DoctorArguments, convert};
use crate::refusal::invalid;
use crate::render::{self, CommandOutput};

/// Runs `deepclone doctor`.
///
/// # Errors
/// A connection that there is not, or an upload that cannot be thrown away. What the store refuses
/// is in the answer.
pub async fn run(
    arguments: &DoctorArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    context.refuse_coordinator("doctor")?;
    let config = Config::load(context.global.config.as_deref())?;
    let (connections, found, access) = match config.connections.contains_key(&arguments.target) {
        true => named(arguments, context)?,
        false => placed(arguments, context)?,
    };
    let checkup = examine(&connections, &found, access).await?;
    let aborted = match arguments.abort_older_than {
        Some(age) if checkup.is_fit() => abort(&connections, &found, &checkup, age).await?,
        _ => Vec::new(),
    };
    render::doctor::answer(&found.uri, access, &checkup, &aborted)
}

/// The root of a connection. One with the role `source` alone is only read.
fn named(
    arguments: &DoctorArguments,
    context: &CommandContext,
) -> Result<(Connections, Resolved, CheckupAccess), Failure> {
    let name = &arguments.target;
    if arguments.target_connection.is_some() {
        let message = format!("{name} is a connection: leave --target-connection out");
        return Err(invalid(message));
    }
    let connections = session::connections(context, &[])?;
    let can_write = connections.offers().iter().any(|offer| offer.name == *name && offer.can_write);
    let access = match arguments.read_only || !can_write {
        true => CheckupAccess::ReadOnly,
        false => CheckupAccess::Write,
    };
    if !can_write && arguments.abort_older_than.is_some() {
        let message = format!(
            "the connection {name:?} has not the role target: nothing of it is \
                               thrown away"
        );
        return Err(invalid(message));
    }
    let side = if can_write { Side::Target } else { Side::Source };
    let refused = |error: ConnectionError| error.failure_of(side);
    let root = connections.below(name, "").map_err(refused)?;
    let found = connections.resolve(&root, side).map_err(refused)?;
    Ok((connections, found, access))
}

/// A place that some connection holds, or the environment's settings reach.
fn placed(
    arguments: &DoctorArguments,
    context: &CommandContext,
) -> Result<(Connections, Resolved, CheckupAccess), Failure> {
    let (side, access) = match arguments.read_only {
        true => (Side::Source, CheckupAccess::ReadOnly),
        false => (Side::Target, CheckupAccess::Write),
    };
    let name = arguments.target_connection.as_deref();
    let table = convert::table(side, &arguments.target, name, &context.current_dir)?;
    let connections = session::connections(context, &[(&table, side)])?;
    let found = connections.resolve(&table, side).map_err(|error| error.failure_of(side))?;
    Ok((connections, found, access))
}

/// Throws away the uploads that were opened longer ago than `age`, and returns their ids.
async fn abort(
    connections: &Connections,
    found: &Resolved,
    checkup: &Checkup,
    age: Duration,
) -> Result<Vec<String>, Failure> {
    let Resolved { connection, fingerprint, root, .. } = found;
    let opened = connections
        .open_by(connection, fingerprint, root)
        .map_err(|error| error.failure_of(Side::Target))?;
    let (Writes::Store(store), Some(uploads)) = (&opened.writes, &checkup.open_uploads) else {
        return Ok(Vec::new());
    };
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let latest_ms = Clock::System.now_ms().saturating_sub(age_ms);
    let is_old = |one: &&OpenUpload| one.begun_ms.is_some_and(|at| at < latest_ms);
    let mut aborted = Vec::new();
    for upload in uploads.iter().filter(is_old) {
        let what = format!("the upload of {} cannot be thrown away", upload.path);
        store.abort_open(upload).await.map_err(|error| failure(&opened, &what, &error))?;
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
