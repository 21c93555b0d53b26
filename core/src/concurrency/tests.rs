//! The tuner over modelled lines, and over anything that a worker may see.

mod steps;

use proptest::prelude::*;

use super::link::{Line, LineRun};
use super::{Tuner, TunerSample};
use crate::limits::{SLOTS_FIRST, SLOTS_MAX};

const PART: f64 = 33_554_432.0;

/// Small objects next door: 48 copies at once are 3 000 a second, and more are a little slower.
fn near_small() -> Line {
    Line { latency_ms: 8, whole: 3e6, copy_cost: 1e6, crowding: 0.0004, ..Line::default() }
}

/// Parts next door: 30 connections are as much as the machine moves.
fn near_parts() -> Line {
    Line { whole: 1.2e6, object: PART, crowding: 0.0004, connection: 4e4, ..Line::default() }
}

/// Small objects behind 80 ms: 512 copies at once are 3 200 a second.
fn far_small() -> Line {
    Line { latency_ms: 80, whole: 1.2e6, connection: 13e3, ..Line::default() }
}

/// Parts behind 80 ms: 92 connections fill the line.
fn far_parts() -> Line {
    Line { object: PART, ..far_small() }
}

fn limited(requests: f64, latency_ms: u64) -> Line {
    Line { latency_ms, requests: Some(requests), ..Line::default() }
}

#[test]
fn each_line_gets_the_slots_that_it_needs() {
    // The objects per second that the line can do, and the slots that it should get.
    for (name, line, best, slots) in [
        ("near, small objects", near_small(), 2_700.0, 40.0..130.0),
        ("near, parts", near_parts(), 35.2, 30.0..50.0),
        ("far, small objects", far_small(), 3_200.0, 450.0..513.0),
        ("far, parts", far_parts(), 35.7, 80.0..150.0),
        ("narrow, parts", Line { whole: 4e5, ..far_parts() }, 11.9, 30.0..50.0),
        ("faults", Line { faults: 0.01, ..far_small() }, 3_200.0, 450.0..513.0),
        ("parts with faults", Line { faults: 0.01, ..far_parts() }, 35.7, 80.0..200.0),
        ("1 000 requests", limited(1_000.0, 20), 500.0, 20.0..35.0),
        ("200 requests", limited(200.0, 20), 100.0, 4.0..8.0),
        ("3 500 requests, far", limited(3_500.0, 80), 1_750.0, 250.0..330.0),
    ] {
        for seed in [1, 2] {
            let mut run = LineRun::new(line, seed);
            run.seconds(8);
            let rate = run.seconds(20);
            assert!(rate >= 0.9 * best, "{name}: {rate} objects per second, seed {seed}");
            let mean = run.slots_mean(20);
            assert!(slots.contains(&mean), "{name}: {mean} slots, seed {seed}");
            assert_eq!(run.failed, 0, "{name}: copies failed, seed {seed}");
        }
    }
}

#[test]
fn a_short_run_over_a_long_line_soon_has_many_slots() {
    let mut run = LineRun::new(far_small(), 1);
    let elapsed_ms = run.all(4_000);
    let reached = run.history.iter().position(|slots| *slots >= 256).expect("it stays low");
    assert!(reached <= 20, "256 slots after {reached} samples: {:?}", run.history);
    // With 512 slots from the beginning it takes 1.3 seconds.
    assert!(elapsed_ms <= 1_700, "{elapsed_ms} ms: {:?}", run.history);
}

#[test]
fn a_short_run_over_a_shorter_line_soon_has_many_slots() {
    // 256 copies at once are 5 000 a second.
    let line = Line { latency_ms: 20, ..far_small() };
    for seed in [1, 2, 3] {
        let mut run = LineRun::new(line, seed);
        let elapsed_ms = run.all(4_000);
        let reached = run.history.iter().position(|slots| *slots >= 256).expect("it stays low");
        assert!(reached <= 10, "256 slots after {reached} samples: {:?}", run.history);
        // With 256 slots from the beginning it takes 0.7 seconds.
        assert!(elapsed_ms <= 900, "{elapsed_ms} ms: {:?}", run.history);
    }
}

#[test]
fn another_bound_is_kept_at_once_and_a_wider_one_is_used() {
    let mut run = LineRun::new(far_small(), 1);
    run.seconds(8);
    assert!(run.tuner.slots() >= 450, "{:?}", run.history);
    for (bound, least) in [(512, 400), (64, 64), (8, 8), (1, 1), (100, 90), (512, 400)] {
        run.tuner.bound(bound);
        assert!(run.tuner.slots() <= bound, "{bound}: {}", run.tuner.slots());
        run.history.clear();
        run.seconds(15);
        assert!(run.history.iter().all(|slots| *slots <= bound), "{bound}: {:?}", run.history);
        let slots = run.tuner.slots();
        assert!(slots >= least, "{bound}: {slots} slots after 15 s: {:?}", run.history);
    }
}

