//! The `deepclone` command.
//!
//! Layout, in the order of a command's life:
//!
//! * [`args`]: the command line, and its one checked conversion.
//! * [`commands`]: the work of each command.
//! * [`embedded`]: a coordinator and workers in this process, without `--coordinator`.
//! * [`client`]: the gRPC client; the only folder that sees wire types.
//! * [`refusal`]: the refusals of wrong arguments.
//! * [`replication_file`]: a file of replications, read and checked.
//! * [`signals`]: Ctrl-C and SIGTERM.
//! * [`render`]: answers, progress and errors as text and as JSON.

pub mod args;
pub mod client;
pub mod commands;
pub mod embedded;
pub mod refusal;
pub mod render;
pub mod replication_file;
pub mod signals;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::visible::{is_hidden, visible};

use args::{CommandLine, OutputFormat};
use render::{error, output};

/// Runs the command line `arguments`, which begin with the program's name. Returns the exit code.
pub async fn run(arguments: Vec<OsString>) -> u8 {
    let parsed = match CommandLine::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(refusal) => return refused(&refusal, &arguments),
    };
    let format = parsed.global.output;
    let answer = match commands::run(parsed).await {
        Ok(answer) => answer,
        Err(failure) => return error::report(&failure, format),
    };
    let shown = match format {
        OutputFormat::Text => output::answer(&answer.text),
        OutputFormat::Json => output::answer(&answer.json),
        OutputFormat::Csv => output::answer(answer.csv.as_deref().unwrap_or_default()),
    };
    match shown {
        Ok(()) => answer.exit,
        Err(failure) => error::report(&failure, OutputFormat::Text),
    }
}

/// Prints what clap refused or was asked to show (help, version).
fn refused(refusal: &clap::Error, arguments: &[OsString]) -> u8 {
    let text = refusal.render();
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is not an error.
            let _ = refusal.print();
            0
        }
        _ if wants_json(arguments) => {
            let message = first_paragraph(&text.to_string());
            error::report(&Failure::new(Reason::InvalidArgument, message), OutputFormat::Json)
        }
        _ => {
            // clap repeats the arguments as they are: without its colours every line is shown safe.
            let text = text.to_string();
            match text.contains(|c: char| c != '\n' && is_hidden(c)) {
                true => output::aside(&lines(&text)),
                false => drop(refusal.print()),
            }
            Reason::InvalidArgument.row().exit
        }
    }
}

/// Returns the lines of a text with what cannot be seen as escapes.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// Returns true when a command line that could not be parsed has `--output json`.
fn wants_json(arguments: &[OsString]) -> bool {
    let pairs = arguments.windows(2);
    pairs.into_iter().any(|pair| pair[0] == "--output" && pair[1] == "json")
        || arguments.iter().any(|argument| argument == "--output=json")
}

/// Returns the first paragraph of clap's message on one line, without usage and tips.
fn first_paragraph(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words = paragraph.strip_prefix("error: ").unwrap_or(paragraph).split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}
