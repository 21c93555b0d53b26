//! What a command says: the same answer as text for people and as one JSON object.
//!
//! Words: an [`Answer`] is the one thing that a command prints on stdout, with the exit code
//! beside it; notes, progress and errors go to stderr. JSON objects are structs here, so that
//! their keys and their order are fixed; `docs/cli.md` describes each.

pub mod clone;
pub mod error;
pub mod history;
pub mod job;
pub mod output;
pub mod plan;
pub mod progress;
pub mod table;
pub mod units;
pub mod verify;
pub mod worker;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::Serialize;

/// What a command prints on stdout, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// For people: lines, without the last line end.
    pub text: String,
    /// For programs: one object on one line.
    pub json: String,
    /// 0, or 6 for a verify that found a difference.
    pub exit: u8,
}

impl Answer {
    /// A successful answer.
    ///
    /// # Errors
    /// Never in practice: our objects hold nothing that JSON cannot.
    pub fn new(text: String, object: &impl Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_string(object)
            .map_err(|error| Failure::new(Reason::Internal, format!("no JSON: {error}")))?;
        Ok(Self { text, json, exit: 0 })
    }
}

#[cfg(test)]
mod tests;
