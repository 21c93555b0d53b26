//! What a user declares as a standing replication: which tables of one connection are kept at
//! another, when, and at what cost.
//!
//! A [`ReplicationSpec`] has the values as they are written. [`ReplicationSpec::check`] names all
//! of its mistakes at once, each by its field, or makes a [`CheckedReplication`]; [`check_set`]
//! does so for a whole file. Paths of fields are those of the file: `window[1].from` is the
//! beginning of the second window.

mod bandwidth;
mod check;
mod checked;
mod error;
mod name;
mod pattern;
mod schedule;
mod selection;
mod set;
mod shared_budget;
mod spec;
mod tables;
#[cfg(test)]
mod tests;
mod words;

pub use bandwidth::{BandwidthLimit, BandwidthTimetable, RateState};
pub use checked::{CheckedReplication, ReplicationTrigger};
pub use error::{SetError, SpecError};
pub use name::{ReplicationName, ReplicationNameError};
pub use pattern::{TablePattern, TablePatternError};
pub use selection::TableSelection;
pub use set::check_set;
pub use shared_budget::{BudgetScope, SharedBudget, SharedBudgetSpec, check_budgets};
pub use spec::{
    AuditSpec, BandwidthSpec, BudgetSpec, CLOSE_GRACE_DEFAULT, CloneOptions, DAYS_DEFAULT, DueSpec,
    FROM_DEFAULT, JOBS_AT_ONCE_DEFAULT, MaxLag, MissedPolicy, OverlapPolicy, POLL_MAX_DEFAULT,
    POLL_MIN_DEFAULT, ReplicationSpec, ResumePolicy, ScheduleSpec, TIME_ZONE_DEFAULT, TO_DEFAULT,
    VacuumSpec, WindowSpec,
};
pub use words::{AtLimitWord, Word, WordError};
