//! Each kind of store with the names that it cannot hold: rewritten, refused, or kept.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use crate::actions::DeletionVector;

fn table(uri: &str) -> TableStore {
    let root = uri.split_once("://").map_or(uri, |(_, path)| path);
    let root = Path::parse(root.trim_start_matches('/')).unwrap();
    TableStore { store: Arc::new(InMemory::new()), root, uri: uri.to_owned(), large: None }
}

fn add(path: &str) -> Add {
    Add {
        path: path.to_owned(),
        partition_values: Default::default(),
        size: 1,
        modification_time: 1,
        data_change: true,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
        unknown: Default::default(),
    }
}

fn files(source: &TableStore, adds: &[Add]) -> BTreeMap<FileKey, Add> {
    let keyed = adds.iter().map(|add| (FileKey::of_add(&source.uri, add).unwrap(), add.clone()));
    keyed.collect()
}

fn vector(path: &str) -> DeletionVector {
    DeletionVector {
        storage_type: "u".into(),
        path_or_inline: path.into(),
        offset: Some(4),
        size_in_bytes: 40,
        cardinality: 6,
        unknown: Default::default(),
    }
}

const AZURE: &str = "az://box/t";
const LOCAL: &str = "file:///lake/t";
const S3: &str = "s3://bucket/t";

#[test]
fn names_that_a_store_cannot_hold_are_rewritten_the_same_way_each_time() {
    // The target, the path in the source's log, the replica's path.
    for (target, path, wanted) in [
        (AZURE, "name=Acme%20Inc./part-0.parquet", "name=Acme%20Inc-HASH/part-0.parquet"),
        (AZURE, "a.../b.", "a-HASH/b-HASH"),
        (AZURE, "p=back%5C/x", "p=back-HASH/x"),
        (AZURE, "p=a.b/.x", "p=a.b/.x"),
        (LOCAL, "name=Acme%20Inc./x%231", "name=Acme%20Inc./x-HASH"),
        (LOCAL, "x%231/y", "x%231/y"),
        (LOCAL, "x%23a1", "x%23a1"),
        (LOCAL, "x%231%232", "x%231%232"),
        (S3, "a//b///x", "a/empty-HASH/b/empty-HASH/empty-HASH/x"),
        (AZURE, "a//b./x", "a/empty-HASH/b-HASH/x"),
        (LOCAL, "a//x", "a/empty-HASH/x"),
        ("gs://bucket/t", "a//x", "a/empty-HASH/x"),
        (S3, "name=Acme%20Inc./x%231", "name=Acme%20Inc./x%231"),
        ("gs://bucket/t", "name=Acme%20Inc./x%231", "name=Acme%20Inc./x%231"),
    ] {
        let (source, target) = (table("s3://other/s"), table(target));
        let given = files(&source, &[add(path)]);
        let first = replicated(&source, &target, given.clone()).unwrap();
        let (key, found) = first.files.iter().next().unwrap();
        let is_hash = |part: &str| part.len() == 16 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let shown: Vec<String> = found
            .path
            .split('/')
            .map(|segment| match segment.rsplit_once('-') {
                Some((stem, hash)) if is_hash(hash) => format!("{stem}-HASH"),
                _ => segment.to_owned(),
            })
            .collect();
        assert_eq!(shown.join("/"), wanted, "{path}");
        assert_eq!(crate::paths::decode(&target.uri, &found.path).unwrap().key, key.path);
        let is_rewritten = found.path != path;
        let sources: Vec<_> = first.sources.iter().collect();
        let known = given.keys().next().unwrap();
        assert_eq!(sources, if is_rewritten { vec![(&key.path, &known.path)] } else { vec![] });
        let again = replicated(&source, &target, given).unwrap();
        assert_eq!(format!("{again:?}"), format!("{first:?}"));
    }
}

