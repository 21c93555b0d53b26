//! The pages of a coordinator, over replications that are made here.
//!
//! * [`samples`]: replications as the engine shows them.
//! * [`site`]: the pages, served and asked for.
//! * [`first`]: the first page; [`one`]: the page of a replication; [`answers`]: what is answered
//!   at other addresses, and with which headers.
//! * [`browser`]: the pages in Chromium.
//! * [`figures`]: the metrics of replications; [`alerts`]: the rules over them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerts;
mod answers;
mod browser;
mod figures;
mod first;
mod one;
mod samples;
mod site;
