//! Names, metadata and listings as stores have them.

use deepclone_tests::stub_store::{Kind, Lie, Manners, Rule};

use crate::bench::{Bench, FLOWING, LARGE, SMALL};

const KEY: &str = "a.parquet";

#[test]
fn names_are_carried_letter_by_letter() {
    let names = [
        "p=a+b/x y.parquet",
        "p=100%/a%20b.parquet",
        "p=\u{e9}/x.parquet",
        "p=e\u{301}/x.parquet",
        "p=back\\slash/x.parquet",
        "p=dots../x.",
        ".hidden",
        "a",
        "a/b",
    ];
    let bench = Bench::new(&names.map(|name| (name, SMALL)));
    bench.is_copied(&bench.clone_table(), "odd names");
}

#[test]
fn metadata_of_an_object_is_no_part_of_a_table() {
    for (name, value) in [
        ("x-amz-meta-own-er", "somebody"),
        ("content-type", "application/x-own"),
        ("cache-control", "no-store"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ] {
        for size in [SMALL, FLOWING, LARGE] {
            let case = format!("{name}, {size} bytes");
            let with = |kind| Rule::always(kind, Lie::Header(name, Some(value))).on(KEY);
            let bench = Bench::of(size).source_lies([with(Kind::Get), with(Kind::Head)]);
            bench.is_copied(&bench.clone_table(), &case);
            for kind in [Kind::Put, Kind::PutPart, Kind::CreateUpload, Kind::Complete] {
                for seen in bench.target.seen_of(kind, KEY) {
                    assert_ne!(seen.headers.get(name).map(String::as_str), Some(value), "{case}");
                }
            }
        }
    }
}

#[test]
fn a_listing_in_no_order_is_the_same_log() {
    let manners = || Manners { lists_backwards: true, ..Manners::default() };
    let bench = Bench::with(&[(KEY, SMALL)], manners(), manners());
    let commit = |version: u64| {
        let name = format!("t/_delta_log/{version:020}.json");
        bench.source.put(&name, "{\"commitInfo\":{\"operation\":\"WRITE\"}}\n");
    };
    (1..=12).for_each(commit);
    let ended = bench.clone_table();
    bench.is_copied(&ended, "the first sync");
    assert_eq!(ended.object["source_version"], 12, "{}", ended.object);
    (13..=14).for_each(commit);
    for up_to_date in [false, true] {
        let ended = bench.clone_table();
        bench.is_copied(&ended, "a later sync");
        assert_eq!(ended.object["source_version"], 14, "{}", ended.object);
        assert_eq!(ended.object["up_to_date"], up_to_date, "{}", ended.object);
        assert_eq!(bench.target.seen_of(Kind::Put, KEY).len(), 1, "copied again");
    }
}