#[test]
fn a_deletion_vectors_prefix_is_rewritten_with_its_identity() {
    let (source, target) = (table("s3://other/s"), table(AZURE));
    let mut with_vector = add("x");
    with_vector.deletion_vector = Some(Box::new(vector("a.^-aqEH.-t@S}K{vb[*k^")));
    let found = replicated(&source, &target, files(&source, &[with_vector])).unwrap();
    let (key, add) = found.files.iter().next().unwrap();
    let (to, from) = found.sources.iter().next().unwrap();
    assert_eq!(from, "a./deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    assert!(to.starts_with("a-") && to.ends_with("-aaf6-d3fe2512ff61.bin"), "{to}");
    assert_eq!(dv::object_of(&target.uri, add).unwrap().unwrap().0, *to);
    assert_eq!(key.path, "x");
    assert_eq!(key.dv, add.deletion_vector.as_deref().map(dv::unique_id));
}

#[test]
fn many_vectors_of_one_object_have_its_one_new_name() {
    let (source, target) = (table("s3://other/s"), table(AZURE));
    let with_vector = |path: &str, offset| {
        let mut add = add(path);
        let vector = vector("a.^-aqEH.-t@S}K{vb[*k^");
        add.deletion_vector = Some(Box::new(DeletionVector { offset: Some(offset), ..vector }));
        add
    };
    let both = files(&source, &[with_vector("x", 1), with_vector("y", 60)]);
    let found = replicated(&source, &target, both).unwrap();
    let objects: std::collections::BTreeSet<String> = found
        .files
        .values()
        .map(|add| dv::object_of(&target.uri, add).unwrap().unwrap().0)
        .collect();
    assert_eq!(objects.iter().collect::<Vec<_>>(), found.sources.keys().collect::<Vec<_>>());
    assert_eq!((found.files.len(), objects.len()), (2, 1));
}

#[test]
fn no_two_keys_meet_and_none_is_read_that_cannot_be() {
    let (source, target) = (table("s3://other/s"), table(AZURE));
    let one = replicated(&source, &target, files(&source, &[add("a./x")])).unwrap();
    let taken = one.files.keys().next().unwrap().path.clone();
    let both = files(&source, &[add("a./x"), add(&taken)]);
    let failure = replicated(&source, &target, both).unwrap_err().failure();
    assert_eq!(failure.reason, Reason::TargetUnsuitable);
    assert_eq!(failure.details["key"], taken);
    // A deletion vector makes another logical file of the same object.
    let mut deleted = add(&taken);
    deleted.deletion_vector = Some(Box::new(vector("ab^-aqEH.-t@S}K{vb[*k^")));
    let both = files(&source, &[add("a./x"), deleted]);
    let failure = replicated(&source, &target, both).unwrap_err().failure();
    assert_eq!((failure.reason, &failure.details["key"]), (Reason::TargetUnsuitable, &taken));
    let apart = files(&source, &[add("a./x"), add("a../x"), add("a/x")]);
    assert_eq!(replicated(&source, &target, apart).unwrap().files.len(), 3);

    let local = table(LOCAL);
    let failure = replicated(&local, &target, files(&local, &[add("p/x%231")])).unwrap_err();
    let failure = failure.failure();
    assert_eq!(failure.reason, Reason::UnsupportedFeature);
    assert!(failure.message.contains("p/x#1"), "{failure}");
}

#[test]
fn a_key_that_is_too_long_is_refused_with_the_bound() {
    let ascii = |length: usize| "x".repeat(length);
    let nested = |length: usize| {
        let byte = |at: usize| if at % 250 == 249 { '/' } else { 'x' };
        (0..length).map(byte).collect::<String>()
    };
    for (uri, key, wanted) in [
        (LOCAL, ascii(255), None),
        (LOCAL, ascii(256), Some("256 bytes, and file systems take 255")),
        (LOCAL, format!("p={}/x", "\u{e9}".repeat(127)), Some("256 bytes")),
        // With the folder, and the slashes before and behind it.
        (LOCAL, nested(4095 - 8), None),
        (LOCAL, nested(4095 - 7), Some("4096 bytes, and the store takes 4095")),
        (S3, format!("{}/{}", ascii(255), ascii(759)), None),
        ("s3://bucket/t", ascii(1024 - 9), None),
        ("s3://bucket/t", ascii(1024 - 8), Some("1025 bytes, and the store takes 1024")),
        ("gs://bucket/t", "\u{e9}".repeat(508), Some("1025 bytes")),
        ("az://box/t", "\u{e9}".repeat(1018), None),
        ("az://box/t", "\u{e9}".repeat(1019), Some("1025 characters")),
    ] {
        // In these tables the bucket's name stands before the folder.
        let target = table(uri);
        let failure = refuse_too_long(&target, &key).err();
        match (&failure, wanted) {
            (None, None) => {}
            (Some(failure), Some(wanted)) => {
                assert_eq!(failure.reason, Reason::TargetUnsuitable);
                assert!(failure.message.contains(wanted), "{failure}");
                assert_eq!(failure.details["key"], key);
                let is_cut = failure.message.contains("…\"");
                assert_eq!(is_cut, key.chars().count() > KEY_CHARS_SHOWN_MAX, "{failure}");
            }
            _ => panic!("{uri} {}: {failure:?}", key.len()),
        }
    }
}
