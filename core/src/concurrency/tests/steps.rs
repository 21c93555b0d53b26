//! What the tuner does in each interval, by numbers.

use super::super::{Tuner, TunerSample};
use crate::limits::SLOTS_MAX;

/// All these slots were used, and so many copies ended.
fn busy(slots: u32, copies: u64) -> TunerSample {
    TunerSample {
        elapsed_ms: 100,
        copies,
        slots_used: slots,
        is_waiting: true,
        requests: 2 * copies,
        ..TunerSample::default()
    }
}

fn refused(requests: u64, refusals: u64) -> TunerSample {
    TunerSample { elapsed_ms: 100, slots_used: 32, requests, refusals, ..TunerSample::default() }
}

/// The slots after each of so many intervals: each number, and for how many it stays.
fn slots_over(tuner: &mut Tuner, intervals: u32, copies: impl Fn(u32) -> u64) -> Vec<(u32, u32)> {
    let mut history: Vec<(u32, u32)> = Vec::new();
    for _ in 0..intervals {
        let slots = tuner.slots();
        let slots = tuner.step(&busy(slots, copies(slots)));
        match history.last_mut() {
            Some((last, count)) if *last == slots => *count += 1,
            _ => history.push((slots, 1)),
        }
    }
    history
}

#[test]
fn stores_that_are_far_away_get_slots_without_being_asked() {
    let still = |slots, bytes| TunerSample { bytes, ..busy(slots, 0) };
    let hardly = 32 * 4_096 - 1;
    for (first, slots) in [
        (still(32, hardly), 64),
        (still(32, hardly + 1), 32),
        (still(31, hardly), 32),
        (TunerSample { copies: 1, ..still(32, hardly) }, 32),
    ] {
        assert_eq!(Tuner::new(SLOTS_MAX).step(&first), slots, "{first:?}");
    }
    let mut tuner = Tuner::new(SLOTS_MAX);
    assert_eq!(slots_over(&mut tuner, 5, |_| 0), [(64, 1), (128, 4)]);
    // Once it is known, more bytes are no sign of the opposite.
    let mut tuner = Tuner::new(SLOTS_MAX);
    assert_eq!([tuner.step(&still(32, 0)), tuner.step(&still(64, 1 << 20))], [64, 128]);
    // At the bound, the first answers are those of the trial.
    let mut tuner = Tuner::new(48);
    assert_eq!(slots_over(&mut tuner, 2, |_| 0), [(48, 2)]);
    assert_eq!(slots_over(&mut tuner, 53, |_| 5), [(48, 51), (36, 2)]);
    // A sample shows it, if the copies are small; large ones are judged by the interval.
    let short = |begun_bytes| TunerSample { elapsed_ms: 20, begun_bytes, ..still(512, 0) };
    for (begun_bytes, expected) in
        [(32 << 20, [64, 128, 128, 128, 128]), ((32 << 20) + 1, [32, 32, 32, 32, 64])]
    {
        let mut tuner = Tuner::new(SLOTS_MAX);
        let slots = [0; 5].map(|_| tuner.step(&short(begun_bytes)));
        assert_eq!(slots, expected, "{begun_bytes}");
    }
    // A store that refuses gets no more.
    let busy = TunerSample { requests: 32, refusals: 2, ..short(0) };
    assert_eq!(Tuner::new(SLOTS_MAX).step(&busy), 32);
}

#[test]
fn a_doubling_is_judged_when_each_slot_has_made_two_copies_or_after_ten_intervals() {
    // Copies in each interval, and after how many intervals 64 slots go back to 32.
    for (copies, intervals) in [(10, 11), (18, 9), (40, 5), (50, 4), (100, 4), (200, 4)] {
        let mut tuner = Tuner::new(SLOTS_MAX);
        let history = slots_over(&mut tuner, 20, |_| copies);
        assert_eq!(history, [(32, 1), (64, intervals), (32, 19 - intervals)], "{copies}");
    }
    // Twice the slots make a third more.
    let mut tuner = Tuner::new(SLOTS_MAX);
    let history = slots_over(&mut tuner, 6, |slots| if slots == 32 { 30 } else { 40 });
    assert_eq!(history, [(32, 1), (64, 2), (128, 3)]);
}

