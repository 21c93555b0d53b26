//! `deepclone-worker`: parse, check, bind, run.

use std::process::ExitCode;

use clap::Parser as _;
use deepclone_common::{runtime, shutdown, telemetry};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_worker::config::{WorkerArguments, WorkerSettings};
use deepclone_worker::server;

fn main() -> ExitCode {
    let arguments = WorkerArguments::parse();
    telemetry::init("info");
    let started = runtime::start().map_err(|error| {
        Failure::new(Reason::Internal, format!("the system starts no threads: {error}"))
    });
    match started.and_then(|runtime| runtime.block_on(start(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(reason = failure.reason.row().name, "{}", failure.message);
            ExitCode::from(failure.reason.row().exit)
        }
    }
}

async fn start(arguments: WorkerArguments) -> Result<(), Failure> {
    let settings = WorkerSettings::load(arguments)?;
    let shutdown = shutdown::on_signal().map_err(|error| {
        Failure::new(Reason::Internal, format!("cannot watch for signals: {error}"))
    })?;
    let listener = server::listen(&settings).await?;
    server::serve(settings, listener, shutdown).await
}
