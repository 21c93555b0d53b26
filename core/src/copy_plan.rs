//! What the copy of one object takes: whole or by parts, how long the parts are, and how many
//! requests that is. Workers copy by it, and a plan is estimated by it.
//!
//! The numbers leave out what cannot be known before the copy: retries, the proof of an object that
//! the target may hold already, reading back, whether a store copies by itself, and three requests
//! more for an object that workers share. Azure opens an upload without a request.

use std::ops::Range;

use crate::limits::{COPIED_PART_BYTES_MIN, PART_BYTES_MIN, PARTS_MAX, WHOLE_OBJECT_BYTES_MAX};

/// Parts are a whole number of these.
const PART_BYTES_STEP: u64 = 1 << 20;

/// How one object is copied: a function of its length alone, so that every attempt copies alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyPlan {
    /// By one read and one write.
    Whole,
    /// By ranges, each read and written on its own.
    Parts(PartPlan),
}

/// How a large object is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlan {
    object_bytes: u64,
    part_bytes: u64,
}

/// What an object is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyTarget {
    Store,
    /// A disk of the worker's machine.
    Disk,
}

/// Requests that a copy sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyRequests {
    pub source: u64,
    /// To the target. On a disk: looks at the object, opened files and links.
    pub target: u64,
}

impl CopyPlan {
    /// The plan for an object of this length.
    #[must_use]
    pub fn of(object_bytes: u64) -> Self {
        match object_bytes {
            0..=WHOLE_OBJECT_BYTES_MAX => Self::Whole,
            _ => Self::Parts(PartPlan::of(object_bytes)),
        }
    }

    /// The requests of one copy that meets no error.
    #[must_use]
    pub fn requests(self, target: CopyTarget) -> CopyRequests {
        match (self, target) {
            (Self::Whole, _) => CopyRequests { source: 1, target: 1 },
            // With the opening and the completion of the upload.
            (Self::Parts(parts), CopyTarget::Store) => {
                CopyRequests { source: parts.count(), target: parts.count() + 2 }
            }
            (Self::Parts(parts), CopyTarget::Disk) => {
                CopyRequests { source: parts.count(), target: 2 }
            }
        }
    }
}

impl PartPlan {
    fn of(object_bytes: u64) -> Self {
        Self::with_parts_of(PART_BYTES_MIN, object_bytes)
    }

    /// The parts of an object that a store copies by itself.
    #[must_use]
    pub fn by_store(object_bytes: u64) -> Self {
        Self::with_parts_of(COPIED_PART_BYTES_MIN, object_bytes)
    }

    /// Parts of this length, or more where that made too many.
    #[must_use]
    pub fn with_parts_of(part_bytes_min: u64, object_bytes: u64) -> Self {
        Self { object_bytes, part_bytes: part_bytes_of(object_bytes, part_bytes_min) }
    }

    /// Length of the object.
    #[must_use]
    pub fn object_bytes(self) -> u64 {
        self.object_bytes
    }

    /// Returns how many parts there are.
    #[must_use]
    pub fn count(self) -> u64 {
        self.object_bytes.div_ceil(self.part_bytes)
    }

    /// The bytes of each part, in order: together the object.
    pub fn ranges(self) -> impl Iterator<Item = Range<u64>> {
        (0..self.count()).map(move |number| {
            let start = number * self.part_bytes;
            start..start.saturating_add(self.part_bytes).min(self.object_bytes)
        })
    }
}

/// Returns the length of an object's parts: `part_bytes_min`, or more where that made too many.
pub(crate) fn part_bytes_of(object_bytes: u64, part_bytes_min: u64) -> u64 {
    if object_bytes.div_ceil(part_bytes_min.max(1)) <= PARTS_MAX {
        return part_bytes_min.max(1);
    }
    object_bytes.div_ceil(PARTS_MAX).next_multiple_of(PART_BYTES_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn only_objects_above_the_threshold_are_cut() {
        for size in [0, 1, WHOLE_OBJECT_BYTES_MAX - 1, WHOLE_OBJECT_BYTES_MAX] {
            assert_eq!(CopyPlan::of(size), CopyPlan::Whole, "{size}");
        }
        let CopyPlan::Parts(parts) = CopyPlan::of(64 * MIB + 1) else { panic!("it is not cut") };
        let ranges: Vec<_> = parts.ranges().collect();
        assert_eq!(ranges, [0..32 * MIB, 32 * MIB..64 * MIB, 64 * MIB..64 * MIB + 1]);
    }

    #[test]
    fn parts_are_few_enough_and_large_enough_and_make_the_object() {
        for size in [65 * MIB, 96 * MIB, 1 << 30, 141 << 30, 5 << 40, u64::MAX >> 8] {
            let CopyPlan::Parts(parts) = CopyPlan::of(size) else { panic!("{size} is not cut") };
            assert!(parts.part_bytes >= PART_BYTES_MIN && parts.part_bytes.is_multiple_of(MIB));
            assert!(parts.count() <= PARTS_MAX, "{size}");
            let end = parts.ranges().fold(0, |end, range| {
                assert!(range.start == end && range.end > end, "{size}: {range:?} after {end}");
                range.end
            });
            assert_eq!((end, parts.object_bytes()), (size, size));
        }
    }

    #[test]
    fn a_store_copies_larger_parts_within_its_bounds() {
        for (size, count) in [(1, 1), (256 * MIB, 1), (256 * MIB + 1, 2), (5 << 40, 8_993)] {
            let parts = PartPlan::by_store(size);
            assert_eq!(parts.count(), count, "{size}");
            assert!(parts.part_bytes <= 5 << 30, "{size}");
        }
    }

    #[test]
    fn every_request_of_a_copy_counts() {
        for (size, target, expected) in [
            (0, CopyTarget::Store, (1, 1)),
            (64 * MIB, CopyTarget::Store, (1, 1)),
            (64 * MIB, CopyTarget::Disk, (1, 1)),
            (64 * MIB + 1, CopyTarget::Store, (3, 5)),
            (64 * MIB + 1, CopyTarget::Disk, (3, 2)),
            (320 * MIB, CopyTarget::Store, (10, 12)),
        ] {
            let CopyRequests { source, target } = CopyPlan::of(size).requests(target);
            assert_eq!((source, target), expected, "{size}");
        }
    }
}
