//! Syncs over hand-written logs: what is copied, what the commit says, what is refused.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod auditing;
mod beside_the_log;
mod by_newer;
mod change_feed;
mod checkpoints;
mod cleaned;
mod deleting;
mod evidence;
mod faults;
mod finishing;
mod histories;
mod identity;
mod incremental;
mod listings;
mod log_files;
mod odd_commits;
mod outcomes;
mod owners;
mod pairs;
mod presence;
mod protocols;
mod repaired_histories;
mod repairing;
mod room;
mod scenarios;
mod spellings;
mod support;
mod target_names;
mod v2_checkpoints;
mod vacuuming;
mod validating;
mod verifying;
