//! Objects packed into tasks, and the names of tasks: pure functions of the sorted objects.
//!
//! Small objects are packed in the order of their keys to about 256 MiB or 256 objects a task; a
//! large object is a task of its own and does not end the pack around it, and one that is larger
//! still is a group of tasks (see [`crate::group`]). Tasks are in the order of their first keys.
//! The machine decides which one is granted first.

use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use crate::group::{GroupPlace, GroupPlan, GroupStep, PartRange};
use crate::ids::{PlanDigest, SourceKey, TaskFingerprint};
use crate::limits;

/// The version of the rules in this file: plans of different versions differ.
pub const PLANNER_VERSION: u32 = 3;

/// One object to copy, as sharding sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectSize<'a> {
    /// Its key below the target's root.
    pub key: &'a [u8],
    /// Its length in bytes, or a lower bound of it.
    pub size: u64,
    /// True when the log only bounds the length.
    pub size_is_minimum: bool,
    /// When it was written by the source's log, in milliseconds since 1970; 0 when the log does not
    /// tell. A file that was replaced in place is another object.
    pub modified_ms: i64,
}

/// How objects are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Objects of a task of small objects at the most.
    pub task_objects_max: usize,
    /// Bytes of an object that is shared; `None`: no object is.
    pub group_bytes_min: Option<u64>,
}

/// One task: some of the sorted objects, or a step in the copy of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub fingerprint: TaskFingerprint,
    /// The places of its objects, ascending; never empty.
    pub objects: ShardObjects,
    /// The bytes that it copies: the sizes of its objects, added up, or of its parts.
    pub bytes: u64,
    /// `None` for whole objects.
    pub shared: Option<Box<SharedShard>>,
}

/// The places of a task's objects. Most stand side by side: a plan of millions of objects keeps two
/// numbers for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardObjects {
    /// So many from the first one on.
    Run { first: usize, count: usize },
    /// Larger objects, which have tasks of their own, stand between them.
    Many(Box<[usize]>),
}

impl ShardObjects {
    /// The number of objects.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Run { count, .. } => *count,
            Self::Many(places) => places.len(),
        }
    }

    /// The place of the first one.
    #[must_use]
    pub fn first(&self) -> usize {
        match self {
            Self::Run { first, .. } => *first,
            Self::Many(places) => places[0],
        }
    }

    /// Each place, the smallest first.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let (run, many) = match self {
            Self::Run { first, count } => (*first..first + count, &[][..]),
            Self::Many(places) => (0..0, &places[..]),
        };
        run.chain(many.iter().copied())
    }
}

impl From<Vec<usize>> for ShardObjects {
    fn from(places: Vec<usize>) -> Self {
        match (places.first(), places.last()) {
            (Some(first), Some(last)) if last - first + 1 == places.len() => {
                Self::Run { first: *first, count: places.len() }
            }
            _ => Self::Many(places.into()),
        }
    }
}

/// The step of a task in the copy of a shared object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedShard {
    pub place: GroupPlace,
    /// The parts that it writes; all of the object's for the other steps.
    pub parts: PartRange,
}

impl Shard {
    /// Returns how many objects are done with this task: none with a step that makes no object.
    #[must_use]
    pub fn objects_done(&self) -> usize {
        match self.shared.as_ref().map(|shared| shared.place.step) {
            None | Some(GroupStep::Finish) => self.objects.count(),
            Some(GroupStep::Open | GroupStep::Parts) => 0,
        }
    }
}

/// What decides a plan, apart from the objects themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanIdentity<'a> {
    /// The source's version that it leads to.
    pub source_version: u64,
    /// The replica version that it starts from; `None` without a replica.
    pub replica_version: Option<u64>,
    /// The encoded options that change what is copied or committed.
    pub options: &'a [u8],
    /// As the tasks were packed.
    pub group_bytes_min: Option<u64>,
}

/// Why objects cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// The objects are not in ascending order of their keys, or a key occurs twice.
    #[error("objects are not sorted and distinct at {index}: `{key}`")]
    NotSorted {
        /// The place of the first object that is out of order.
        index: usize,
        key: String,
    },
}

/// The objects of a plan, in ascending order of their keys.
pub trait SortedObjects: Sync {
    /// The number of objects.
    fn count(&self) -> usize;

    /// The length of the object at a place below that number, and whether the log only bounds it.
    fn size(&self, place: usize) -> (u64, bool);

    /// The object at a place below that number.
    fn object(&self, place: usize) -> ObjectSize<'_>;
}

