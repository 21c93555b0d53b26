//! Jobs and probes that fail.

use super::*;

const RETRYABLE: JobOutcome = JobOutcome::Failed { is_retryable: true };

#[test]
fn a_job_is_tried_again_after_1_4_and_16_minutes() {
    let mut rig = Rig::of(every(HOUR));
    rig.until("13:00");
    rig.behind("a", &[3]);
    rig.said();
    for (at, want) in [("13:01", "1.3.1"), ("13:05", "1.3.2"), ("13:21", "1.3.3")] {
        rig.ended(3, RETRYABLE);
        assert!(matches!(rig.state(), StandingState::Retrying { at: then } if then == time(at)));
        rig.until(at);
        rig.check(&[&format!("{at} submit {want}")]);
    }
    rig.ended(3, RETRYABLE);
    rig.check(&["13:21 ended 1: 0 1 0"]);
    // The next slot tries again, by other ids.
    rig.until("14:00");
    rig.behind("a", &[3]);
    rig.check(&["14:00 began 2: slot 14:00", "14:00 probe 2", "14:00 submit 2.3.0"]);
}

#[test]
fn other_failures_and_cancelled_jobs_are_not_tried_again() {
    let mut rig = Rig::of(every(HOUR));
    rig.until("13:00");
    rig.behind("a", &[0, 1, 2]);
    rig.said();
    rig.ended(0, JobOutcome::Failed { is_retryable: false });
    rig.ended(1, JobOutcome::Cancelled);
    rig.ended(2, JobOutcome::Done);
    rig.check(&["13:00 submit 1.2.0", "13:00 ended 1: 1 1 1"]);
    let ended = rig.standing.view(id("a")).unwrap().last_ended.unwrap();
    assert!(!ended.outcome.is_complete());
    rig.until("14:00");
    rig.behind("a", &[0]);
    rig.ended(0, JobOutcome::Done);
    let ended = rig.standing.view(id("a")).unwrap().last_ended.unwrap();
    assert!(ended.outcome.is_complete());
}

#[test]
fn a_probe_is_tried_again_too() {
    let mut rig = Rig::of(every(HOUR));
    rig.until("13:00");
    rig.said();
    for at in ["13:01", "13:05", "13:21"] {
        rig.probed("a", ProbeResult::Failed);
        assert_eq!(rig.state(), StandingState::ProbingAgain { at: time(at) });
        rig.until(at);
        rig.check(&[&format!("{at} probe 1")]);
    }
    rig.probed("a", ProbeResult::Failed);
    rig.check(&["13:21 ended 1: probe failed"]);
    rig.until("14:00");
    rig.check(&["14:00 began 2: slot 14:00", "14:00 probe 2"]);
}

#[test]
fn one_that_is_retired_is_not_probed_again() {
    let mut rig = Rig::of(every(HOUR));
    rig.until("13:00");
    rig.probed("a", ProbeResult::Failed);
    rig.said();
    rig.event(StandingEvent::Retired { replication: id("a") });
    rig.check(&["13:00 ended 1: probe failed"]);
}
