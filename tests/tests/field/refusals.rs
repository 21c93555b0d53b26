//! What lasts: each cause is said in its own words, with the object, and costs few requests.

use deepclone_tests::stub_store::{Kind, Manners, Rule, StoreAnswer, error};

use crate::bench::{Bench, FLOWING, LARGE, SMALL};

const KEY: &str = "a.parquet";

/// A small object and one that flows, in turn: the same code reads their answers.
const SIZES: [usize; 2] = [SMALL, FLOWING];

/// Every request of this kind for the object is refused.
fn refuses(kind: Kind, answer: &StoreAnswer) -> Rule {
    Rule::always(kind, answer.clone()).on(KEY)
}

#[test]
fn a_source_that_does_not_give_an_object_says_why() {
    let archived = error(403, "InvalidObjectState");
    let archived = archived.saying("The operation is not valid for the object's storage class");
    let kms = error(403, "AccessDenied").saying("not authorized to perform: kms:Decrypt");
    let cases = [
        (archived, &["archived", "storage class"][..]),
        (error(409, "BlobArchived"), &["archived"]),
        (error(403, "AccessDenied"), &["refuses our credentials", "AccessDenied"]),
        (kms, &["KMS", "kms:Decrypt"]),
        (error(400, "KMS.DisabledException"), &["KMS", "DisabledException"]),
        (error(409, "Whatever"), &["does not give the object", "Whatever"]),
        (error(404, "NoSuchBucket"), &["bucket or container does not exist"]),
        (error(501, "NotImplemented"), &["does not support"]),
    ];
    for ((answer, parts), size) in cases.into_iter().zip(SIZES.into_iter().cycle()) {
        let bench = Bench::of(size).source_lies([refuses(Kind::Get, &answer)]);
        let ended = bench.clone_table();
        let case = format!("{answer:?}, {size} bytes");
        bench.is_refused(&ended, &[&[KEY, "from the source"], parts].concat(), &case);
        assert!(!ended.message().contains("exists already"), "{case}");
        // Each of two workers is asked once.
        assert!(bench.source.seen_of(Kind::Get, KEY).len() <= 2, "{case}");
        assert!(bench.data().is_empty(), "{case}");
    }
}

#[test]
fn a_target_that_does_not_take_an_object_says_why() {
    let worm = error(400, "InvalidRequest");
    let worm = worm.saying("Object is WORM protected and cannot be overwritten");
    let kms = error(403, "AccessDenied").saying("not authorized to perform: kms:GenerateDataKey");
    let cases = [
        (error(409, "BlobImmutableDueToPolicy"), &["retention policy"][..]),
        (worm, &["lock", "WORM"]),
        (error(412, "LeaseIdMissing"), &["lease"]),
        (error(409, "ResourceTypeMismatch"), &["in the way"]),
        (error(409, "XMinioObjectExistsAsDirectory"), &["in the way"]),
        (error(409, "Whatever"), &["does not take the object", "Whatever"]),
        (error(507, "XMinioStorageFull"), &["full", "quota"]),
        (error(403, "QuotaExceeded"), &["quota"]),
        (error(403, "AccessDenied"), &["refuses our credentials"]),
        (kms, &["KMS", "kms:GenerateDataKey"]),
        (error(404, "NoSuchBucket"), &["bucket or container does not exist"]),
        (error(501, "NotImplemented"), &["does not support"]),
    ];
    for ((answer, parts), size) in cases.into_iter().zip(SIZES.into_iter().cycle()) {
        let bench = Bench::of(size).target_lies([refuses(Kind::Put, &answer)]);
        let ended = bench.clone_table();
        let case = format!("{answer:?}, {size} bytes");
        bench.is_refused(&ended, &[&[KEY, "to the target"], parts].concat(), &case);
        assert!(bench.target.seen_of(Kind::Put, KEY).len() <= 2, "{case}");
        assert!(bench.target.seen_of(Kind::Get, KEY).is_empty(), "{case}: it is not there");
    }
}

#[test]
fn a_target_that_ignores_conditions_is_refused_before_the_first_object() {
    let manners = Manners { ignores_conditions: true, ..Manners::default() };
    let bench = Bench::with(&[(KEY, SMALL)], Manners::default(), manners);
    bench.is_refused(&bench.clone_table(), &["ignores put-if-absent"], "no conditions");
    assert!(bench.data().is_empty());
}

#[test]
fn a_region_is_named() {
    let moved = error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-west-1");
    let there = error(307, "TemporaryRedirect").with("Location", "http://127.0.0.1:1/other");
    for (answer, part) in [(moved, "region eu-west-1"), (there, "127.0.0.1:1/other")] {
        let bench = Bench::of(SMALL).source_lies([
            Rule::always(Kind::List, answer.clone()),
            Rule::always(Kind::Get, answer.clone()),
            Rule::always(Kind::Head, answer.clone()),
        ]);
        let ended = bench.clone_table();
        bench.is_refused(&ended, &[part], &format!("source, {answer:?}"));
        assert!(ended.message().contains("s3://lake/t"), "{}", ended.message());

        let bench = Bench::of(SMALL).target_lies([
            Rule::always(Kind::Put, answer.clone()),
            Rule::always(Kind::List, answer.clone()),
        ]);
        bench.is_refused(&bench.clone_table(), &[part], &format!("target, {answer:?}"));
        assert!(bench.data().is_empty());
    }
}

#[test]
fn parts_are_refused_by_name_and_leave_no_upload() {
    // A key policy that allows GenerateDataKey and not Decrypt: small objects work.
    let kms = error(403, "AccessDenied").saying("not authorized to perform: kms:Decrypt");
    for (kind, answer, part) in [
        (Kind::PutPart, kms, "kms:Decrypt"),
        (Kind::CreateUpload, error(507, "XMinioStorageFull"), "full"),
        (Kind::Complete, error(409, "BlobImmutableDueToPolicy"), "retention policy"),
    ] {
        let bench = Bench::new(&[(KEY, LARGE), ("b.parquet", SMALL)]);
        let bench = bench.target_lies([refuses(kind, &answer)]);
        bench.is_refused(&bench.clone_table(), &[KEY, part], &format!("{kind:?}"));
    }
}
