//! Protocols and table features: what a table supports, what activates a feature, which tables can
//! be carried, and which protocol the replica gets.
//!
//! Words: a feature is *supported* when the protocol says so by a version or a list, *activated*
//! when a property or the schema makes use of it. A *family* is the names of one feature, such as
//! `typeWidening` and `typeWidening-preview`.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features>

mod activated;
mod check;
mod features;
mod merge;
mod supported;

pub(crate) use activated::{
    Family, annotated, has_change_data_feed, has_column_mapping, has_in_commit_timestamps,
    has_row_tracking, is_refused_alone, required_by_types, switched_on,
};
pub use check::check;
pub(crate) use features::is_dropped;
pub(crate) use merge::{merge, notice, same};
pub(crate) use supported::{READER_LISTS, WRITER_LISTS, misplaced, supported, supports_any};
