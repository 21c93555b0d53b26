//! `deepclone completions`: the completion script of a shell, from the definition of `--help`.

use clap::CommandFactory;
use deepclone_core::failure::Failure;

use crate::args::{CommandLine, CompletionsArguments};
use crate::render::CommandOutput;

/// Runs `deepclone completions`.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn run(arguments: &CompletionsArguments) -> Result<CommandOutput, Failure> {
    #[derive(serde::Serialize)]
    struct Object<'a> {
        shell: String,
        script: &'a str,
    }
    let mut script = Vec::new();
    let mut command = CommandLine::command();
    clap_complete::generate(arguments.shell, &mut command, "deepclone", &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    let object = Object { shell: arguments.shell.to_string(), script: &script };
    CommandOutput::new(script.clone(), &object)
}
