//! A rule of the scheduler that does not hold, as a value.

use crate::ids::ReplicationId;

/// Something that must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingViolation {
    pub replication: ReplicationId,
    /// The rule, by number and text.
    pub what: &'static str,
}