#[test]
fn slots_at_their_bound_are_kept_and_a_few_less_and_more_are_tried_in_turn() {
    let mut tuner = Tuner::new(40);
    // 40 slots do more than 32.
    let history = slots_over(&mut tuner, 55, |slots| if slots == 32 { 30 } else { 60 });
    assert_eq!(history, [(32, 1), (40, 52), (32, 2)]);
    // Now 32 do as well, and are kept.
    assert_eq!(slots_over(&mut tuner, 59, |_| 60), [(32, 59)]);
    // Then 40 do more again: at the bound they cannot grow, and fewer are tried next.
    let history = slots_over(&mut tuner, 62, |slots| if slots == 32 { 60 } else { 90 });
    assert_eq!(history, [(40, 61), (32, 1)]);
}

#[test]
fn after_a_cut_the_slots_creep_up_to_well_above_what_was_refused() {
    let mut tuner = Tuner::new(SLOTS_MAX);
    assert_eq!(tuner.step(&refused(100, 50)), 22);
    let mut expected = vec![(22, 4), (28, 10)];
    expected.extend((29..=40).map(|slots| (slots, 10)));
    // It is settled at 41: fewer are tried.
    expected.extend([(41, 50), (32, 1)]);
    assert_eq!(slots_over(&mut tuner, 185, |_| 10), expected);
}

#[test]
fn refusals_count_by_their_share_of_the_last_intervals() {
    // Requests and refusals of each interval, and whether the last one cuts.
    let quiet = (1_000, 0);
    let nine = [quiet; 9];
    let cases: [(&[(u64, u64)], bool); 5] = [
        (&[(80, 4)], false),
        (&[(79, 4)], true),
        // Those of two intervals are added up.
        (&[(60, 2), (30, 3)], true),
        (&[&nine[..], &[(60, 4)]].concat(), false),
        // After ten intervals without many, it is counted anew.
        (&[&nine[..], &[quiet, (60, 4)]].concat(), true),
    ];
    for (intervals, cuts) in cases {
        let mut tuner = Tuner::new(SLOTS_MAX);
        for (requests, refusals) in intervals {
            assert_eq!(tuner.slots(), 32, "{intervals:?}");
            tuner.step(&refused(*requests, *refusals));
        }
        assert_eq!(tuner.slots() < 32, cuts, "{intervals:?}");
    }
}

#[test]
fn a_wider_bound_is_used_at_once_by_a_tuner_that_was_held_back() {
    let mut held_back = Tuner::new(32);
    held_back.bound(SLOTS_MAX);
    assert_eq!(held_back.slots(), 64);
    let mut tuner = Tuner::new(40);
    tuner.bound(SLOTS_MAX);
    assert_eq!(tuner.slots(), 32);
    // One that yields goes on to creep up, below a narrower bound, too.
    let mut yields = Tuner::new(1);
    yields.step(&refused(100, 50));
    yields.bound(SLOTS_MAX);
    assert_eq!(yields.slots(), 1);
    let mut yields = Tuner::new(SLOTS_MAX);
    yields.step(&refused(100, 50));
    yields.bound(500);
    assert_eq!(slots_over(&mut yields, 6, |_| 10), [(22, 4), (28, 2)]);
}

#[test]
fn the_same_bound_again_changes_nothing_and_a_narrower_one_ends_a_trial() {
    let mut tuner = Tuner::new(48);
    assert_eq!(slots_over(&mut tuner, 20, |slots| slots.into()), [(32, 1), (48, 19)]);
    tuner.bound(48);
    assert_eq!(slots_over(&mut tuner, 34, |slots| slots.into()), [(48, 33), (36, 1)]);
    // The trial would go back to 48, which did more.
    tuner.bound(40);
    assert_eq!(slots_over(&mut tuner, 20, |slots| slots.into()), [(36, 20)]);
}
