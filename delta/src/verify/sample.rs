//! Which objects a sampled look compares: drawn by a seed until they have their share of the
//! bytes.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

/// Parts in the whole.
const WHOLE: u128 = 1_000_000;

/// A part of a table's bytes, drawn by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Millionths of the bytes of all objects, 1 to 1 000 000.
    pub millionths: u32,
    /// The same seed draws the same objects, as long as there are no others.
    pub seed: u64,
}

impl Sample {
    /// Returns the keys in the order in which they are drawn.
    pub(super) fn order<'a>(self, keys: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut order: Vec<&str> = keys.collect();
        order.sort_by_cached_key(|key| self.place(key));
        order
    }

    fn place(self, key: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(key).finalize().into()
    }

    /// Draws from the objects, whose sizes in bytes are given; at least one, if there is any.
    pub(super) fn of(self, sizes: &BTreeMap<String, u64>) -> BTreeSet<String> {
        let total: u128 = sizes.values().map(|size| u128::from(*size)).sum();
        let wanted = total * u128::from(self.millionths) / WHOLE;
        let mut drawn = BTreeSet::new();
        let mut bytes = 0;
        for key in self.order(sizes.keys().map(String::as_str)) {
            if bytes >= wanted && !drawn.is_empty() {
                break;
            }
            bytes += sizes.get(key).map_or(0, |size| u128::from(*size));
            drawn.insert(key.to_owned());
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_share_of_the_bytes_and_is_drawn_by_its_seed() {
        let sizes: BTreeMap<String, u64> =
            (0..1000).map(|number| (format!("{number}.parquet"), 1000 + number)).collect();
        let total: u64 = sizes.values().sum();
        let mut seen = BTreeSet::new();
        for seed in 0..60 {
            let drawn = Sample { millionths: 50_000, seed }.of(&sizes);
            let bytes: u64 = drawn.iter().map(|key| sizes[key]).sum();
            assert!(bytes >= total / 20 && bytes < total / 20 + 2000, "{bytes} of {total}");
            assert_eq!(drawn, Sample { millionths: 50_000, seed }.of(&sizes));
            seen.extend(drawn);
        }
        // In time all are looked at.
        assert!(seen.len() > 900, "{}", seen.len());
    }

    #[test]
    fn the_least_sample_is_one_object_and_the_whole_is_all() {
        let sizes: BTreeMap<String, u64> = [("a".to_owned(), 0), ("b".to_owned(), 7)].into();
        assert_eq!(Sample { millionths: 1, seed: 1 }.of(&sizes).len(), 1);
        assert!(Sample { millionths: 1_000_000, seed: 1 }.of(&sizes).contains("b"));
        assert_eq!(Sample { millionths: 1, seed: 1 }.of(&BTreeMap::new()), BTreeSet::new());
    }
}
