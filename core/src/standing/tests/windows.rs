//! Windows that close and open.

use super::*;

#[test]
fn slots_that_come_while_closed_are_one_round_at_the_opening() {
    let mut rig = Rig::of(Order { windows: closed("12:10", "12:40"), ..quarterly() });
    rig.until("12:20");
    let opens = Some(time("12:40"));
    assert_eq!(rig.state(), StandingState::WaitingForWindow { opens });
    rig.until("12:39");
    rig.check(&[]);
    // The opening is a deadline by itself.
    rig.until("12:40");
    rig.check(&["12:40 began 1: missed 12:30 (2)", "12:40 probe 1"]);
}

#[test]
fn one_slot_that_waited_keeps_its_name() {
    for on_missed in [MissedPolicy::Once, MissedPolicy::Skip] {
        let windows = closed("12:10", "12:29");
        let mut rig = Rig::of(Order { windows, on_missed, ..quarterly() });
        rig.until("12:20");
        rig.restart("12:29");
        rig.check(&["12:29 began 1: slot 12:15", "12:29 probe 1"]);
    }
}

#[test]
fn slots_that_are_missed_while_one_waits_are_served_with_it() {
    for on_missed in [MissedPolicy::Once, MissedPolicy::Skip] {
        let mut rig =
            Rig::of(Order { windows: closed("12:10", "14:00"), on_missed, ..quarterly() });
        rig.until("12:20");
        rig.restart("13:40");
        rig.until("14:00");
        rig.check(&["14:00 began 1: missed 14:00 (8)", "14:00 probe 1"]);
    }
}

#[test]
fn a_request_waits_for_the_opening_too() {
    let mut rig = Rig::of(Order { windows: closed("12:00", "12:10"), ..quarterly() });
    rig.run_requested();
    rig.restart("12:06");
    rig.until("12:10");
    rig.check(&["12:10 began 1: by hand", "12:10 probe 1"]);
}

#[test]
fn jobs_are_held_then_recalled_and_released_when_windows_open() {
    let windows = closed("12:20", "12:40");
    let mut rig = Rig::of(Order { windows, on_overlap: OverlapPolicy::QueueOne, ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0, 1, 2]);
    rig.said();
    rig.until("12:22");
    rig.check(&["12:20 hold 0", "12:20 hold 1"]);
    let opens = Some(time("12:40"));
    assert_eq!(rig.state(), StandingState::HeldByWindow { opens });
    // It was in flight, and ended within the grace. No other job begins.
    rig.ended(0, JobOutcome::Done);
    rig.until("12:39");
    rig.check(&["12:25 recall 1"]);
    rig.until("12:40");
    rig.check(&["12:40 release 1", "12:40 submit 1.2.0"]);
    rig.ended(1, JobOutcome::Done);
    rig.ended(2, JobOutcome::Done);
    rig.check(&["12:40 ended 1: 3 0 0", "12:40 began 2: queued 12:30", "12:40 probe 2"]);
}

#[test]
fn without_grace_jobs_are_recalled_at_once() {
    let (windows, close_grace) = (closed("12:20", "12:40"), Duration::ZERO);
    let mut rig = Rig::of(Order { windows, close_grace, ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.said();
    rig.until("12:20");
    rig.check(&["12:20 hold 0", "12:20 recall 0"]);
}

#[test]
fn a_retry_waits_for_the_opening() {
    let mut rig = Rig::of(Order { windows: closed("12:20", "12:28"), ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.until("12:20");
    rig.said();
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    rig.until("12:28");
    rig.check(&["12:28 submit 1.0.1"]);
}

#[test]
fn a_job_that_is_cancelled_while_closed_is_over() {
    let mut rig = Rig::of(Order { windows: closed("12:20", "12:40"), ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.until("12:26");
    rig.said();
    rig.ended(0, JobOutcome::Cancelled);
    rig.check(&["12:26 ended 1: 0 0 1"]);
}

#[test]
fn an_answer_that_comes_while_closed_begins_no_job() {
    let mut rig = Rig::of(Order { windows: closed("12:20", "12:28"), ..quarterly() });
    rig.until("12:21");
    rig.said();
    rig.behind("a", &[0]);
    rig.until("12:27");
    rig.check(&[]);
    rig.until("12:28");
    rig.check(&["12:28 submit 1.0.0"]);
}

#[test]
fn windows_that_are_changed_count_at_once() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.said();
    rig.apply(Order { windows: closed("12:00", "14:00"), ..quarterly() });
    rig.check(&["12:15 hold 0"]);
    rig.apply(quarterly());
    rig.check(&["12:15 release 0"]);
}

#[test]
fn a_restart_while_closed_submits_held() {
    let mut rig = Rig::of(Order { windows: closed("12:20", "12:28"), ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0, 1, 2]);
    rig.said();
    rig.restart("12:20");
    // What it was told before may not have arrived.
    rig.check(&[
        "12:20 submit 1.0.0 held",
        "12:20 hold 0",
        "12:20 submit 1.1.0 held",
        "12:20 hold 1",
    ]);
    rig.until("12:28");
    rig.check(&["12:25 recall 0", "12:25 recall 1", "12:28 release 0", "12:28 release 1"]);
}
