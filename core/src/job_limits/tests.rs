//! Tables of shares, and workers that come, go and are told in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LEAST: u64 = BODY_BYTES_PER_SECOND_MIN;
const MIB: u64 = 1 << 20;

fn copies(concurrency: u32) -> JobShare {
    JobShare { bytes_per_second: None, concurrency: Some(concurrency) }
}

fn bytes(bytes_per_second: u64) -> JobShare {
    JobShare { bytes_per_second: Some(bytes_per_second), concurrency: None }
}

#[test]
fn a_workers_share_is_an_equal_part_of_what_the_others_leave() {
    use JobShare as S;
    // The limit, the workers, what the worker has, what the others have, and what it is told.
    for (limit, workers, own, others, told) in [
        (64, 1, S::NOTHING, &[][..], 64),
        (64, 2, S::NOTHING, &[S::NOTHING], 32),
        // What is left over goes to those who are told first.
        (3, 2, S::NOTHING, &[S::NOTHING], 2),
        (3, 2, S::NOTHING, &[copies(2)], 1),
        // A worker that comes later gets one copy until the others have given up theirs.
        (64, 2, S::NOTHING, &[copies(64)], 1),
        (64, 2, copies(64), &[copies(1)], 32),
        (64, 2, copies(1), &[copies(32)], 32),
        // A worker that is alone again has all.
        (64, 1, copies(32), &[], 64),
        // A lower limit takes from each at once.
        (10, 2, copies(32), &[copies(32)], 5),
        (10, 2, copies(32), &[copies(5)], 5),
        (3, 2, copies(10), &[copies(10)], 1),
        // A higher one is given out as far as it is free.
        (100, 2, copies(5), &[copies(5)], 50),
        // A limit where none was.
        (10, 2, S::ALL, &[S::ALL], 5),
        (10, 2, S::ALL, &[copies(5)], 5),
        (10, 2, S::NOTHING, &[S::ALL], 1),
        // No worker has less than one copy.
        (2, 4, copies(1), &[copies(1); 3], 1),
        (u32::MAX, 1, S::NOTHING, &[], u32::MAX),
    ] {
        let limits = JobLimits { concurrency: Some(limit), ..JobLimits::default() };
        let share = limits.share(workers, own, others.iter().copied());
        assert_eq!(share, copies(told), "{limit} of {workers} with {own:?} beside {others:?}");
    }
    for (limit, workers, own, others, told) in [
        (MIB, 2, S::NOTHING, &[S::NOTHING][..], MIB / 2),
        (MIB, 3, bytes(MIB / 3), &[bytes(MIB / 3), bytes(MIB / 3)], MIB / 3 + 1),
        (MIB, 16, S::NOTHING, &[S::NOTHING], LEAST),
        (MIB, 2, S::NOTHING, &[bytes(MIB)], LEAST),
        (LEAST, 1, S::ALL, &[], LEAST),
        (u64::MAX, 2, S::ALL, &[S::ALL], u64::MAX / 2),
    ] {
        let limits = JobLimits { bytes_per_second: Some(limit), ..JobLimits::default() };
        let share = limits.share(workers, own, others.iter().copied());
        assert_eq!(share, bytes(told), "{limit} of {workers} with {own:?} beside {others:?}");
    }
    let none = JobLimits::default().share(2, copies(1), [bytes(1)].into_iter());
    assert_eq!(none, JobShare::ALL);
}

#[test]
fn few_bodies_are_open_when_little_may_flow() {
    for (rate, copies) in [
        (Some(1), 1),
        (Some(256 << 10), 2),
        (Some(MIB), 8),
        (Some(64 * MIB), 512),
        (Some(u64::MAX), u32::MAX),
        (None, u32::MAX),
    ] {
        assert_eq!(copies_max(rate), copies, "{rate:?}");
    }
}

#[test]
fn so_many_workers_can_each_make_a_copy() {
    for (concurrency, bytes_per_second, workers) in [
        (Some(1), None, 1),
        (Some(64), None, 64),
        (Some(64), Some(MIB), 8),
        (Some(4), Some(MIB), 4),
        (None, Some(1), 1),
        (None, None, u32::MAX as usize),
    ] {
        let limits = JobLimits { bytes_per_second, concurrency, held: false };
        assert_eq!(limits.workers_max(), workers, "{limits:?}");
    }
}

