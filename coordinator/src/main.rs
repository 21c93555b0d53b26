//! `deepclone-coordinator`: parse, check, bind, run.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use deepclone_common::{runtime, shutdown, telemetry};
use deepclone_coordinator::config::{Args, Settings};
use deepclone_coordinator::server::{self, Listeners};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

fn main() -> ExitCode {
    let args = Args::parse();
    telemetry::init("info");
    let started = runtime::start().map_err(|error| {
        Failure::new(Reason::Internal, format!("the system starts no threads: {error}"))
    });
    match started.and_then(|runtime| runtime.block_on(start(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _closed = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::from(failure.reason.row().exit)
        }
    }
}

async fn start(args: Args) -> Result<(), Failure> {
    let settings = Settings::load(&args)?;
    let shutdown = shutdown::on_signal().map_err(|error| {
        Failure::new(Reason::Internal, format!("cannot watch for signals: {error}"))
    })?;
    let listeners = Listeners::bind(&settings).await?;
    let ready = listeners.ready_line();
    server::run(settings, listeners, shutdown, || server::announce(&ready)).await
}
