//! Seeded simulation of standing replications: two hundred of them for a week in which clocks are
//! set, with a model of the driver and of the people who pause and change them.
//!
//! A seed decides everything. To look at one seed, set `DEEPCLONE_SEED`. The checkers are `rounds`,
//! `slots`, `money`, `keeping` and `alive`; the scheduler's own invariants are recounted now and
//! then.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::expect_used, reason = "a wrong setting ends the test")]
#![expect(clippy::panic, reason = "a test may fail by panicking")]
#![expect(clippy::print_stderr, reason = "a seed that fails is told at once")]

mod alive;
mod database;
mod jobs;
mod keeping;
mod model;
mod money;
mod orders;
mod people;
mod random;
mod rounds;
mod run;
mod scenario;
mod seen;
mod slots;
mod world;

use scenario::Kind;
use world::World;

/// Runs the first `count` seeds of a kind, or those that the environment asks for.
fn check(kind: Kind, count: u64) {
    let mut failed = Vec::new();
    for seed in seeds(count) {
        if std::panic::catch_unwind(|| run(kind, seed)).is_err() {
            eprintln!("failed: {kind:?} DEEPCLONE_SEED={seed} (see above)");
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{kind:?}: failed seeds {failed:?}");
}

/// The gate's seeds; with `DEEPCLONE_SEEDS=FIRST..END` those, with `DEEPCLONE_SEED=N` one.
fn seeds(count: u64) -> Vec<u64> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    if let Ok(seed) = std::env::var("DEEPCLONE_SEED") {
        return vec![number(&seed).expect("DEEPCLONE_SEED is a number")];
    }
    if let Ok(range) = std::env::var("DEEPCLONE_SEEDS") {
        let ends = range.split_once("..").and_then(|(first, end)| number(first).zip(number(end)));
        let (first, end) = ends.expect("DEEPCLONE_SEEDS is FIRST..END");
        return (first..end).collect();
    }
    (0..count).collect()
}

fn run(kind: Kind, seed: u64) -> World {
    let mut world = World::new(kind, seed);
    world.run();
    slots::at_the_end(&world);
    alive::at_the_end(&world);
    keeping::at_the_end(&world);
    world
}

#[test]
fn a_week_with_faults_and_people_breaks_no_rule() {
    check(Kind::Busy, 1);
}

#[test]
fn crashes_and_hours_of_absence_lose_and_double_nothing() {
    check(Kind::Crashes, 1);
}

#[test]
fn clocks_that_are_set_stall_nothing() {
    check(Kind::Clocks, 1);
}

#[test]
fn restarts_in_the_middle_change_nothing() {
    let mut failed = Vec::new();
    for seed in seeds(1) {
        let same = std::panic::catch_unwind(|| {
            let (with, without) = (run(Kind::Restarts, seed), run(Kind::Twin, seed));
            assert!(with.restarts > 20, "{} restarts", with.restarts);
            rounds::same(&with, &without);
        });
        if same.is_err() {
            eprintln!("failed: Restarts DEEPCLONE_SEED={seed} (see above)");
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "failed seeds {failed:?}");
}
