//! The objects of a job, and its tasks as the planner makes them.

use deepclone_core::copy_plan::CopyPlan;
use deepclone_core::group::{GroupPlan, GroupStep};
use deepclone_core::ids::{PlanDigest, SourceKey};
use deepclone_core::limits::{GROUP_BYTES_MIN, TASK_OBJECTS_MAX};
use deepclone_core::machine::{Plan, PlanTask};
use deepclone_core::shard::{ObjectSize, Packing, shard};

use crate::link::Link;

/// The sizes of the objects, in the order of their keys.
#[derive(Clone, Debug)]
pub(crate) struct Objects(Vec<u64>);

/// The tasks of a plan, each with what is to be copied.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    pub(crate) plan: Plan,
    pub(crate) work: Vec<Work>,
}

/// What a task copies.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Objects of these sizes.
    Objects(Vec<u64>),
    /// Nothing: it opens the upload of a shared object.
    Open,
    /// Parts of these sizes.
    Parts(Vec<u64>),
    /// Nothing: it makes an object of this size of its parts.
    Finish(u64),
}

/// Requests in a row that open the upload of a shared object: a look at each side, the opening.
pub(crate) const OPEN_TRIPS: u64 = 3;
/// Those that end it: the completion, and a look for other uploads.
pub(crate) const FINISH_TRIPS: u64 = 2;

impl Objects {
    pub(crate) fn new(count: usize, bytes: u64) -> Self {
        Self(vec![bytes; count])
    }

    /// With some more, whose keys are in the middle.
    pub(crate) fn and(mut self, count: usize, bytes: u64) -> Self {
        let middle = self.0.len() / 2;
        self.0.splice(middle..middle, vec![bytes; count]);
        self
    }

    /// Packs them into tasks.
    pub(crate) fn tasks(&self) -> Tasks {
        let keys: Vec<[u8; 4]> = (0..).take(self.0.len()).map(u32::to_be_bytes).collect();
        let sized = |(place, &size): (usize, &u64)| {
            let (size_is_minimum, modified_ms) = (false, 0);
            ObjectSize { key: &keys[place], size, size_is_minimum, modified_ms }
        };
        let sizes: Vec<_> = self.0.iter().enumerate().map(sized).collect();
        let packing =
            Packing { task_objects_max: TASK_OBJECTS_MAX, group_bytes_min: Some(GROUP_BYTES_MIN) };
        let shards = shard(SourceKey([1; 32]), &sizes[..], packing).unwrap();
        let tasks = shards.iter().map(|shard| PlanTask {
            fingerprint: shard.fingerprint,
            bytes: shard.bytes,
            objects: u32::try_from(shard.objects_done()).unwrap(),
            group: shard.shared.as_ref().map(|shared| shared.place),
        });
        let plan = Plan {
            digest: PlanDigest([1; 32]),
            source_version: 1,
            replica_version: None,
            source_is_newest: true,
            tasks: tasks.collect(),
        };
        let work = shards.iter().map(|shard| {
            let sizes: Vec<u64> = shard.objects.places().map(|place| self.0[place]).collect();
            let Some(shared) = shard.shared.as_deref() else { return Work::Objects(sizes) };
            match shared.place.step {
                GroupStep::Open => Work::Open,
                GroupStep::Parts => {
                    let lengths = shared.parts.parts().map(|(_, range)| range.end - range.start);
                    Work::Parts(lengths.collect())
                }
                GroupStep::Finish => Work::Finish(sizes[0]),
            }
        });
        let work = work.collect();
        Tasks { plan, work }
    }

    /// The time that the longest object takes, however many slots there are. All parts but the
    /// first one wait until the upload is open.
    pub(crate) fn longest_us(&self, link: Link) -> u64 {
        let bytes = self.0.iter().copied().max().unwrap_or(0);
        let trips = |count: u64| count * link.round_trip_us;
        if let Some(plan) = GroupPlan::of(bytes, Some(GROUP_BYTES_MIN)) {
            let part = plan.all().part_bytes;
            return trips(OPEN_TRIPS + 2 + FINISH_TRIPS) + link.moves_us(part);
        }
        match CopyPlan::of(bytes) {
            CopyPlan::Whole => trips(2) + link.moves_us(bytes),
            // A read, the opening, a part's read and write, and the completion.
            CopyPlan::Parts(parts) => {
                let part = parts.ranges().map(|range| range.end - range.start).max();
                trips(5) + link.moves_us(part.unwrap_or(0))
            }
        }
    }

    /// The time for which one slot would be in use if it copied all of them.
    pub(crate) fn slot_us(&self, link: Link) -> u64 {
        let of_object = |&bytes: &u64| {
            // The opening of an upload, too, unless that is a task of its own.
            let shared = GroupPlan::of(bytes, Some(GROUP_BYTES_MIN));
            let (pieces, opens) = match (shared, CopyPlan::of(bytes)) {
                (Some(plan), _) => (plan.all().count() as u64, 0),
                (None, CopyPlan::Whole) => (1, 0),
                (None, CopyPlan::Parts(parts)) => (parts.count(), 1),
            };
            (2 * pieces + opens) * link.round_trip_us + link.moves_us(bytes)
        };
        self.0.iter().map(of_object).sum()
    }
}
