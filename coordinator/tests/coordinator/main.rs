//! The coordinator from outside: its services over memory, small workers, tables on local disk.
//!
//! * [`support`]: a lake, a coordinator over it, a worker that copies files.
//! * [`jobs`]: create, plan, watch, cancel, list; refusals.
//! * [`workers`]: leases, lost and draining workers.
//! * [`recovery`]: a coordinator that starts again; what earlier jobs copied.
//! * [`evidence`]: whom earlier copies serve, and what is looked at before a commit.
//! * [`bent`]: workers that lie or fail, objects that vanish, jobs that nobody takes.
//! * [`bounds`]: how much clients and workers may ask for and say.
//! * [`planning`]: plans that do not end.
//! * [`history`]: jobs that ended long ago.
//! * [`durability`]: a database that fails.
//! * [`faces`]: reflection, health, the process itself.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bent;
mod bounds;
mod durability;
mod evidence;
mod faces;
mod history;
mod jobs;
mod planning;
mod recovery;
mod support;
mod workers;
