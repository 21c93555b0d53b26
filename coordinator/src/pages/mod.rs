//! The pages that people read: whether they can fail over, and what needs them.
//!
//! They are made here as whole documents, one style sheet beside them. No script is needed; where
//! scripts run, one keeps the figures of a job up to date.
//!
//! * [`routes`]: the addresses; `headers`: what a browser may do with them; `instead`: what is
//!   answered where there is no page.
//! * [`data`]: what they are made from; `page_state`: how an address finds its part of it.
//! * `visitor`: who reads a page; [`access`]: who may act; `act`: what one can do; `forms`: by
//!   which forms.
//! * `shell`: what all pages share.
//! * `fleet`: the first page, over all replications; `replication`: one of them.
//! * `money`: what copies cost.
//! * `jobs`: the syncs, and one of them; `workers`: who copies.
//! * `audits`: what audits found, in words.
//! * `causes`: what needs somebody; `verdict`: whether one can fail over, in words.
//! * `lag_picture`: the lag over time, drawn.
//! * `paging`, `clock`, `words`: parts of a list, times, numbers and names.

pub mod access;
mod act;
mod audits;
mod budget;
mod causes;
mod clock;
pub mod data;
mod fleet;
mod forms;
mod headers;
mod instead;
mod jobs;
mod lag_picture;
mod money;
mod now;
mod page_state;
mod paging;
mod replication;
pub mod routes;
mod shell;
mod verdict;
mod visitor;
mod words;
mod workers;
