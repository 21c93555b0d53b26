//! The pages of a coordinator, over replications that are made here.
//!
//! * [`samples`]: replications as the engine shows them.
//! * [`site`]: the pages, served and asked for.
//! * [`first`]: the first page; [`one`]: the page of a replication; [`answers`]: what is answered
//!   at other addresses, and with which headers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod first;
mod one;
mod samples;
mod site;
