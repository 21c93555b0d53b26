//! Whether replicas can be relied on: how far each is behind, and what a fail-over would lose.
//!
//! The *lag* of a replica is the age of the oldest commit of its source that it lacks. It is known
//! as of the time at which the source was last asked, and unknown when that is long ago or failed.
//! The *recovery point* of several replicas is the time up to which all of them are complete.
//!
//! * [`lag`]: one table.
//! * [`retention`]: how long the source keeps what a sync needs.
//! * [`verdict`]: tables together.

pub mod lag;
pub mod retention;
pub mod verdict;
