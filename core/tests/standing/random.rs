//! The one source of chance: SplitMix64 from a seed.

use std::ops::Range;

/// A stream of numbers; the same seed, the same stream.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A stream for one thing, whatever else happened before.
    pub(crate) fn keyed(parts: &[u64]) -> Self {
        let mix = |seed: u64, part: &u64| {
            let mut stream = Self(seed ^ part.wrapping_mul(0x2545_f491_4f6c_dd1d));
            stream.next()
        };
        Self(parts.iter().fold(1, mix))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number of the range, which is not empty.
    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// True this often in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.next() % 1_000 < per_mille
    }

    /// One of these, which are some.
    pub(crate) fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        let place = usize::try_from(self.within(0..of.len() as u64)).unwrap_or(0);
        of[place].clone()
    }
}
