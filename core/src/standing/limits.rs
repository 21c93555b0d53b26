//! The bounds that the scheduler is built with.

use crate::limits::{ROUNDS_MAX, ROUNDS_PER_PAIR_MAX, UPKEEP_AT_ONCE_MAX};

/// The constants of the same names, or smaller ones in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingLimits {
    pub rounds_max: usize,
    pub rounds_per_pair_max: usize,
    pub upkeep_at_once_max: usize,
}

impl Default for StandingLimits {
    fn default() -> Self {
        Self {
            rounds_max: ROUNDS_MAX,
            rounds_per_pair_max: ROUNDS_PER_PAIR_MAX,
            upkeep_at_once_max: UPKEEP_AT_ONCE_MAX,
        }
    }
}
