//! `deepclone admin …`: the database of a coordinator, as a file, and its webhooks.

use std::path::PathBuf;

use deepclone_common::clock::Clock;
use deepclone_common::config::Config;
use deepclone_common::webhook_settings::webhooks;
use deepclone_coordinator::alerts::try_webhook;
use deepclone_coordinator::config::database_file;
use deepclone_coordinator::database_check::check_database;
use deepclone_coordinator::state::PurgeBounds;
use deepclone_coordinator::state::file::backup::backup;
use deepclone_coordinator::state::file::purge::{PurgeMode, purge};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;

use super::context::CommandContext;
use crate::args::{
    AdminCommand, BackupArguments, DatabaseArgument, PurgeArguments, TestWebhookArguments,
};
use crate::refusal::invalid;
use crate::render::{self, CommandOutput};

/// Runs a command of `deepclone admin`.
///
/// # Errors
/// The file cannot be used.
pub async fn run(
    command: &AdminCommand,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    if context.coordinator_url().is_some() {
        return Err(invalid(
            "`deepclone admin` works on the database's file, on the machine of its coordinator: \
             leave --coordinator (DEEPCLONE_COORDINATOR) out",
        ));
    }
    match command {
        AdminCommand::Check(database) => {
            let file = file_of(database, context)?;
            let now = UnixTime(Clock::System.now_ms());
            let checked = check_database(&file, now).await.map_err(|error| error.failure())?;
            render::admin::checked(&file, &checked)
        }
        AdminCommand::Backup(BackupArguments { file: to, database }) => {
            let file = file_of(database, context)?;
            let to = context.current_dir.join(to);
            let bytes = backup(&file, &to).await.map_err(|error| error.failure())?;
            render::admin::copied(&file, &to, bytes)
        }
        AdminCommand::Purge(PurgeArguments { older_than, dry_run, database }) => {
            let file = file_of(database, context)?;
            let bounds = older_than.map(PurgeBounds::older_than).unwrap_or_default();
            let mode = if *dry_run { PurgeMode::DryRun } else { PurgeMode::Drop };
            let rows = purge(&file, Clock::System.now_ms(), &bounds, mode).await;
            render::admin::purged(&file, &rows.map_err(|error| error.failure())?, mode)
        }
        AdminCommand::TestWebhook(TestWebhookArguments { name }) => {
            test_webhook(name, context).await
        }
    }
}

/// Sends one message to the webhook of this name.
async fn test_webhook(name: &str, context: &CommandContext) -> Result<CommandOutput, Failure> {
    let config = Config::load(context.global.config.as_deref())?;
    let all = webhooks(&config.webhooks)?;
    let Some(webhook) = all.iter().find(|webhook| webhook.name == name) else {
        let names: Vec<&str> = all.iter().map(|webhook| &*webhook.name).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(invalid(format!("there is no webhook {name:?} in the configuration: {names}")));
    };
    let sent = try_webhook(webhook, UnixTime(Clock::System.now_ms())).await;
    sent.map_err(|why| {
        let message = format!("webhook {name:?} at {}: {why}", webhook.address);
        Failure::new(Reason::StorageUnavailable, message)
    })?;
    render::admin::tried(name, &webhook.address.to_string())
}

/// The file of the database that a coordinator here would use.
fn file_of(database: &DatabaseArgument, context: &CommandContext) -> Result<PathBuf, Failure> {
    let config = Config::load(context.global.config.as_deref())?;
    let flag = database.database.as_deref().filter(|url| !url.is_empty());
    Ok(context.current_dir.join(database_file(flag, &config)?))
}