#[test]
fn a_worker_holds_what_it_copies_in_two_heartbeats_and_no_more() {
    for (share, objects, bytes_left, is_dry) in [
        (JobShare::ALL, 1 << 40, 1 << 60, false),
        (JobShare::ALL, 1 << 30, 1 << 60, true),
        (copies(1), 256, 1 << 60, true),
        (copies(1), 257, 1, false),
        (copies(512), 2_047, 1 << 60, true),
        (copies(512), 2_048, 1, false),
        (bytes(MIB), 1, 10 * MIB - 1, true),
        (bytes(MIB), 1, 10 * MIB, false),
        (bytes(MIB), 257, 1, false),
        // Nothing was told yet: one task is enough.
        (JobShare::NOTHING, 1, 1, false),
    ] {
        let found = share.runs_dry(objects, bytes_left);
        assert_eq!(found, is_dry, "{share:?} with {objects} objects, {bytes_left} bytes");
    }
}

#[test]
fn a_change_leaves_what_it_does_not_name() {
    let old = JobLimits { bytes_per_second: Some(MIB), concurrency: Some(4), held: false };
    for (bytes_per_second, concurrency, wanted) in [
        (None, None, old),
        (Some(None), None, JobLimits { bytes_per_second: None, ..old }),
        (None, Some(Some(9)), JobLimits { concurrency: Some(9), ..old }),
        (
            Some(Some(7)),
            Some(None),
            JobLimits { bytes_per_second: Some(7), concurrency: None, held: false },
        ),
    ] {
        let change = LimitsChange { bytes_per_second, concurrency, held: None };
        assert_eq!(old.changed(change), wanted, "{change:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A worker begins to copy, or is told at its heartbeat.
    Told(u8),
    Left(u8),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![5 => (0..6_u8).prop_map(Step::Told), 1 => (0..6_u8).prop_map(Step::Left)]
}

fn tell(shares: &mut BTreeMap<u8, JobShare>, limits: JobLimits, worker: u8) {
    let own = *shares.entry(worker).or_insert(JobShare::NOTHING);
    let others = shares.iter().filter(|(other, _)| **other != worker).map(|(_, share)| *share);
    let share = limits.share(shares.len(), own, others);
    shares.insert(worker, share);
}

proptest! {
    #[test]
    fn what_was_told_never_adds_up_to_more_than_the_limit(
        concurrency in 6..100_u32,
        bytes_per_second in 6 * LEAST..100 * LEAST,
        steps in proptest::collection::vec(steps(), 0..60),
    ) {
        let limits =
            JobLimits {
                bytes_per_second: Some(bytes_per_second),
                concurrency: Some(concurrency),
                held: false,
            };
        let mut shares = BTreeMap::new();
        for step in steps {
            match step {
                Step::Told(worker) => tell(&mut shares, limits, worker),
                Step::Left(worker) => drop(shares.remove(&worker)),
            }
            let copies: u32 = shares.values().map(|share| share.concurrency.unwrap()).sum();
            let bytes: u64 = shares.values().map(|share| share.bytes_per_second.unwrap()).sum();
            // What a worker gets that comes while the others have all.
            let late = u32::try_from(shares.len()).unwrap();
            prop_assert!(copies <= concurrency + late, "{shares:?}");
            prop_assert!(bytes <= bytes_per_second + u64::from(late) * LEAST, "{shares:?}");
        }
        // Once each was told twice, they have all of it and no more.
        let workers: Vec<u8> = shares.keys().copied().collect();
        for worker in workers.repeat(2) {
            tell(&mut shares, limits, worker);
        }
        if !shares.is_empty() {
            let copies: u32 = shares.values().map(|share| share.concurrency.unwrap()).sum();
            let bytes: u64 = shares.values().map(|share| share.bytes_per_second.unwrap()).sum();
            prop_assert_eq!(copies, concurrency);
            prop_assert_eq!(bytes, bytes_per_second);
        }
    }
}
