//! Copies the objects of one task: reads, digests, writes where nothing is, proves.
//!
//! Words: a *part* is a range of an object; its size is a function of the object's length alone. A
//! *flow* is bytes on their way from a read into a write: little of it is in memory at once. The
//! *budget* is the number of bytes that the worker holds at once, and a *slot* the permission to
//! move one object or part. Each failed request is counted by the meter of the route.
//!
//! Order: [`task::do_task`] → [`object::copy_object`] → [`present`] where the key is expected at
//! the target → [`read`] → [`flow`] → one put, or [`parts`] → [`target`]. What the target's store
//! says of the bytes is compared with their [`digests`]. Where the key is taken, [`settle`]
//! compares by [`proof`], by which [`confirm`] also reads back what was written. Where one store
//! holds both sides, [`by_store`] lets it copy the larger objects by itself. A very large object is
//! shared with other workers, whose tasks are its steps: [`shared`].

pub(crate) mod by_store;
pub(crate) mod confirm;
pub(crate) mod context;
pub(crate) mod counts;
pub(crate) mod digests;
pub(crate) mod error;
pub(crate) mod etag;
pub(crate) mod flow;
pub(crate) mod found;
pub(crate) mod key;
pub(crate) mod length;
pub(crate) mod object;
pub(crate) mod part;
pub(crate) mod parts;
pub(crate) mod present;
pub(crate) mod proof;
pub(crate) mod read;
pub(crate) mod retry;
pub(crate) mod settle;
pub(crate) mod shared;
pub(crate) mod target;
pub(crate) mod task;
#[cfg(test)]
mod tests;
