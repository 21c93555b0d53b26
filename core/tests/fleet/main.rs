//! How long a fleet takes, in virtual time: the real machine, tasks and tuners, with model workers.
//!
//! A model worker holds, asks and copies as the real one does (`worker/src/held.rs`, `slots`,
//! `copy`): small objects by one read and one write, longer ones by parts, as many at once as its
//! tuner gives slots. Links have a latency and a rate for each connection, and no other bound. What
//! is left out is the worker's own work and memory, and faults.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::panic, reason = "a test may fail by panicking")]

mod fleet;
mod link;
mod plan;
mod worker;

use deepclone_core::limits::{SLOTS_FIRST, SLOTS_MAX};
use fleet::Fleet;
use link::Link;
use plan::Objects;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const FAR: Link = Link { round_trip_us: 80_000, bytes_per_second: 50_000_000 };

/// As few slots as a worker begins with, and as many as its tuner may find.
const SLOTS: [u32; 2] = [SLOTS_FIRST, SLOTS_MAX];

/// The least time that a copy of these objects can take. Either all slots are busy from the first
/// moment to the last, or the objects with the most requests in a row decide:
///
/// ```text
/// max( slot time of all objects / (workers * slots), time of the longest object )
/// slot time of an object = 2 round trips for each of its parts + bytes / rate
/// time of a long object  = 5 round trips + bytes of a part / rate
/// time of a shared one   = 7 round trips + bytes of a part / rate
/// ```
///
/// The five are a read, the opening of the upload, another part's read and write, and the
/// completion; an object that workers share takes a look at each side before, and one for other
/// uploads after it, and its first part waits for the opening. `slots` is the most that one worker
/// had.
fn ideal_us(objects: &Objects, workers: u64, slots: u32) -> u64 {
    (objects.slot_us(FAR) / (workers * u64::from(slots))).max(objects.longest_us(FAR))
}

#[test]
fn long_objects_among_many_small_ones_are_copied_in_little_more_than_the_least_time() {
    // The one object is shared by all workers.
    for (count, bytes) in [(16, 256 * MIB), (1, 4 * GIB)] {
        let objects = Objects::new(2_000, 64 * KIB).and(count, bytes);
        for slots in SLOTS {
            let run = Fleet::new(FAR, 8, slots, &objects).run();
            let ideal_us = ideal_us(&objects, 8, run.slots_max);
            assert!(run.makespan_us * 100 <= ideal_us * 115, "{run:?}, at the best {ideal_us} us");
            assert_eq!(run.grants, objects.tasks().work.len() as u64, "nothing is copied twice");
        }
    }
}

#[test]
fn eight_workers_are_eight_times_as_fast_as_one() {
    // As fast as one that has an eighth of the objects, with the slots that the tuner finds, ...
    for (slots, objects, objects_of_one) in [
        (SLOTS_MAX, 16_000, 2_000),
        // ... and with a fixed number on the same objects.
        (SLOTS_FIRST, 4_000, 4_000),
    ] {
        let makespan_us = |workers, count| {
            Fleet::new(FAR, workers, slots, &Objects::new(count, 64 * KIB)).run().makespan_us
        };
        let (one, eight) = (makespan_us(1, objects_of_one), makespan_us(8, objects));
        let speedup = (one * objects as u64 * 100) / (eight * objects_of_one as u64);
        assert!(speedup >= 8 * 95, "{slots} slots: {one} us and {eight} us");
    }
}

#[test]
fn small_tables_do_not_wait_for_a_large_one() {
    // A table that takes the fleet more than 25 seconds, and 500 that come meanwhile.
    let (large, small) = (Objects::new(1_000, 256 * MIB), Objects::new(4, MIB));
    let mut fleet = Fleet::new(FAR, 8, SLOTS_FIRST, &large);
    let came_us: Vec<u64> = (0..500).map(|number| 3_000_000 + number * 5_000).collect();
    for at_us in &came_us {
        fleet = fleet.and(*at_us, &small);
    }
    let run = fleet.run();
    // All of it is no more than all slots can do.
    let slot_us = large.slot_us(FAR) + 500 * small.slot_us(FAR);
    let ideal_us = slot_us / (8 * u64::from(SLOTS_FIRST));
    assert!(run.makespan_us * 100 <= ideal_us * 115, "{run:?}, at the best {ideal_us} us");
    let took = run.ended_us[1..].iter().zip(&came_us).map(|(ended, came)| ended - came);
    let slowest_us = took.max().unwrap();
    assert!(slowest_us < run.makespan_us / 5, "{slowest_us} us of {} us", run.makespan_us);
}
