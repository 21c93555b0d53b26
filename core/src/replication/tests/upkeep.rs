//! When replicas are audited and vacuumed.

use super::*;

#[test]
fn a_mistake_in_audits_and_vacuums_is_told() {
    const EVERY: fn(u64) -> ScheduleSpec =
        |seconds| ScheduleSpec { due: DueSpec::Every(Duration::from_secs(seconds)), spread: None };
    refused(&[
        (
            |spec| {
                spec.audit = Some(AuditSpec {
                    schedule: EVERY(59),
                    sample_millionths: 1_000_001,
                    proof_of_use: true,
                });
            },
            &[
                "audit.sample: it is more than all: write at most 100%",
                "audit.schedule.every: the interval is shorter than a minute",
            ],
        ),
        (
            |spec| {
                let due = DueSpec::OnCommit { poll_min: MINUTE, poll_max: MINUTE };
                let schedule = ScheduleSpec { due, spread: None };
                spec.vacuum = Some(VacuumSpec { schedule, retention: None, with_log: false });
            },
            &["vacuum.schedule.on_commit: it has no slots: write every, at or cron"],
        ),
    ]);
    let mut kept = spec();
    kept.audit =
        Some(AuditSpec { schedule: EVERY(3600), sample_millionths: 5, proof_of_use: false });
    let checked = kept.check(now()).unwrap();
    assert_eq!(checked.audit, Some(Schedule::every(60 * MINUTE).unwrap()));
    assert_eq!(checked.vacuum, None);
}
