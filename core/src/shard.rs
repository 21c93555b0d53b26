//! Objects packed into tasks, and the names of tasks: pure functions of the sorted objects.
//!
//! Small objects are packed in the order of their keys to about 256 MiB or 256 objects a task; a
//! large object is a task of its own and does not end the pack around it, and one that is larger
//! still is a group of tasks (see [`crate::group`]). Tasks are in the order of their first keys.
//! The machine decides which one is granted first.

use std::ops::Deref;

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

/// The places of a task's objects. A plan of large objects has a task for each: they stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardObjects {
    One(usize),
    Many(Box<[usize]>),
}

impl Deref for ShardObjects {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }
}

impl From<Vec<usize>> for ShardObjects {
    fn from(places: Vec<usize>) -> Self {
        match places[..] {
            [place] => Self::One(place),
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
            None | Some(GroupStep::Finish) => self.objects.len(),
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

/// Packs the objects of one source, sorted by key and distinct, into tasks in plan order.
///
/// # Errors
/// When the objects are not sorted and distinct.
pub fn shard<'a>(
    source: SourceKey,
    objects: impl IntoIterator<Item = ObjectSize<'a>>,
    packing: Packing,
) -> Result<Vec<Shard>, ShardError> {
    let mut shards = Vec::new();
    let mut groups = 0;
    let mut pack = Pack::new(source);
    let mut last_key: Option<&[u8]> = None;
    for (index, object) in objects.into_iter().enumerate() {
        if last_key.is_some_and(|last_key| last_key >= object.key) {
            let key = String::from_utf8_lossy(object.key).into_owned();
            return Err(ShardError::NotSorted { index, key });
        }
        last_key = Some(object.key);
        let object = &object;
        // Workers read their parts of one length: it must be known.
        let shared = GroupPlan::of(object.size, packing.group_bytes_min);
        if let Some(plan) = shared.filter(|_| !object.size_is_minimum) {
            share(source, (index, object), groups, plan, &mut shards);
            groups += 1;
            continue;
        }
        if object.size >= limits::LARGE_OBJECT_BYTES_MIN {
            let mut alone = Pack::new(source);
            alone.push(index, object);
            alone.close_into(&mut shards);
            continue;
        }
        if pack.objects.len() >= packing.task_objects_max || !pack.has_room_for(object) {
            std::mem::replace(&mut pack, Pack::new(source)).close_into(&mut shards);
        }
        pack.push(index, object);
    }
    pack.close_into(&mut shards);
    shards.sort_by_key(|shard| shard.objects[0]);
    Ok(shards)
}

/// Adds the tasks of a shared object, the number `group` of the plan.
fn share(
    source: SourceKey,
    (index, object): (usize, &ObjectSize<'_>),
    group: u32,
    plan: GroupPlan,
    shards: &mut Vec<Shard>,
) {
    let all = plan.all();
    let parts = plan.tasks().map(|parts| (GroupStep::Parts, parts));
    let first = std::iter::once((GroupStep::Open, all));
    for (step, parts) in first.chain(parts).chain([(GroupStep::Finish, all)]) {
        let mut task = Pack::new(source);
        task.push_step(index, object, step, parts);
        let bytes = if step == GroupStep::Parts { parts.bytes() } else { 0 };
        let shared = Some(Box::new(SharedShard { place: GroupPlace { group, step }, parts }));
        let fingerprint = TaskFingerprint(task.hash.finalize().into());
        shards.push(Shard { fingerprint, objects: task.objects.into(), bytes, shared });
    }
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

/// The task of small objects that is being filled.
struct Pack {
    objects: Vec<usize>,
    bytes: u64,
    hash: Sha256,
}

impl Pack {
    fn new(source: SourceKey) -> Self {
        Self { objects: Vec::new(), bytes: 0, hash: Sha256::new().chain_update(source.0) }
    }

    fn has_room_for(&self, object: &ObjectSize<'_>) -> bool {
        self.bytes.saturating_add(object.size) <= limits::TASK_BYTES_MAX
    }

    fn push(&mut self, index: usize, object: &ObjectSize<'_>) {
        self.bytes = self.bytes.saturating_add(object.size);
        self.push_object(index, object);
        // The second byte stands for the step: 0 copies the whole object.
        self.hash.update([u8::from(object.size_is_minimum), 0]);
    }

    /// A step of a shared object, alone in its task.
    fn push_step(
        &mut self,
        index: usize,
        object: &ObjectSize<'_>,
        step: GroupStep,
        parts: PartRange,
    ) {
        self.push_object(index, object);
        let step = match step {
            GroupStep::Open => 1,
            GroupStep::Parts => 2,
            GroupStep::Finish => 3,
        };
        self.hash.update([0, step]);
        self.hash.update(parts.part_bytes.to_be_bytes());
        self.hash.update(parts.first.to_be_bytes());
        self.hash.update(parts.end.to_be_bytes());
    }

    fn push_object(&mut self, index: usize, object: &ObjectSize<'_>) {
        self.objects.push(index);
        self.hash.update((object.key.len() as u64).to_be_bytes());
        self.hash.update(object.key);
        self.hash.update(object.size.to_be_bytes());
        self.hash.update(object.modified_ms.to_be_bytes());
    }

    fn close_into(self, shards: &mut Vec<Shard>) {
        if !self.objects.is_empty() {
            let Self { objects, bytes, hash } = self;
            let fingerprint = TaskFingerprint(hash.finalize().into());
            shards.push(Shard { fingerprint, objects: objects.into(), bytes, shared: None });
        }
    }
}

#[cfg(test)]
mod tests;
