//! Objects packed into tasks, and the names of tasks: pure functions of the sorted objects.
//!
//! Small objects are packed in the order of their keys to about 256 MiB or 256 objects a task; a
//! large object is a task of its own and does not end the pack around it. Tasks are in the order
//! of their first keys. Which task is granted first is not decided here.

use sha2::{Digest, Sha256};

use crate::ids::{PlanDigest, TaskFingerprint};
use crate::limits;

/// The version of the rules in this file: another one, other plans.
pub const PLANNER_VERSION: u32 = 1;

/// One object to copy, as sharding sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectSize<'a> {
    /// Its key below the target's root.
    pub key: &'a [u8],
    /// Its length in bytes, or a lower bound of it.
    pub size: u64,
    /// True when the log only bounds the length.
    pub size_is_minimum: bool,
}

/// One task: some of the sorted objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its content's name.
    pub fingerprint: TaskFingerprint,
    /// The places of its objects, ascending; never empty.
    pub objects: Vec<usize>,
    /// Their bytes together.
    pub bytes: u64,
}

/// What decides a plan, apart from the objects themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanIdentity<'a> {
    /// The source's version that it leads to.
    pub source_version: u64,
    /// The replica's head that it starts from.
    pub replica_version: Option<u64>,
    /// The encoded options that change what is copied or committed.
    pub options: &'a [u8],
}

/// Why objects cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// The objects are not in ascending order of their keys, or a key occurs twice.
    #[error("objects are not sorted and distinct at {index}: `{key}`")]
    NotSorted {
        /// The place of the first object that is out of order.
        index: usize,
        /// Its key.
        key: String,
    },
}

/// Packs objects, sorted by key and distinct, into tasks in plan order.
///
/// # Errors
/// When the objects are not sorted and distinct.
pub fn shard(objects: &[ObjectSize<'_>]) -> Result<Vec<Shard>, ShardError> {
    let mut shards = Vec::new();
    let mut pack = Pack::default();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 && objects[index - 1].key >= object.key {
            let key = String::from_utf8_lossy(object.key).into_owned();
            return Err(ShardError::NotSorted { index, key });
        }
        if object.size >= limits::LARGE_OBJECT_BYTES_MIN {
            let mut alone = Pack::default();
            alone.push(index, object);
            alone.close_into(&mut shards);
            continue;
        }
        if !pack.has_room_for(object) {
            std::mem::take(&mut pack).close_into(&mut shards);
        }
        pack.push(index, object);
    }
    pack.close_into(&mut shards);
    shards.sort_by_key(|shard| shard.objects[0]);
    Ok(shards)
}

/// The identity of a plan: of what decides it, and of its tasks in order.
#[must_use]
pub fn plan_digest(identity: &PlanIdentity<'_>, shards: &[Shard]) -> PlanDigest {
    let replica = identity.replica_version.map_or([0; 9], |version| {
        let mut bytes = [1; 9];
        bytes[1..].copy_from_slice(&version.to_be_bytes());
        bytes
    });
    let mut hash = Sha256::new()
        .chain_update(PLANNER_VERSION.to_be_bytes())
        .chain_update(limits::TASK_BYTES_MAX.to_be_bytes())
        .chain_update((limits::TASK_OBJECTS_MAX as u64).to_be_bytes())
        .chain_update(limits::LARGE_OBJECT_BYTES_MIN.to_be_bytes())
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
#[derive(Default)]
struct Pack {
    objects: Vec<usize>,
    bytes: u64,
    hash: Sha256,
}

impl Pack {
    fn has_room_for(&self, object: &ObjectSize<'_>) -> bool {
        self.objects.len() < limits::TASK_OBJECTS_MAX
            && self.bytes.saturating_add(object.size) <= limits::TASK_BYTES_MAX
    }

    fn push(&mut self, index: usize, object: &ObjectSize<'_>) {
        self.objects.push(index);
        self.bytes = self.bytes.saturating_add(object.size);
        self.hash.update((object.key.len() as u64).to_be_bytes());
        self.hash.update(object.key);
        self.hash.update(object.size.to_be_bytes());
        // The second byte stands for the part range: 0 is the whole object.
        self.hash.update([u8::from(object.size_is_minimum), 0]);
    }

    fn close_into(self, shards: &mut Vec<Shard>) {
        if !self.objects.is_empty() {
            let fingerprint = TaskFingerprint(self.hash.finalize().into());
            shards.push(Shard { fingerprint, objects: self.objects, bytes: self.bytes });
        }
    }
}
