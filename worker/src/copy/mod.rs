//! Copies the objects of one task: reads, digests, writes where nothing is, proves.
//!
//! Words: a *part* is a range of an object, whole in memory before it is written; its size is a
//! function of the object's length alone. The *budget* is the number of bytes that the worker holds
//! at once.
//!
//! Flow: [`task::copy_task`] → [`object::copy_object`] → [`present`] where the key is expected at
//! the target → [`read`] → one put, or [`parts`] → [`target`]. Where the key is taken, [`settle`]
//! compares by [`proof`], which also reads back what was written.

pub(crate) mod context;
pub(crate) mod counts;
pub(crate) mod error;
pub(crate) mod etag;
pub(crate) mod key;
pub(crate) mod object;
pub(crate) mod parts;
pub(crate) mod present;
pub(crate) mod proof;
pub(crate) mod read;
pub(crate) mod settle;
pub(crate) mod target;
pub(crate) mod task;
#[cfg(test)]
mod tests;
