//! The tasks of a plan by their names, which are hashes: they lie sorted, and a name tells about
//! where. So a look-up of one among a million reads two or three places in memory.

use crate::ids::{TaskFingerprint, TaskIndex};

/// Where each task of a plan is, by its name.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskNames {
    /// The first bytes of each name, in order.
    sorted: Vec<(u64, TaskIndex)>,
    /// Where the names of each of as many equal parts of all numbers begin, and where all end.
    begins: Vec<u32>,
}

impl TaskNames {
    /// Takes the names of all tasks, in the order of the plan; `None` when one occurs twice.
    pub(super) fn new(names: &[TaskFingerprint]) -> Option<Self> {
        let name = |index: TaskIndex| names.get(index.0 as usize);
        let mut sorted: Vec<(u64, TaskIndex)> =
            (0..).map(TaskIndex).zip(names).map(|(index, name)| (first(*name), index)).collect();
        sorted.sort_unstable_by_key(|&(first, index)| (first, name(index), index));
        if sorted.windows(2).any(|pair| name(pair[0].1) == name(pair[1].1)) {
            return None;
        }
        let mut begins = Vec::with_capacity(names.len() + 1);
        for (place, &(first, _)) in (0..).zip(&sorted) {
            begins.resize((part(first, names.len()) + 1).max(begins.len()), place);
        }
        begins.resize(names.len() + 1, u32::try_from(names.len()).ok()?);
        Some(Self { sorted, begins })
    }

    /// Returns the tasks that may have this name: those whose names begin like it.
    pub(super) fn like(&self, name: TaskFingerprint) -> impl Iterator<Item = TaskIndex> {
        let (first, part) = (first(name), part(first(name), self.sorted.len()));
        let place = |part: usize| self.begins.get(part).map_or(0, |place| *place as usize);
        let part = self.sorted.get(place(part)..place(part + 1)).unwrap_or_default();
        let begin = part.partition_point(|&(other, _)| other < first);
        let like = part.iter().skip(begin).take_while(move |&&(other, _)| other == first);
        like.map(|(_, index)| *index)
    }
}

fn first(name: TaskFingerprint) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&name.0[..8]);
    u64::from_be_bytes(word)
}

/// In which of so many equal parts of all numbers this one is.
fn part(first: u64, parts: usize) -> usize {
    let part = (u128::from(first) * parts as u128) >> 64;
    usize::try_from(part).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &TaskNames, all: &[TaskFingerprint], name: TaskFingerprint) -> Vec<TaskIndex> {
        let like = names.like(name);
        like.filter(|index| all[index.0 as usize] == name).collect()
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (last, near) = (|number: u64| u64::MAX - number, |number: u64| number / 3);
        let rules: [&dyn Fn(u64) -> u64; 4] = [&spread, &last, &near, &|_| 7];
        for (count, rule) in [0, 1, 2, 3, 50, 999].into_iter().zip(rules.iter().cycle()) {
            let name = |number: u64| {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&rule(number).to_be_bytes());
                bytes[24..].copy_from_slice(&number.to_be_bytes());
                TaskFingerprint(bytes)
            };
            let all: Vec<TaskFingerprint> = (0..count).map(name).collect();
            let names = TaskNames::new(&all).unwrap();
            for (index, name) in (0..).map(TaskIndex).zip(&all) {
                assert_eq!(found(&names, &all, *name), [index]);
            }
            for strange in [name(count), TaskFingerprint([255; 32]), TaskFingerprint([0; 32])] {
                assert!(all.contains(&strange) || found(&names, &all, strange).is_empty());
            }
        }
    }

    #[test]
    fn a_name_that_occurs_twice_is_refused() {
        let name = |byte| TaskFingerprint([byte; 32]);
        assert!(TaskNames::new(&[name(1), name(2), name(1)]).is_none());
    }
}
