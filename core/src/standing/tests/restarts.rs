//! Restarts at any point of a round.

use super::*;

#[test]
fn a_round_goes_on_where_it_was() {
    let mut rig = Rig::of(quarterly());
    rig.restart("12:05");
    rig.until("12:15");
    rig.said();
    // While it is probed.
    rig.restart("12:16");
    rig.check(&["12:16 probe 1"]);
    rig.behind("a", &[0, 1, 2, 3, 4]);
    rig.ended(0, JobOutcome::Done);
    rig.ended(1, JobOutcome::Failed { is_retryable: true });
    rig.ended(2, JobOutcome::Failed { is_retryable: false });
    rig.said();
    // Two are over, one is tried again, one runs, one waits.
    rig.restart("12:17");
    rig.check(&["12:17 submit 1.3.0", "12:17 release 3", "12:17 submit 1.4.0", "12:17 release 4"]);
    rig.ended(3, JobOutcome::Done);
    rig.check(&["12:17 submit 1.1.1"]);
    rig.ended(4, JobOutcome::Done);
    rig.ended(1, JobOutcome::Done);
    rig.check(&["12:17 ended 1: 4 1 0"]);
    rig.restart("12:18");
    rig.until("12:29");
    rig.check(&[]);
}

#[test]
fn failures_of_probes_are_not_forgotten() {
    let mut rig = Rig::of(every(HOUR));
    rig.until("13:00");
    rig.said();
    for (failed, again) in [("13:00", "13:01"), ("13:02", "13:06"), ("13:06", "13:22")] {
        rig.until(failed);
        rig.probed("a", ProbeResult::Failed);
        // The pause goes on.
        rig.restart(failed);
        rig.until(again);
        rig.check(&[&format!("{again} probe 1")]);
    }
    rig.probed("a", ProbeResult::Failed);
    rig.check(&["13:22 ended 1: probe failed"]);
}

#[test]
fn slots_that_came_meanwhile_are_those_of_an_overlap() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.said();
    rig.restart("13:10");
    rig.check(&["13:10 submit 1.0.0", "13:10 release 0", "13:10 skipped 13:00 (3): Overlap"]);
}

#[test]
fn a_pause_of_a_job_goes_on() {
    let mut rig = Rig::of(every(HOUR));
    rig.until("13:00");
    rig.behind("a", &[0]);
    rig.until("13:10");
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    rig.said();
    rig.restart("13:10");
    rig.check(&[]);
    rig.until("13:11");
    rig.check(&["13:11 submit 1.0.1"]);
}
