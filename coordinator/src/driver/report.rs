//! A worker's report, checked once against the plans before the machine hears of it.

use deepclone_core::ids::{GrantKey, WorkerId};
use deepclone_core::machine::{Event, TaskOutcome};
use deepclone_core::receipt::{TaskFailure, TaskFailureKind};

use super::job_table::JobTable;

/// A report whose receipts bear their worker's name and the shape of their tasks. A task whose plan
/// is being made is the exception: its receipt is checked when the plan tells of its objects.
pub(super) struct CheckedReport {
    worker: WorkerId,
    outcomes: Vec<(GrantKey, TaskOutcome)>,
}

impl CheckedReport {
    /// Checks a report of the worker with this name. A receipt that cannot be the task's becomes a
    /// failed attempt.
    pub(super) fn check(
        jobs: &JobTable,
        worker: WorkerId,
        name: &str,
        mut outcomes: Vec<(GrantKey, TaskOutcome)>,
    ) -> Self {
        for (key, outcome) in &mut outcomes {
            let TaskOutcome::Done(receipt) = outcome else { continue };
            name.clone_into(&mut receipt.worker);
            let plan = jobs.plan(key.job);
            let fits = plan.and_then(|plan| plan.receipt_fits(key.fingerprint, receipt));
            if fits == Some(false) {
                let message = "the receipt does not fit the task's objects".to_owned();
                let kind = TaskFailureKind::Corrupt;
                *outcome = TaskOutcome::Failed(TaskFailure { index: None, kind, message });
            }
        }
        Self { worker, outcomes }
    }

    pub(super) fn event(self) -> Event {
        Event::Reported { worker: self.worker, outcomes: self.outcomes }
    }
}