impl SortedObjects for [ObjectSize<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn size(&self, place: usize) -> (u64, bool) {
        (self[place].size, self[place].size_is_minimum)
    }

    fn object(&self, place: usize) -> ObjectSize<'_> {
        self[place]
    }
}

/// Packs the objects of one source, sorted by key and distinct, into tasks in plan order.
///
/// # Errors
/// When the objects are not sorted and distinct.
pub fn shard(
    source: SourceKey,
    objects: &(impl SortedObjects + ?Sized),
    packing: Packing,
) -> Result<Vec<Shard>, ShardError> {
    shard_by(source, objects, packing, |tasks, name| tasks.iter_mut().for_each(name))
}

/// As [`shard`]. To name a task the keys of its objects are read and hashed: `for_each` calls a
/// function with each of the tasks, on as many threads as it likes.
///
/// # Errors
/// As [`shard`].
pub fn shard_by(
    source: SourceKey,
    objects: &(impl SortedObjects + ?Sized),
    packing: Packing,
    for_each: impl FnOnce(&mut [Shard], &(dyn Fn(&mut Shard) + Sync)),
) -> Result<Vec<Shard>, ShardError> {
    let mut shards = Vec::with_capacity(count_tasks(objects, packing));
    let (mut packer, mut pack) = (Packer::new(packing), Pack::default());
    for place in 0..objects.count() {
        let (size, size_is_minimum) = objects.size(place);
        match packer.place(size, size_is_minimum) {
            Place::Shared { plan, group } => share(place, group, plan, &mut shards),
            Place::Alone => Pack { objects: vec![place], bytes: size }.close_into(&mut shards),
            Place::Packed { is_first } => {
                if is_first {
                    std::mem::take(&mut pack).close_into(&mut shards);
                }
                pack.objects.push(place);
                pack.bytes = pack.bytes.saturating_add(size);
            }
        }
    }
    pack.close_into(&mut shards);
    // A task of small objects ends behind the large ones that lie between them.
    if !shards.is_sorted_by_key(|shard| shard.objects.first()) {
        shards.sort_by_key(|shard| shard.objects.first());
    }
    let first_wrong = AtomicUsize::new(usize::MAX);
    for_each(&mut shards, &|shard: &mut Shard| {
        shard.fingerprint = fingerprint(source, shard, objects);
        let mut places = shard.objects.places();
        if let Some(place) = places.find(|place| is_out_of_order(objects, *place)) {
            first_wrong.fetch_min(place, Ordering::Relaxed);
        }
    });
    match first_wrong.into_inner() {
        usize::MAX => Ok(shards),
        index => {
            let key = String::from_utf8_lossy(objects.object(index).key).into_owned();
            Err(ShardError::NotSorted { index, key })
        }
    }
}

fn is_out_of_order(objects: &(impl SortedObjects + ?Sized), place: usize) -> bool {
    place > 0 && objects.object(place - 1).key >= objects.object(place).key
}

/// Returns how many tasks [`shard`] makes of these objects.
#[must_use]
pub fn count_tasks(objects: &(impl SortedObjects + ?Sized), packing: Packing) -> usize {
    let mut packer = Packer::new(packing);
    let places = (0..objects.count()).map(|place| {
        let (size, size_is_minimum) = objects.size(place);
        match packer.place(size, size_is_minimum) {
            Place::Shared { plan, .. } => plan.tasks().count() + 2,
            Place::Alone => 1,
            Place::Packed { is_first } => usize::from(is_first),
        }
    });
    places.sum()
}

/// Decides which task each object belongs to, from the sizes of all before it.
struct Packer {
    packing: Packing,
    /// Objects that are shared so far.
    groups: u32,
    /// Objects and bytes of the task of small objects that is being filled.
    objects: usize,
    bytes: u64,
}

/// The task that an object belongs to.
enum Place {
    /// Tasks of its own: it is the object number `group` that several workers share.
    Shared {
        plan: GroupPlan,
        group: u32,
    },
    Alone,
    /// The task of small objects. Its first one begins it, and ends the one before.
    Packed {
        is_first: bool,
    },
}

impl Packer {
    fn new(packing: Packing) -> Self {
        Self { packing, groups: 0, objects: 0, bytes: 0 }
    }

