//! The decisions of Deepclone, pure: no IO, no clock, no randomness, no id minting (I1).
//!
//! Layout, in pipeline order:
//!
//! * [`spec`]: what a client asks for (`CloneSpec`).
//! * [`ids`]: newtypes for every id; none is minted here.
//! * [`shard`]: objects packed into tasks, and the names (fingerprints) of tasks.
//! * [`task`]: a task as a worker gets it, and its lease.
//! * [`evidence`]: what proves that the target holds an object, and for how long.
//! * [`receipt`]: the worker's evidence for a task, or the kind of its failure.
//! * [`machine`]: the life of a sync: `Machine::step(now, event, &mut actions)`.
//! * [`reason`]: the one table reason → exit code → gRPC code.
//! * [`failure`]: an error as it leaves the system: reason, one line, details.
//! * [`limits`]: every bound, with their relations asserted.

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
