//! Objects packed into tasks, and the names of tasks: pure functions of the sorted objects.
//!
//! Small objects are packed in the order of their keys to about 256 MiB or 256 objects a task; a
//! large object is a task of its own and does not end the pack around it. Tasks are in the order
//! of their first keys. The machine decides which one is granted first.

use sha2::{Digest, Sha256};

use crate::ids::{PlanDigest, SourceKey, TaskFingerprint};
use crate::limits;

/// The version of the rules in this file: plans of different versions differ.
pub const PLANNER_VERSION: u32 = 2;

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

/// One task: some of the sorted objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub fingerprint: TaskFingerprint,
    /// The places of its objects, ascending; never empty.
    pub objects: Vec<usize>,
    /// The sizes of its objects, added up.
    pub bytes: u64,
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

/// Packs the objects of one source, sorted by key and distinct, into tasks in plan order. A task of
/// small objects has at most `task_objects_max`.
///
/// # Errors
/// When the objects are not sorted and distinct.
pub fn shard(
    source: SourceKey,
    objects: &[ObjectSize<'_>],
    task_objects_max: usize,
) -> Result<Vec<Shard>, ShardError> {
    let mut shards = Vec::new();
    let mut pack = Pack::new(source);
    for (index, object) in objects.iter().enumerate() {
        if index > 0 && objects[index - 1].key >= object.key {
            let key = String::from_utf8_lossy(object.key).into_owned();
            return Err(ShardError::NotSorted { index, key });
        }
        if object.size >= limits::LARGE_OBJECT_BYTES_MIN {
            let mut alone = Pack::new(source);
            alone.push(index, object);
            alone.close_into(&mut shards);
            continue;
        }
        if pack.objects.len() >= task_objects_max || !pack.has_room_for(object) {
            std::mem::replace(&mut pack, Pack::new(source)).close_into(&mut shards);
        }
        pack.push(index, object);
    }
    pack.close_into(&mut shards);
    shards.sort_by_key(|shard| shard.objects[0]);
    Ok(shards)
}

/// Returns the identity of a plan: of what decides it, and of its tasks in order.
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
        self.objects.push(index);
        self.bytes = self.bytes.saturating_add(object.size);
        self.hash.update((object.key.len() as u64).to_be_bytes());
        self.hash.update(object.key);
        self.hash.update(object.size.to_be_bytes());
        self.hash.update(object.modified_ms.to_be_bytes());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Objects = BTreeMap<Vec<u8>, (u64, bool, i64)>;

    const SOURCE: SourceKey = SourceKey([1; 32]);

    fn sizes(objects: &Objects) -> Vec<ObjectSize<'_>> {
        objects
            .iter()
            .map(|(key, &(size, size_is_minimum, modified_ms))| ObjectSize {
                key,
                size,
                size_is_minimum,
                modified_ms,
            })
            .collect()
    }

    fn objects() -> impl Strategy<Value = Objects> {
        let size = prop_oneof![0..1_u64 << 10, 0..1_u64 << 26, 0..1_u64 << 40, Just(u64::MAX)];
        proptest::collection::btree_map(
            proptest::collection::vec(any::<u8>(), 0..4),
            (size, any::<bool>(), any::<i64>()),
            0..700,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_object_is_in_exactly_one_bounded_task(objects in objects()) {
            let sizes = sizes(&objects);
            let shards = shard(SOURCE, &sizes, limits::TASK_OBJECTS_MAX).unwrap();
            let mut places: Vec<usize> = shards.iter().flat_map(|s| s.objects.clone()).collect();
            places.sort_unstable();
            prop_assert!(places.into_iter().eq(0..sizes.len()));
            for task in &shards {
                let bytes = task.objects.iter().map(|&place| sizes[place].size).sum::<u64>();
                prop_assert_eq!(task.bytes, bytes);
                let large = sizes[task.objects[0]].size >= limits::LARGE_OBJECT_BYTES_MIN;
                prop_assert!(task.objects.len() <= limits::TASK_OBJECTS_MAX);
                prop_assert!(task.bytes <= limits::TASK_BYTES_MAX || task.objects.len() == 1);
                prop_assert!(!large || task.objects.len() == 1);
                prop_assert!(task.objects.is_sorted());
            }
            prop_assert!(shards.is_sorted_by_key(|task| task.objects[0]));
            prop_assert_eq!(&shard(SOURCE, &sizes, limits::TASK_OBJECTS_MAX).unwrap(), &shards);
        }

        #[test]
        fn another_content_is_another_name(
            objects in objects(), pick in any::<prop::sample::Index>(), change in 0..5,
        ) {
            prop_assume!(!objects.is_empty());
            let before = shard(SOURCE, &sizes(&objects), limits::TASK_OBJECTS_MAX).unwrap();
            let source = if change == 4 { SourceKey([2; 32]) } else { SOURCE };
            let mut objects = objects;
            let key = pick.get(&objects.keys().cloned().collect::<Vec<_>>()).clone();
            let (size, is_minimum, modified_ms) = objects.remove(&key).unwrap();
            match change {
                0 => objects.insert(key, (size ^ 1, is_minimum, modified_ms)),
                1 => objects.insert(key, (size, !is_minimum, modified_ms)),
                2 => objects.insert(key, (size, is_minimum, modified_ms ^ 1)),
                3 => {
                    let longer = [&key[..], b"longer"].concat();
                    objects.insert(longer, (size, is_minimum, modified_ms))
                }
                _ => objects.insert(key, (size, is_minimum, modified_ms)),
            };
            let after = shard(source, &sizes(&objects), limits::TASK_OBJECTS_MAX).unwrap();
            let identity = PlanIdentity { source_version: 1, replica_version: None, options: b"" };
            prop_assert_ne!(plan_digest(&identity, &before), plan_digest(&identity, &after));
            let names = |shards: &[Shard]| -> Vec<_> {
                shards.iter().map(|task| task.fingerprint).collect()
            };
            prop_assert_ne!(names(&before), names(&after));
        }
    }

    #[test]
    fn a_large_object_does_not_end_the_pack_around_it() {
        let large = limits::LARGE_OBJECT_BYTES_MIN;
        let sized = |key, size| ObjectSize { key, size, size_is_minimum: false, modified_ms: 0 };
        let shards = shard(
            SOURCE,
            &[sized(&b"a"[..], 1), sized(b"b", large), sized(b"c", 2), sized(b"d", large - 1)],
            limits::TASK_OBJECTS_MAX,
        );
        let packs: Vec<_> = shards.unwrap().into_iter().map(|task| task.objects).collect();
        assert_eq!(packs, [vec![0, 2, 3], vec![1]]);
    }

    #[test]
    fn a_task_is_filled_up_to_its_bounds() {
        let lengths = |count: u16, size: u64| -> Vec<usize> {
            let keys: Vec<[u8; 2]> = (0..count).map(u16::to_be_bytes).collect();
            let (size_is_minimum, modified_ms) = (false, 0);
            let sized = |key| ObjectSize { key, size, size_is_minimum, modified_ms };
            let objects: Vec<_> = keys.iter().map(|key| sized(&key[..])).collect();
            let tasks = shard(SOURCE, &objects, limits::TASK_OBJECTS_MAX).unwrap();
            tasks.iter().map(|task| task.objects.len()).collect()
        };
        let objects_max = limits::TASK_OBJECTS_MAX;
        let count = u16::try_from(objects_max).unwrap();
        assert_eq!(lengths(count, 1), [objects_max]);
        assert_eq!(lengths(count + 1, 1), [objects_max, 1]);
        assert_eq!(lengths(8, limits::TASK_BYTES_MAX / 8), [8]);
        assert_eq!(lengths(9, limits::TASK_BYTES_MAX / 8), [8, 1]);
        assert_eq!(lengths(8, limits::TASK_BYTES_MAX / 8 + 1), [7, 1]);
    }

    #[test]
    fn unsorted_and_repeated_keys_are_refused() {
        let sized = |key: &'static [u8]| ObjectSize {
            key,
            size: 1,
            size_is_minimum: false,
            modified_ms: 0,
        };
        for keys in [[b"b", b"a"], [b"a", b"a"]] {
            let refused = shard(SOURCE, &[sized(keys[0]), sized(keys[1])], 2).unwrap_err();
            assert_eq!(refused, ShardError::NotSorted { index: 1, key: "a".to_owned() });
        }
    }

    #[test]
    fn a_plan_is_identified_by_everything_that_decides_it() {
        let identity = |source_version, replica_version, options| PlanIdentity {
            source_version,
            replica_version,
            options,
        };
        let identities = [
            identity(1, None, &b""[..]),
            identity(2, None, b""),
            identity(1, Some(0), b""),
            identity(1, Some(1), b""),
            identity(1, None, b"x"),
        ];
        let digests: std::collections::BTreeSet<_> =
            identities.iter().map(|identity| plan_digest(identity, &[])).collect();
        assert_eq!(digests.len(), identities.len());
    }
}
