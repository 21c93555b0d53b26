//! The names that the source's objects and paths have at the replica.
//!
//! Flow: the source's live files → [`replicated`]: relative paths ([`relocate`]), and other keys
//! where the target's store cannot hold the source's ([`rewrite`]). [`near_names`] finds keys that
//! some file systems take for one.

mod near;
mod relocate;
mod rewrite;

pub use near::NearNames;
pub(crate) use near::near_names;
pub(crate) use rewrite::{Replicated, fitting, refuse_too_long, replicated, target_key};
