//! The names that the source's objects and paths have at the replica.
//!
//! Flow: the source's live files → [`replicated`]: relative paths ([`relocate`]), and other keys
//! where the target's store cannot hold the source's ([`rewrite`]). [`near_names`] finds keys that
//! some file systems take for one, [`refuse_nested`] those that no disk holds together.
//! [`repaired`]: the key of an object that stands beside a damaged one.

mod near;
mod nested;
mod relocate;
pub(crate) mod repaired;
mod rewrite;

pub use near::NearNames;
pub(crate) use near::near_names;
pub(crate) use nested::refuse_nested;
pub(crate) use rewrite::{
    Replicated, fitting, keeps, own_key_max, refuse_too_long, replicated, target_key,
};
