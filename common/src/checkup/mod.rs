//! A checkup of one connection: whether syncs can rely on it, one check after another.
//!
//! It asks what a sync asks (ADR 0012), and more: each right that a sync uses, what the store does
//! with conditions, uploads and checksums, and its clock. Objects are written into a folder of
//! their own below `_deepclone/`, which is emptied again whatever happens. A source is only read.
//!
//! * [`check`]: a check and its verdict.
//! * `examine`: which checks, and in which order.
//! * `reading`, `writing`, `large`: the checks of an object store; `folder`: those of a disk.
//! * `scratch`: the objects that a checkup writes.
//! * `clock`: the store's clock beside ours; `leftovers`: uploads that nobody ended.

pub mod check;
mod clock;
mod examine;
mod folder;
mod large;
mod leftovers;
mod reading;
mod scratch;
mod writing;

pub use examine::{Checkup, CheckupAccess, examine};
