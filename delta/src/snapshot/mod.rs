//! The state of a table at one version: a checkpoint and the commits after it, replayed.
//!
//! Flow: a point (newest, version, time) → a log segment → actions, oldest first → a [`Snapshot`].
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#action-reconciliation>

mod disputed;
mod once;
mod onward;
pub(crate) mod piecewise;
mod read;
mod replay;
mod state;
mod time;

#[cfg(test)]
mod tests;

pub(crate) use onward::{LiveAt, LiveIn, Onward, go_on, live_in};
pub(crate) use read::read_found;
pub use read::{read, read_in_room, read_with_tombstones};
pub use state::{CommitDigest, Snapshot, TableState, WithTombstones};
pub(crate) use time::version_at_or_oldest;