#[test]
fn a_growth_that_does_not_pay_is_taken_back_within_seconds() {
    for (name, line, most) in [("small", near_small(), 130), ("parts", near_parts(), 35)] {
        let mut run = LineRun::new(line, 1);
        run.seconds(3);
        assert!(run.tuner.slots() <= most, "{name}: {:?}", run.history);
    }
}

#[test]
fn the_slots_follow_a_line_that_changes() {
    let mut run = LineRun::new(Line { whole: 4e5, ..far_parts() }, 1);
    run.seconds(10);
    // The slots shrink by a quarter at a time, and grow faster.
    for (whole, seconds, slots) in
        [(1.2e6, 25, 75.0..160.0), (4e5, 75, 30.0..60.0), (6e6, 25, 350.0..513.0)]
    {
        run.line.whole = whole;
        run.seconds(seconds);
        let mean = run.slots_mean(10);
        assert!(slots.contains(&mean), "{whole}: {mean} slots, {:?}", run.history);
    }
}

#[test]
fn the_slots_follow_a_store_that_takes_more_and_fewer_requests() {
    let mut run = LineRun::new(limited(1_000.0, 20), 1);
    run.seconds(10);
    for requests in [300.0, 3_000.0] {
        run.line.requests = Some(requests);
        run.seconds(40);
        let rate = run.seconds(20);
        assert!(rate >= 0.9 * requests / 2.0, "{requests} requests: {rate} objects per second");
    }
}

#[test]
fn refusals_that_come_together_cut_once() {
    let busy = TunerSample {
        elapsed_ms: 100,
        copies: 10,
        slots_used: 32,
        is_waiting: true,
        requests: 60,
        refusals: 40,
        ..TunerSample::default()
    };
    let mut tuner = Tuner::new(SLOTS_MAX);
    assert_eq!(tuner.step(&busy), 22);
    // Answers to requests that were sent before the cut.
    assert_eq!(tuner.step(&busy), 22);
    assert_eq!(tuner.step(&busy), 22);
    // Of requests that were sent after it.
    assert_eq!(tuner.step(&TunerSample { slots_used: 22, ..busy }), 15);

    // Slots that nobody uses are not what the store refuses.
    let mut tuner = Tuner::new(SLOTS_MAX);
    assert_eq!(tuner.step(&TunerSample { slots_used: 10, ..busy }), 7);

    // A few refusals are chance.
    let mut tuner = Tuner::new(SLOTS_MAX);
    for _ in 0..100 {
        let few = TunerSample { refusals: 1, is_waiting: false, ..busy };
        assert_eq!(tuner.step(&few), SLOTS_FIRST);
    }
}

fn samples() -> impl Strategy<Value = TunerSample> {
    let count = || prop_oneof![4 => 0..50_u64, 1 => 0..1_u64 << 40, 1 => Just(u64::MAX)];
    let booleans = any::<bool>();
    (0..400_u64, count(), count(), 0..=600_u32, booleans, count(), prop_oneof![Just(0), count()])
        .prop_map(|(elapsed_ms, bytes, copies, slots_used, is_waiting, requests, refusals)| {
            let begun_bytes = bytes / 2;
            TunerSample {
                elapsed_ms,
                bytes,
                begun_bytes,
                copies,
                slots_used,
                is_waiting,
                requests,
                refusals,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_slots_keep_their_bounds_whatever_is_seen(
        slots_max in 0..700_u32,
        steps in proptest::collection::vec(samples(), 0..400),
    ) {
        let mut tuner = Tuner::new(slots_max);
        for sample in steps {
            let before = tuner.slots();
            let slots = tuner.step(&sample);
            prop_assert!((1..=slots_max.clamp(1, SLOTS_MAX)).contains(&slots), "{slots}");
            prop_assert_eq!(slots, tuner.slots());
            prop_assert!(slots <= before * 2, "{slots} after {before}");
        }
    }

    #[test]
    fn intervals_without_waiting_copies_and_refusals_change_nothing(
        waiting in proptest::collection::vec(samples(), 0..60),
        idle in proptest::collection::vec(samples(), 1..60),
    ) {
        let mut tuner = Tuner::new(SLOTS_MAX);
        for sample in waiting {
            tuner.step(&TunerSample { refusals: 0, ..sample });
        }
        let before = tuner.slots();
        for sample in idle {
            tuner.step(&TunerSample { refusals: 0, is_waiting: false, ..sample });
        }
        prop_assert_eq!(tuner.slots(), before);
    }
}
