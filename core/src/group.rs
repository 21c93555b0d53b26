//! One large object, copied by several workers: how it is cut into tasks.
//!
//! Such an object is a *group* of tasks. The first opens an upload, each of the next writes a
//! range of whole parts to it, and the last one makes the object of the parts. A plan without such
//! objects has no group.

use std::ops::Range;

use crate::copy_plan::part_bytes_of;
use crate::limits::{PART_BYTES_MIN, PARTS_PER_TASK_MAX};

/// A shared object has at least this many tasks of parts: enough for a fleet, and each a few
/// seconds of work.
const TASKS_MIN: u64 = 16;

/// The place of a task in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupPlace {
    /// The group's number within the plan. Its tasks follow each other in plan order.
    pub group: u32,
    pub step: GroupStep,
}

/// What a task of a group does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupStep {
    /// Looks at both sides and opens the upload. The first task of its group.
    Open,
    /// Writes some of the parts.
    Parts,
    /// Makes the object of the parts. The last task of its group.
    Finish,
}

/// Some of the parts of an object, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRange {
    /// Length of the whole object.
    pub object_bytes: u64,
    /// Length of each part but the last one of the object; never 0.
    pub part_bytes: u64,
    /// The number of the first part, from 0.
    pub first: u32,
    /// The number after the last part.
    pub end: u32,
}

/// How an object is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    object_bytes: u64,
    part_bytes: u64,
    task_parts: u32,
}

impl GroupPlan {
    /// The plan for an object of this length, where objects of `group_bytes_min` and more are
    /// shared; `None` for a shorter one.
    #[must_use]
    pub fn of(object_bytes: u64, group_bytes_min: Option<u64>) -> Option<Self> {
        let least = group_bytes_min.filter(|&least| least > 0 && object_bytes >= least)?;
        let task_bytes = least.div_ceil(TASKS_MIN);
        let part_bytes = part_bytes_of(object_bytes, task_bytes.min(PART_BYTES_MIN));
        let task_parts = (task_bytes / part_bytes).clamp(1, PARTS_PER_TASK_MAX as u64);
        Some(Self { object_bytes, part_bytes, task_parts: u32::try_from(task_parts).ok()? })
    }

    /// The parts of the object.
    #[must_use]
    pub fn all(self) -> PartRange {
        let count = self.object_bytes.div_ceil(self.part_bytes);
        let (object_bytes, part_bytes) = (self.object_bytes, self.part_bytes);
        let end = u32::try_from(count).unwrap_or(u32::MAX);
        PartRange { object_bytes, part_bytes, first: 0, end }
    }

    /// The parts of each task, in order: together all parts.
    pub fn tasks(self) -> impl Iterator<Item = PartRange> {
        let all = self.all();
        (0..all.end.div_ceil(self.task_parts)).map(move |task| {
            let first = task * self.task_parts;
            PartRange { first, end: first.saturating_add(self.task_parts).min(all.end), ..all }
        })
    }
}

impl PartRange {
    /// True when there is a part, and each of them lies within the object.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.part_bytes > 0
            && self.first < self.end
            && u64::from(self.end) <= self.object_bytes.div_ceil(self.part_bytes)
    }

    /// Returns how many parts there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.end.saturating_sub(self.first) as usize
    }

    /// Returns the sum of their lengths.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.parts().map(|(_, range)| range.end - range.start).sum()
    }

    /// The number and the bytes of each part, in order.
    pub fn parts(self) -> impl Iterator<Item = (u32, Range<u64>)> {
        (self.first..self.end).map(move |number| {
            let start = u64::from(number).saturating_mul(self.part_bytes).min(self.object_bytes);
            (number, start..start.saturating_add(self.part_bytes).min(self.object_bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy_plan::CopyPlan;
    use crate::limits::{GROUP_BYTES_MIN, PARTS_MAX, TASK_BYTES_MAX};

    const MIB: u64 = 1 << 20;

    #[test]
    fn only_objects_of_the_threshold_and_more_are_shared() {
        let least = Some(GROUP_BYTES_MIN);
        assert_eq!(GroupPlan::of(GROUP_BYTES_MIN - 1, least), None);
        assert!(GroupPlan::of(GROUP_BYTES_MIN, least).is_some());
        assert_eq!(GroupPlan::of(u64::MAX >> 8, None), None);
        assert_eq!(GroupPlan::of(0, Some(0)), None);
    }

    #[test]
    fn the_tasks_hold_every_byte_once_and_are_bounded() {
        for (size, least) in [
            (GROUP_BYTES_MIN, GROUP_BYTES_MIN),
            (GROUP_BYTES_MIN + 1, GROUP_BYTES_MIN),
            (281 << 30, GROUP_BYTES_MIN),
            (5 << 40, GROUP_BYTES_MIN),
            (96 * MIB + 5, 80 * MIB),
            (1_000, 7),
            (1, 1),
        ] {
            let plan = GroupPlan::of(size, Some(least)).unwrap();
            let mut end = (0, 0);
            for task in plan.tasks() {
                assert!(task.is_valid() && task.count() <= PARTS_PER_TASK_MAX, "{size}: {task:?}");
                let most = least.div_ceil(16).max(task.part_bytes);
                assert!(task.bytes() <= most && most <= TASK_BYTES_MAX.max(task.part_bytes));
                for (number, range) in task.parts() {
                    assert_eq!((number, range.start), end, "{size}");
                    assert!(range.end > range.start, "{size}");
                    end = (number + 1, range.end);
                }
            }
            assert_eq!(end, (plan.all().end, size));
            let counts = plan.tasks().map(PartRange::count);
            assert_eq!(counts.sum::<usize>(), plan.all().end as usize, "{size}");
            assert!(u64::from(plan.all().end) <= PARTS_MAX, "{size}");
        }
    }

    #[test]
    fn a_shared_object_has_the_parts_that_one_worker_would_copy() {
        for size in [GROUP_BYTES_MIN, 281 << 30, 1 << 40] {
            let CopyPlan::Parts(parts) = CopyPlan::of(size) else { panic!("{size} is not cut") };
            let shared = GroupPlan::of(size, Some(GROUP_BYTES_MIN)).unwrap().all();
            assert!(shared.parts().map(|(_, range)| range).eq(parts.ranges()), "{size}");
        }
    }

    #[test]
    fn ranges_that_no_object_has_are_not_valid() {
        let good = PartRange { object_bytes: 10, part_bytes: 4, first: 0, end: 3 };
        assert!(good.is_valid());
        for bad in [
            PartRange { part_bytes: 0, ..good },
            PartRange { end: 0, ..good },
            PartRange { end: 4, ..good },
            PartRange { object_bytes: 0, ..good },
            PartRange { first: 3, ..good },
        ] {
            assert!(!bad.is_valid(), "{bad:?}");
        }
    }
}
