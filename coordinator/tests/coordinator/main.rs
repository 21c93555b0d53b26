//! The coordinator from outside: its services over connections in memory, model workers, tables on
//! local disk.
//!
//! * [`support`]: a lake, a coordinator over it, a worker that copies files.
//! * [`jobs`]: create, plan, watch, cancel, list; refusals.
//! * [`limits`]: limits of jobs, changed while they run.
//! * [`workers`]: leases, lost and draining workers.
//! * [`recovery`]: a coordinator that starts again; what earlier jobs copied.
//! * [`evidence`]: which jobs earlier copies serve, and what is described before a commit.
//! * [`untrusted`]: workers that lie or fail, objects that vanish, jobs that no worker takes.
//! * [`bounds`]: the sizes of what clients and workers send.
//! * [`planning`]: plans that do not end.
//! * [`history`]: jobs that ended long ago.
//! * [`durability`]: a database that fails.
//! * [`replications`]: standing orders: declared, run, paused, renamed, retired.
//! * [`replicas`]: replicas that are compared and described for clients.
//! * [`vacuums`]: histories of replicas, and vacuums for clients.
//! * [`declared`]: what a declaration would do, before it is done.
//! * [`owners`]: whose a replica is, of several coordinators and replications.
//! * [`approvals`]: tables that come and go at the source.
//! * [`audits`]: replicas that are audited, and stores that do not answer.
//! * [`pages`]: what people see and do in a browser.
//! * [`standing`]: what they meet: sources that fail or are replaced, held jobs, shared limits.
//! * [`looks`]: replicas that somebody changed, and sources that are other tables.
//! * [`access`]: who may make which call; [`floods`]: how many; [`on_record`]: what is kept of
//!   them; [`guarded`]: a coordinator that asks who calls.
//! * [`counted`]: metrics of jobs, workers and leases; [`observed`]: ids and metrics of calls.
//! * [`services`]: reflection, health, the process itself.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod approvals;
mod audits;
mod bounds;
mod costs;
mod counted;
mod declared;
mod durability;
mod evidence;
mod floods;
mod guarded;
mod history;
mod jobs;
mod limits;
mod looks;
mod observed;
mod on_record;
mod owners;
mod pages;
mod planning;
mod recovery;
mod replicas;
mod replications;
mod services;
mod standing;
mod support;
mod untrusted;
mod vacuums;
mod workers;
