//! The output of commands, as text for people and as one JSON object.
//!
//! A [`CommandOutput`] is what a command prints on stdout, with its exit code. Notes, progress and
//! errors go to stderr. JSON objects are structs here, so that their keys and order are fixed;
//! `docs/cli.md` describes each.

pub mod admin;
pub mod audit;
pub mod clone;
pub mod cost;
pub mod cost_report;
pub mod declared;
pub mod deleted;
pub mod describe;
pub mod doctor;
pub mod error;
pub mod history;
pub mod job;
pub mod output;
pub mod plan;
pub mod progress;
mod proofs;
mod proofs_of_use;
pub mod replication;
pub mod table;
pub mod units;
mod upkeep;
pub mod vacuum;
pub mod verify;
pub mod worker;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::visible::visible_json;
use serde::Serialize;

/// The output of a command on stdout, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// The text for people, without the last line end.
    pub text: String,
    /// The JSON object for programs, on one line.
    pub json: String,
    /// Rows with commas, where the command has some.
    pub csv: Option<String>,
    /// The exit code: 0, or 6 when `verify` found a difference, `admin check` damage, or
    /// `deleted` something that is left.
    pub exit: u8,
}

impl CommandOutput {
    /// Returns a successful answer.
    ///
    /// # Errors
    /// The object cannot be written as JSON, which no object of ours is.
    pub fn new(text: String, object: &impl Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_string(object)
            .map_err(|error| Failure::new(Reason::Internal, format!("no JSON: {error}")))?;
        Ok(Self { text, json: visible_json(&json).into_owned(), csv: None, exit: 0 })
    }
}

#[cfg(test)]
mod tests;
