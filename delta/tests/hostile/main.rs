//! Logs that somebody wrote to do harm: each is read right, or refused in one clear line.
#![expect(clippy::unwrap_used, reason = "a test that fails, fails")]

mod checkpoints;
mod commits;
mod footers;
mod support;
mod versions;
mod words;
