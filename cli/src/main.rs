//! Starts the runtime, runs the command, ends with its exit code.

use std::process::ExitCode;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

fn main() -> ExitCode {
    // Quiet unless asked: what a command has to say comes as its answer or its error.
    deepclone_common::telemetry::init("off");
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::new(Reason::Internal, format!("no runtime: {error}"));
            let format = deepclone::args::OutputFormat::Text;
            return deepclone::render::error::report(&failure, format).into();
        }
    };
    let exit = runtime.block_on(deepclone::run(std::env::args_os().collect()));
    // A read that hangs in a blocking thread must not keep the process.
    runtime.shutdown_background();
    exit.into()
}
