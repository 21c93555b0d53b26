//! The pages of jobs: all of them, and one with its figures, which are live where scripts run.
//!
//! * `list`: all jobs, the newest first.
//! * `one`: a job; `figures`: the part of its page that changes, which `events` sends.
//! * `phases`: what took how long; `state`: states in words; `advice`: what to do about a failure.
//! * `keeper`: the replication that keeps a job's replica.

mod advice;
mod events;
mod figures;
mod keeper;
mod list;
mod one;
mod phases;
mod state;

pub(super) use events::{JobStreams, events};
pub(super) use list::{JobsAddress, list_page};
pub(super) use one::{POLICY, job_page};
