//! What is to be looked at when: one moment for each key, and the keys in the order of their
//! moments.

use std::collections::{BTreeMap, BTreeSet};

use super::moment::Moment;

/// A moment for each of some keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookout<K> {
    moments: BTreeMap<K, Moment>,
    order: BTreeSet<(Moment, K)>,
}

impl<K> Default for Lookout<K> {
    fn default() -> Self {
        Self { moments: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Copy + Ord> Lookout<K> {
    /// Sets the moment of a key; `None` forgets the key.
    pub(super) fn set(&mut self, key: K, moment: Option<Moment>) {
        let before = match moment {
            Some(moment) => self.moments.insert(key, moment),
            None => self.moments.remove(&key),
        };
        if before != moment {
            before.map(|before| self.order.remove(&(before, key)));
            moment.map(|moment| self.order.insert((moment, key)));
        }
    }

    /// Returns the moment of a key.
    pub(super) fn of(&self, key: K) -> Option<Moment> {
        self.moments.get(&key).copied()
    }

    /// Returns the first moment of all.
    pub(super) fn first(&self) -> Option<Moment> {
        self.order.first().map(|(moment, _)| *moment)
    }

    /// Returns the keys whose moment has come, in their own order.
    pub(super) fn due(&self, now: Moment) -> Vec<K> {
        let due = self.order.iter().take_while(|(moment, _)| *moment <= now);
        let mut keys: Vec<K> = due.map(|(_, key)| *key).collect();
        keys.sort_unstable();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_due_by_their_last_moment() {
        let mut lookout = Lookout::default();
        for (key, moment) in [(1, Some(5)), (2, Some(3)), (3, Some(9)), (1, Some(2)), (3, None)] {
            lookout.set(key, moment.map(Moment));
        }
        assert_eq!(lookout.first(), Some(Moment(2)));
        assert_eq!([1, 2, 3].map(|key| lookout.of(key)), [Some(Moment(2)), Some(Moment(3)), None]);
        assert_eq!([1, 2, 3].map(|now| lookout.due(Moment(now))), [vec![], vec![1], vec![1, 2]]);
        lookout.set(2, None);
        lookout.set(1, None);
        assert_eq!(lookout, Lookout::default());
    }
}
