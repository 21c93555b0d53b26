//! The one source of chance outside `core`: the operating system's, or in a simulation a seed's.
//!
//! A simulation runs everything on one thread; [`seed`] makes that thread's numbers repeatable.

use std::cell::Cell;

use uuid::{Builder, Uuid};

thread_local! {
    static SEEDED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Makes what this thread draws a function of `seed`, until [`unseed`].
pub fn seed(seed: u64) {
    SEEDED.set(Some(seed));
}

/// Lets this thread draw from the operating system again.
pub fn unseed() {
    SEEDED.set(None);
}

/// A random id (version 4).
#[must_use]
pub fn uuid() -> Uuid {
    let Some(state) = SEEDED.get() else { return Uuid::new_v4() };
    let mut bytes = [0; 16];
    let (high, state) = next(state);
    let (low, state) = next(state);
    SEEDED.set(Some(state));
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    Builder::from_random_bytes(bytes).into_uuid()
}

/// SplitMix64: a number and the state after it.
fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word ^ (word >> 31), state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_ids_on_its_own_thread_alone() {
        let draw = |from| {
            seed(from);
            let drawn = [uuid(), uuid(), uuid()];
            unseed();
            drawn
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(7)[0], draw(7)[1]);
        seed(7);
        let elsewhere = std::thread::spawn(|| [uuid(), uuid(), uuid()]).join().unwrap();
        unseed();
        assert_ne!(elsewhere, draw(7));
        assert_ne!(uuid(), uuid());
    }
}
