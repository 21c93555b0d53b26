//! Clocks that are set.

use super::*;

#[test]
fn a_clock_that_is_set_back_stalls_nothing_and_repeats_nothing() {
    // It is 12:35, and the slot of 12:30 was served: to when the clock is set, and the next round.
    let cases = [
        ("12:34", "12:45 began 2: slot 12:45"),
        ("12:30", "12:45 began 2: slot 12:45"),
        // It counts as served that it is later than 12:15.
        ("12:29", "12:30 began 2: slot 12:30"),
        ("12:15", "12:30 began 2: slot 12:30"),
        ("09:05", "09:15 began 2: slot 09:15"),
        ("09:15", "09:30 began 2: slot 09:30"),
        ("25T23:59", "00:00 began 2: slot 00:00"),
    ];
    for (to, want) in cases {
        for is_restart in [false, true] {
            let mut rig = Rig::of(quarterly());
            rig.until("12:15");
            rig.jump("12:30");
            rig.said();
            rig.nothing_behind();
            rig.until("12:35");
            rig.said();
            if is_restart {
                rig.restart(to);
            } else {
                rig.jump(to);
            }
            rig.check(&[]);
            let until = rig.now.after(15 * MINUTE);
            rig.until(&shown(until));
            assert_eq!(rig.said().first().map(String::as_str), Some(want), "back to {to}");
        }
    }
}

#[test]
fn a_slot_with_a_delay_is_not_repeated_when_the_clock_is_set_back_to_it() {
    let mut order = quarterly();
    let schedule = Schedule::every(15 * MINUTE).unwrap().with_spread(10 * MINUTE).unwrap();
    order.trigger = ReplicationTrigger::Slots(schedule);
    let delay = order.delay();
    assert!(delay > MINUTE);
    let mut rig = Rig::of(order);
    rig.until(&shown(time("12:15").after(delay)));
    rig.nothing_behind();
    rig.said();
    rig.jump("12:15");
    rig.until("12:29");
    rig.check(&[]);
}

#[test]
fn a_clock_that_is_set_ahead_and_back_makes_two_rounds() {
    let mut rig = Rig::of(quarterly());
    rig.jump("28T12:05");
    rig.check(&["28T12:05 began 1: missed 28T12:00 (192)", "28T12:05 probe 1"]);
    rig.nothing_behind();
    rig.said();
    rig.jump("12:06");
    rig.until("12:16");
    rig.check(&["12:15 began 2: slot 12:15", "12:15 probe 2"]);
}

#[test]
fn a_pause_between_retries_is_no_longer_after_a_clock_is_set_back() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:15");
    rig.probed("a", ProbeResult::Failed);
    rig.said();
    rig.jump("09:00");
    rig.until("09:01");
    rig.check(&["09:01 probe 1"]);
    rig.behind("a", &[0]);
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    rig.said();
    rig.jump("05:00");
    rig.until("05:01");
    rig.check(&["05:01 submit 1.0.1"]);
}

#[test]
fn the_grace_is_no_longer_after_a_clock_is_set_back() {
    let mut rig = Rig::of(Order { windows: closed("12:20", "18:00"), ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0]);
    rig.until("17:58");
    rig.jump("18:30");
    rig.jump("17:40");
    rig.said();
    rig.jump("12:30");
    rig.until("12:35");
    let (skipped, recalled) = ("12:30 skipped 12:30 (1): Overlap", "12:35 recall 0");
    assert!(!rig.said().contains(&skipped.to_owned()));
    rig.until("12:45");
    rig.jump("18:30");
    rig.jump("17:50");
    rig.until("17:55");
    assert!(rig.said().contains(&recalled.replace("12:35", "17:55")));
}

#[test]
fn the_next_deadline_is_never_far() {
    let mut rig = Rig::new();
    assert_eq!(rig.standing.next_deadline(), None);
    rig.apply(every(24 * HOUR));
    assert_eq!(rig.standing.next_deadline(), Some(time("12:15")));
    rig.until("23:55");
    assert_eq!(rig.standing.next_deadline(), Some(time("27T00:00")));
}
