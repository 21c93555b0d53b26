//! The pages that people read: whether they can fail over, and what needs them.
//!
//! They are made here as whole documents, one style sheet beside them. No script is needed.
//!
//! * [`routes`]: the addresses; `headers`: what a browser may do with them.
//! * `shell`: what all pages share.
//! * `fleet`: the first page, over all replications; `replication`: one of them.
//! * `causes`: what needs somebody; `verdict`: whether one can fail over, in words.
//! * `paging`, `clock`, `words`: parts of a list, times, numbers and names.

mod budget;
mod causes;
mod clock;
mod fleet;
mod headers;
mod now;
mod paging;
mod replication;
pub mod routes;
mod shell;
mod verdict;
mod words;
