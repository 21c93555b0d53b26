//! A round that outlasts its interval.

use super::*;

/// A round of one table begins at 12:15 and ends at 12:50.
fn long_round(on_overlap: OverlapPolicy) -> Rig {
    let mut rig = Rig::of(Order { on_overlap, ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.said();
    rig.until("12:50");
    rig
}

#[test]
fn slots_that_come_meanwhile_are_skipped() {
    let mut rig = long_round(OverlapPolicy::Skip);
    rig.check(&["12:30 skipped 12:30 (1): Overlap", "12:45 skipped 12:45 (1): Overlap"]);
    rig.ended(0, JobOutcome::Done);
    rig.until("13:00");
    rig.check(&["12:50 ended 1: 1 0 0", "13:00 began 2: slot 13:00", "13:00 probe 2"]);
}

#[test]
fn or_the_newest_of_them_is_queued() {
    let mut rig = long_round(OverlapPolicy::QueueOne);
    rig.check(&["12:45 skipped 12:30 (1): Overlap"]);
    rig.ended(0, JobOutcome::Done);
    rig.check(&["12:50 ended 1: 1 0 0", "12:50 began 2: queued 12:45", "12:50 probe 2"]);
}

#[test]
fn a_restart_keeps_what_is_queued() {
    let mut rig = long_round(OverlapPolicy::QueueOne);
    rig.said();
    rig.restart("13:31");
    rig.check(&[
        "13:31 submit 1.0.0",
        "13:31 release 0",
        "13:31 skipped 12:45 (1): Overlap",
        "13:31 skipped 13:15 (2): Overlap",
    ]);
    rig.ended(0, JobOutcome::Done);
    rig.check(&["13:31 ended 1: 1 0 0", "13:31 began 2: queued 13:30", "13:31 probe 2"]);
}

#[test]
fn a_queued_slot_and_later_ones_may_wait_for_the_windows_together() {
    let windows = closed("12:48", "14:00");
    let mut rig = Rig::of(Order { windows, on_overlap: OverlapPolicy::QueueOne, ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.until("12:47");
    rig.ended(0, JobOutcome::Done);
    rig.said();
    rig.nothing_behind();
    rig.until("12:47");
    rig.check(&["12:47 ended 2: 0 0 0"]);
    rig.until("14:00");
    rig.check(&["14:00 began 3: missed 14:00 (5)", "14:00 probe 3"]);
}

#[test]
fn what_was_queued_takes_later_slots_along_when_the_order_queues_no_more() {
    let mut rig = long_round(OverlapPolicy::QueueOne);
    rig.said();
    rig.apply(quarterly());
    rig.until("13:00");
    rig.check(&[]);
    rig.ended(0, JobOutcome::Done);
    rig.check(&["13:00 ended 1: 1 0 0", "13:00 began 2: missed 13:00 (2)", "13:00 probe 2"]);
}
