//! Logs that somebody wrote to do harm: each is read right, or refused in one clear line.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod checkpoints;
mod commits;
mod footers;
mod support;
mod versions;
mod words;
