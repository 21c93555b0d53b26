//! A worker's report, checked once against the plans before the machine takes it.

use deepclone_core::ids::{GrantKey, WorkerId};
use deepclone_core::machine::{Event, TaskOutcome};
use deepclone_core::receipt::{TaskFailure, TaskFailureKind};

use super::job_table::JobTable;
use super::message::Report;

/// A report whose receipts bear their worker's name, their age, and the shape of their tasks. The
/// shape is not known yet while the plan of the task is being made.
pub(super) struct CheckedReport {
    worker: WorkerId,
    outcomes: Vec<(GrantKey, TaskOutcome)>,
}

impl CheckedReport {
    /// Checks a report of the worker with this name. A receipt that cannot be the task's becomes a
    /// failed attempt.
    pub(super) fn check(report: Report, name: &str, jobs: &JobTable) -> Self {
        let Report { worker, mut outcomes, received } = report;
        let waited_ms = u64::try_from(received.elapsed().as_millis()).unwrap_or(u64::MAX);
        for (key, outcome) in &mut outcomes {
            let TaskOutcome::Done(receipt) = outcome else { continue };
            name.clone_into(&mut receipt.worker);
            // What it saw may be as old as the begin of the copy, by the worker's clock.
            receipt.elapsed_ms = receipt.elapsed_ms.saturating_add(waited_ms);
            let plan = jobs.plan(key.job);
            let fits = plan.and_then(|plan| plan.receipt_fits(key.fingerprint, receipt));
            if fits == Some(false) {
                let message = "the receipt does not fit the task's objects".to_owned();
                let (kind, spent) = (TaskFailureKind::Corrupt, receipt.spent());
                *outcome = TaskOutcome::Failed(TaskFailure { index: None, kind, message, spent });
            }
        }
        Self { worker, outcomes }
    }

    pub(super) fn event(self) -> Event {
        Event::Reported { worker: self.worker, outcomes: self.outcomes }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use deepclone_core::ids::{Attempt, Epoch, JobId, TaskFingerprint};
    use deepclone_core::receipt::Receipt;
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_receipt_ages_while_its_report_waits_and_bears_the_name_of_its_worker() {
        let key = GrantKey {
            job: JobId(Uuid::from_u128(1)),
            fingerprint: TaskFingerprint([2; 32]),
            attempt: Attempt(1),
            epoch: Epoch(1),
        };
        let receipt = Receipt { elapsed_ms: 7, worker: "another".to_owned(), ..Receipt::default() };
        let report = Report {
            worker: WorkerId(Uuid::from_u128(3)),
            outcomes: vec![(key, TaskOutcome::Done(receipt))],
            received: Instant::now().checked_sub(Duration::from_secs(5)).unwrap(),
        };
        let event = CheckedReport::check(report, "w", &JobTable::default()).event();
        let Event::Reported { outcomes, .. } = event else { panic!("{event:?}") };
        let [(_, TaskOutcome::Done(receipt))] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert!((5_007..60_000).contains(&receipt.elapsed_ms), "{}", receipt.elapsed_ms);
        assert_eq!(receipt.worker, "w");
    }
}
