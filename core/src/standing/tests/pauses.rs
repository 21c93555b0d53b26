//! Pauses, and what comes after them.

use super::*;

#[test]
fn after_a_pause_comes_what_the_order_says() {
    // The order, until when it is paused at 12:05, when somebody resumes it, and what is done.
    type Case = (ResumePolicy, Option<&'static str>, Option<&'static str>, &'static [&'static str]);
    let cases: &[Case] = &[
        (ResumePolicy::NextSlot, None, None, &[]),
        (
            ResumePolicy::NextSlot,
            None,
            Some("12:50"),
            &["12:50 skipped 12:45 (3): Paused", "13:00 began 1: slot 13:00", "13:00 probe 1"],
        ),
        (
            ResumePolicy::NextSlot,
            Some("12:50"),
            None,
            &["12:50 skipped 12:45 (3): Paused", "13:00 began 1: slot 13:00", "13:00 probe 1"],
        ),
        // A slot at the end of a pause is not in it.
        (
            ResumePolicy::NextSlot,
            Some("13:00"),
            None,
            &["13:00 skipped 12:45 (3): Paused", "13:00 began 1: slot 13:00", "13:00 probe 1"],
        ),
        (
            ResumePolicy::AtOnce,
            None,
            Some("12:50"),
            &[
                "12:50 began 1: missed 12:45 (3)",
                "12:50 probe 1",
                "13:00 skipped 13:00 (1): Overlap",
            ],
        ),
        // No slot came.
        (
            ResumePolicy::NextSlot,
            Some("12:10"),
            None,
            &["12:15 began 1: slot 12:15", "12:15 probe 1"],
        ),
        (
            ResumePolicy::AtOnce,
            Some("12:10"),
            None,
            &["12:10 began 1: resumed", "12:10 probe 1", "12:15 skipped 12:15 (1): Overlap"],
        ),
    ];
    for (on_resume, until, resumed, want) in cases {
        for is_restarted in [false, true] {
            let mut rig = Rig::of(Order { on_resume: *on_resume, ..quarterly() });
            rig.paused(*until);
            if is_restarted {
                rig.restart("12:05");
            }
            if let Some(resumed) = resumed {
                rig.until(resumed);
                assert_eq!(rig.state(), StandingState::Paused { until: until.map(time) });
                rig.resumed();
            }
            rig.until(if want.len() == 2 || until == &Some("12:10") { "12:15" } else { "13:01" });
            assert_eq!(rig.said(), *want, "{on_resume:?} until {until:?}, at {resumed:?}");
        }
    }
}

#[test]
fn a_pause_ends_while_nothing_runs() {
    let mut rig = Rig::of(quarterly());
    rig.paused(Some("12:50"));
    rig.restart("13:40");
    // What came after its end was missed.
    rig.check(&[
        "13:40 skipped 12:45 (3): Paused",
        "13:40 began 1: missed 13:30 (3)",
        "13:40 probe 1",
    ]);
}

#[test]
fn what_runs_goes_on_to_its_end() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:15");
    rig.behind("a", &[0, 1, 2]);
    rig.paused(None);
    rig.said();
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    rig.until("12:18");
    rig.check(&["12:15 submit 1.2.0"]);
    rig.ended(1, JobOutcome::Done);
    rig.ended(2, JobOutcome::Done);
    rig.ended(0, JobOutcome::Done);
    rig.check(&["12:18 submit 1.0.1", "12:18 ended 1: 3 0 0"]);
    rig.until("18:00");
    rig.check(&[]);
}

#[test]
fn what_waits_when_a_pause_begins_is_withdrawn_but_for_requests() {
    let waits = || {
        let mut rig = Rig::of(Order { windows: closed("12:10", "12:40"), ..quarterly() });
        rig.until("12:20");
        rig.check(&[]);
        rig.paused(None);
        rig
    };
    let mut rig = waits();
    rig.until("13:05");
    rig.resumed();
    rig.check(&["13:05 skipped 12:15 (1): Paused", "13:05 skipped 13:00 (3): Paused"]);
    let mut rig = waits();
    rig.run_requested();
    rig.until("13:05");
    rig.check(&["12:20 skipped 12:15 (1): Paused"]);
    rig.resumed();
    rig.check(&["13:05 skipped 13:00 (3): Paused", "13:05 began 1: by hand", "13:05 probe 1"]);
}

#[test]
fn another_schedule_in_a_pause_leaves_the_slots_of_the_old_one_to_the_pause() {
    let mut rig = Rig::of(quarterly());
    rig.paused(None);
    rig.until("12:50");
    // The same schedule again: the end of the pause tells what came.
    rig.apply(Order { priority: 3, ..quarterly() });
    rig.check(&[]);
    rig.apply(every(HOUR));
    rig.check(&["12:50 skipped 12:45 (3): Paused"]);
    rig.until("13:10");
    rig.resumed();
    rig.check(&["13:10 skipped 13:00 (1): Paused"]);
}
