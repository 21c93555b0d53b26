//! `deepclone-worker`: flags and environment → [`deepclone_worker::start`].

use std::process::ExitCode;

use clap::Parser;
use deepclone_worker::start::{Arguments, start};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    deepclone_common::telemetry::init("info");
    match start(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(reason = failure.reason.row().name, "{}", failure.message);
            ExitCode::from(failure.reason.row().exit)
        }
    }
}
