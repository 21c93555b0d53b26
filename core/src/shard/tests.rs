//! Properties of the packing, and tables of its bounds.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Objects = BTreeMap<Vec<u8>, (u64, bool, i64)>;

const SOURCE: SourceKey = SourceKey([1; 32]);
/// No object is shared.
const WHOLE: Packing =
    Packing { task_objects_max: limits::TASK_OBJECTS_MAX, group_bytes_min: None };

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

fn places(task: &Shard) -> Vec<usize> {
    task.objects.places().collect()
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
        let shards = shard(SOURCE, &sizes[..], WHOLE).unwrap();
        let places = shards.iter().flat_map(|task| task.objects.places());
        let mut places: Vec<usize> = places.collect();
        places.sort_unstable();
        prop_assert!(places.into_iter().eq(0..sizes.len()));
        prop_assert_eq!(count_tasks(&sizes[..], WHOLE), shards.len());
        for task in &shards {
            let bytes = task.objects.places().map(|place| sizes[place].size).sum::<u64>();
            prop_assert_eq!(task.bytes, bytes);
            let large = sizes[task.objects.first()].size >= limits::LARGE_OBJECT_BYTES_MIN;
            prop_assert!(task.objects.count() <= limits::TASK_OBJECTS_MAX);
            prop_assert!(task.bytes <= limits::TASK_BYTES_MAX || task.objects.count() == 1);
            prop_assert!(!large || task.objects.count() == 1);
            prop_assert!(task.objects.places().is_sorted());
        }
        prop_assert!(shards.is_sorted_by_key(|task| task.objects.first()));
        prop_assert_eq!(&shard(SOURCE, &sizes[..], WHOLE).unwrap(), &shards);
    }

    #[test]
    fn another_content_is_another_name(
        objects in objects(), pick in any::<prop::sample::Index>(), change in 0..5,
    ) {
        prop_assume!(!objects.is_empty());
        let before = shard(SOURCE, &sizes(&objects)[..], WHOLE).unwrap();
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
        let after = shard(source, &sizes(&objects)[..], WHOLE).unwrap();
        let identity = PlanIdentity {
            source_version: 1,
            replica_version: None,
            options: b"",
            group_bytes_min: None,
        };
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
        &[sized(&b"a"[..], 1), sized(b"b", large), sized(b"c", 2), sized(b"d", large - 1)][..],
        WHOLE,
    );
    let packs: Vec<_> = shards.unwrap().into_iter().map(|task| places(&task)).collect();
    assert_eq!(packs, [vec![0, 2, 3], vec![1]]);
}

#[test]
fn a_task_is_filled_up_to_its_bounds() {
    let lengths = |count: u16, size: u64| -> Vec<usize> {
        let keys: Vec<[u8; 2]> = (0..count).map(u16::to_be_bytes).collect();
        let (size_is_minimum, modified_ms) = (false, 0);
        let sized = |key| ObjectSize { key, size, size_is_minimum, modified_ms };
        let objects: Vec<_> = keys.iter().map(|key| sized(&key[..])).collect();
        let tasks = shard(SOURCE, &objects[..], WHOLE).unwrap();
        tasks.iter().map(|task| task.objects.count()).collect()
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
    let sized =
        |key: &'static [u8]| ObjectSize { key, size: 1, size_is_minimum: false, modified_ms: 0 };
    for keys in [[b"b", b"a"], [b"a", b"a"]] {
        let refused = shard(SOURCE, &[sized(keys[0]), sized(keys[1])][..], WHOLE).unwrap_err();
        assert_eq!(refused, ShardError::NotSorted { index: 1, key: "a".to_owned() });
    }
}

#[test]
fn a_plan_is_identified_by_everything_that_decides_it() {
    let identity = |source_version, replica_version, options| PlanIdentity {
        source_version,
        replica_version,
        options,
        group_bytes_min: None,
    };
    let identities = [
        identity(1, None, &b""[..]),
        identity(2, None, b""),
        identity(1, Some(0), b""),
        identity(1, Some(1), b""),
        identity(1, None, b"x"),
        PlanIdentity { group_bytes_min: Some(1), ..identity(1, None, b"") },
        PlanIdentity { group_bytes_min: Some(2), ..identity(1, None, b"") },
    ];
    let digests: std::collections::BTreeSet<_> =
        identities.iter().map(|identity| plan_digest(identity, &[])).collect();
    assert_eq!(digests.len(), identities.len());
}

#[test]
fn a_shared_object_is_an_opening_then_its_parts_then_an_end() {
    use GroupStep::{Finish, Open, Parts};
    let packing = Packing { group_bytes_min: Some(160), ..WHOLE };
    let sized = |key, size| ObjectSize { key, size, size_is_minimum: false, modified_ms: 7 };
    let bounded = ObjectSize { size_is_minimum: true, ..sized(&b"d"[..], 900) };
    let objects = [sized(b"a", 159), sized(b"b", 165), sized(b"c", 160), bounded];
    let shards = shard(SOURCE, &objects[..], packing).unwrap();
    assert_eq!(count_tasks(&objects[..], packing), shards.len());
    assert_eq!(places(&shards[0]), [0, 3], "what only a bound is known of is not shared");
    assert_eq!(shards[0].shared, None);
    let mut rest = shards[1..].iter();
    for (index, object, count) in [(1, 0, 17), (2, 1, 16)] {
        let group: Vec<_> = rest.by_ref().take(count + 2).collect();
        let steps: Vec<_> =
            group.iter().map(|task| task.shared.as_ref().unwrap().place.step).collect();
        assert_eq!((steps[0], steps[count + 1]), (Open, Finish));
        assert!(steps[1..=count].iter().all(|step| *step == Parts));
        assert!(group.iter().all(|task| places(task) == [index]));
        assert!(group.iter().all(|task| task.shared.as_ref().unwrap().place.group == object));
        let bytes: u64 = group.iter().map(|task| task.bytes).sum();
        assert_eq!(bytes, objects[index].size);
        let done: usize = group.iter().map(|task| task.objects_done()).sum();
        assert_eq!(done, 1);
    }
    assert!(rest.next().is_none());
}

#[test]
fn every_step_has_a_name_of_its_own_that_follows_from_its_content() {
    let names = |size, modified_ms, group_bytes_min| -> Vec<TaskFingerprint> {
        let object = ObjectSize { key: b"a", size, size_is_minimum: false, modified_ms };
        let packing = Packing { group_bytes_min, ..WHOLE };
        let shards = shard(SOURCE, &[object][..], packing).unwrap();
        shards.iter().map(|task| task.fingerprint).collect()
    };
    let first = names(320, 1, Some(320));
    assert_eq!(first, names(320, 1, Some(320)));
    let mut all = first.clone();
    for others in [
        names(321, 1, Some(320)),
        names(320, 2, Some(320)),
        // Other parts.
        names(320, 1, Some(160)),
        names(320, 1, None),
    ] {
        assert!(others.iter().all(|other| !first.contains(other)));
        all.extend(others);
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
