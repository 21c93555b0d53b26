//! The pages of a coordinator, over replications that are made here.
//!
//! * [`samples`]: replications as the engine shows them; [`work`]: jobs and workers as the driver
//!   does.
//! * [`fake`]: what answers the pages; [`site`]: the pages, served and asked for.
//! * [`first`]: the first page; [`one`]: the page of a replication; [`jobs`]: those of jobs, with
//!   their [`live`] figures; [`workers`]: that of workers; [`answers`]: what is answered at other
//!   addresses, and with which headers.
//! * [`acts`]: what one can do by the pages, and who may not.
//! * [`browser`]: the pages in Chromium; [`clicks`]: what people do there.
//! * [`figures`]: the metrics of replications; [`alerts`]: the rules over them; [`board`]: the
//!   board that shows them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acts;
mod alerts;
mod answers;
mod audits;
mod board;
mod browser;
mod clicks;
mod fake;
mod figures;
mod first;
mod jobs;
mod live;
mod money;
mod one;
mod samples;
mod site;
mod work;
mod workers;
