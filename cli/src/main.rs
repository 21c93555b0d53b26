//! Starts the runtime, runs the command, and exits with its code.

use std::process::ExitCode;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

fn main() -> ExitCode {
    // No log unless asked for: answers and errors are printed.
    deepclone_common::telemetry::init("off");
    let runtime = match deepclone_common::runtime::start() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure =
                Failure::new(Reason::Internal, format!("the system starts no threads: {error}"));
            let format = deepclone::args::OutputFormat::Text;
            return deepclone::render::error::report(&failure, format).into();
        }
    };
    let exit = runtime.block_on(deepclone::run(std::env::args_os().collect()));
    // Nobody waits for what still runs: a blocking thread that hangs in a read, idle connections.
    std::process::exit(exit.into())
}