    fn place(&mut self, size: u64, size_is_minimum: bool) -> Place {
        // Workers read their parts of one length: it must be known.
        let shared = GroupPlan::of(size, self.packing.group_bytes_min);
        if let Some(plan) = shared.filter(|_| !size_is_minimum) {
            let group = self.groups;
            self.groups += 1;
            return Place::Shared { plan, group };
        }
        if size >= limits::LARGE_OBJECT_BYTES_MIN {
            return Place::Alone;
        }
        let bytes = self.bytes.saturating_add(size);
        let has_room =
            self.objects < self.packing.task_objects_max && bytes <= limits::TASK_BYTES_MAX;
        let is_first = self.objects == 0 || !has_room;
        (self.objects, self.bytes) = if is_first { (1, size) } else { (self.objects + 1, bytes) };
        Place::Packed { is_first }
    }
}

/// Adds the tasks of a shared object, the number `group` of the plan.
fn share(place: usize, group: u32, plan: GroupPlan, shards: &mut Vec<Shard>) {
    let all = plan.all();
    let parts = plan.tasks().map(|parts| (GroupStep::Parts, parts));
    let first = std::iter::once((GroupStep::Open, all));
    shards.extend(first.chain(parts).chain([(GroupStep::Finish, all)]).map(|(step, parts)| {
        let bytes = if step == GroupStep::Parts { parts.bytes() } else { 0 };
        let shared = Some(Box::new(SharedShard { place: GroupPlace { group, step }, parts }));
        Shard {
            fingerprint: UNNAMED,
            objects: ShardObjects::Run { first: place, count: 1 },
            bytes,
            shared,
        }
    }));
}

/// Returns the identity of a plan: of what decides it, and of its tasks in order.
#[must_use]
pub fn plan_digest(identity: &PlanIdentity<'_>, shards: &[Shard]) -> PlanDigest {
    let replica = identity.replica_version.map_or([0; 9], |version| {
        let mut bytes = [1; 9];
        bytes[1..].copy_from_slice(&version.to_be_bytes());
        bytes
    });
    let group_bytes_min = identity.group_bytes_min.unwrap_or(u64::MAX);
    let mut hash = Sha256::new()
        .chain_update(PLANNER_VERSION.to_be_bytes())
        .chain_update(limits::TASK_BYTES_MAX.to_be_bytes())
        .chain_update((limits::TASK_OBJECTS_MAX as u64).to_be_bytes())
        .chain_update(limits::LARGE_OBJECT_BYTES_MIN.to_be_bytes())
        .chain_update(group_bytes_min.to_be_bytes())
        .chain_update(identity.source_version.to_be_bytes())
        .chain_update(replica)
        .chain_update((identity.options.len() as u64).to_be_bytes())
        .chain_update(identity.options);
    for shard in shards {
        hash.update(shard.fingerprint.0);
    }
    PlanDigest(hash.finalize().into())
}

/// The name of a task that has none yet.
const UNNAMED: TaskFingerprint = TaskFingerprint([0; 32]);

/// The task of small objects that is being filled.
#[derive(Default)]
struct Pack {
    objects: Vec<usize>,
    bytes: u64,
}

impl Pack {
    fn close_into(self, shards: &mut Vec<Shard>) {
        if !self.objects.is_empty() {
            let Self { objects, bytes } = self;
            let objects = objects.into();
            shards.push(Shard { fingerprint: UNNAMED, objects, bytes, shared: None });
        }
    }
}

/// Returns the name of a task: a hash of all that decides what it copies.
fn fingerprint(
    source: SourceKey,
    task: &Shard,
    objects: &(impl SortedObjects + ?Sized),
) -> TaskFingerprint {
    let mut hash = Sha256::new().chain_update(source.0);
    for place in task.objects.places() {
        let object = objects.object(place);
        hash.update((object.key.len() as u64).to_be_bytes());
        hash.update(object.key);
        hash.update(object.size.to_be_bytes());
        hash.update(object.modified_ms.to_be_bytes());
        match task.shared.as_deref() {
            // The second byte stands for the step: 0 copies the whole object.
            None => hash.update([u8::from(object.size_is_minimum), 0]),
            Some(SharedShard { place, parts }) => {
                hash.update([0, step_byte(place.step)]);
                hash.update(parts.part_bytes.to_be_bytes());
                hash.update(parts.first.to_be_bytes());
                hash.update(parts.end.to_be_bytes());
            }
        }
    }
    TaskFingerprint(hash.finalize().into())
}

fn step_byte(step: GroupStep) -> u8 {
    match step {
        GroupStep::Open => 1,
        GroupStep::Parts => 2,
        GroupStep::Finish => 3,
    }
}

#[cfg(test)]
mod tests;
