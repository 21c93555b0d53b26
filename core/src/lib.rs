//! The decisions of Deepclone, pure: no IO, no clock, no randomness, no id minting (I1).
//!
//! The ladder from a request to a visible version, one word for each step:
//!
//! ```text
//! CloneSpec → ChangeSet → TaskSpec → Grant → Lease → Receipt → Publication
//! ```
//!
//! A client asks with a [`CloneSpec`](spec::CloneSpec). The coordinator compares both tables, and
//! the difference is the change set (`deepclone-delta`). Its objects are packed into tasks, each a
//! [`TaskSpec`](task::TaskSpec). A [`Grant`](task::Grant) gives one task to one worker; inside the
//! machine a lease holds the grant in time, and heartbeats extend it. The worker's
//! [`Receipt`](receipt::Receipt) is the evidence that every object of the task is at the target.
//! When every task has its receipt, the publication makes the new state visible with one
//! conditional write.
//!
//! Layout, in pipeline order:
//!
//! * [`spec`]: what a client asks for (`CloneSpec`).
//! * [`ids`]: newtypes for every id; none is minted here.
//! * [`shard`]: objects packed into tasks, and the names (fingerprints) of tasks.
//! * [`copy_plan`]: whether an object is copied whole or by parts, and by how many requests.
//! * [`task`]: a task as a worker gets it, and its grant.
//! * [`evidence`]: what proves that the target holds an object, and for how long.
//! * [`receipt`]: the worker's evidence for a task, or the kind of its failure.
//! * [`machine`]: the life of a sync: `Machine::step(now, event, &mut actions)`.
//! * [`reason`]: the one table reason → exit code → gRPC code.
//! * [`failure`]: an error as it leaves the system: reason, one line, details.
//! * [`limits`]: every bound, with their relations asserted.

pub mod copy_plan;
pub mod evidence;
pub mod failure;
pub mod ids;
pub mod limits;
pub mod machine;
pub mod reason;
pub mod receipt;
pub mod shard;
pub mod spec;
pub mod task;
