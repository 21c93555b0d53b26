//! A rule of the machine that does not hold, as a value.
//!
//! M1 to M10 and M15 to M17 are checked after every step, or by a recount (see `invariants`). M11
//! to M14 are what a step itself relies on: a look-up that finds nothing returns one of them
//! instead of going on silently. Either way the job fails as internal, and the driver logs the
//! violation.

use crate::ids::JobId;

/// Something that must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The job whose state breaks the rule; nil for a rule of the machine as a whole.
    pub job: JobId,
    /// The rule, by number and text.
    pub what: &'static str,
}

impl Violation {
    /// A step acts on a job that the machine does not know.
    pub(super) fn no_job(job: JobId) -> Self {
        Self { job, what: "M11: a job that a step acts on is known" }
    }

    /// A step acts on the tasks of a job in another state than the step needs.
    pub(super) fn wrong_state(job: JobId) -> Self {
        Self { job, what: "M12: tasks change only while their job is in the state for it" }
    }

    /// A step acts on a task that the plan does not have, or that is not leased when it must be.
    pub(super) fn no_task(job: JobId) -> Self {
        Self { job, what: "M13: a task that a step acts on is there, in the state for it" }
    }

    /// A step ends a job that has ended.
    pub(super) fn ended_twice(job: JobId) -> Self {
        Self { job, what: "M14: a job ends once" }
    }
}
