//! The log's files: which of them give a version, and their actions.
//!
//! Flow: a listing of `_delta_log` → a [`LogSegment`] → its checkpoint and its commits.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#delta-log-entries>

mod add_columns;
pub(crate) mod checkpoint;
pub(crate) mod checkpoint_part;
mod columns;
mod commit;
mod listing;
pub(crate) mod named;
mod names;
mod newer;
mod pages;
mod row;
mod segment;
mod stats;
mod value;
pub(crate) mod windows;

pub(crate) use checkpoint_part::NamedCheckpoint;
pub(crate) use commit::{COMMITS_AT_ONCE_MAX, in_commit_timestamp, readable_commit};
pub use commit::{Commit, read_commit};
pub(crate) use listing::{has_checkpoint_from, hint, list_first, since};
pub use listing::{head, list, list_whole};
pub(crate) use named::Names;
pub use names::{LAST_CHECKPOINT, commit_path, log_path};
pub use newer::{CommitFile, FirstNewer, Newer, may_have_newer, newer};
pub use segment::{CheckpointFiles, LogEntry, LogSegment};
