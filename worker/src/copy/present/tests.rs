//! Objects that may be at the target already: what is read where, and what is replaced.

use deepclone_core::evidence::PriorCopy;
use deepclone_core::ids::Attempt;
use deepclone_core::machine::TaskOutcome;
use deepclone_core::receipt::{Proof, Receipt, TaskFailureKind};
use deepclone_core::task::ObjectCopy;
use object_store::ObjectStoreExt;
use tempfile::TempDir;

use super::super::key::ObjectKey;
use super::super::task::copy_task;
use super::super::tests::{Case, KEY, at, bytes_of, case, case_on_disk, object};
use super::*;

const SIZE: usize = 1_000;

/// A receipt of an earlier copy of `bytes`, with these tags.
fn copied(bytes: &[u8], source_etag: &str, target_etag: &str, replaceable: bool) -> Prior {
    Prior::Copied(PriorCopy {
        crc64nvme: crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes),
        source_etag: source_etag.to_owned(),
        target_etag: target_etag.to_owned(),
        replaceable,
    })
}

async fn run(case: &Case, prior: Prior) -> TaskOutcome {
    copy_task(&case.context, &[ObjectCopy { prior, ..object(SIZE as u64) }]).await
}

async fn done(case: &Case, prior: Prior) -> Receipt {
    match run(case, prior).await {
        TaskOutcome::Done(receipt) => receipt,
        TaskOutcome::Failed(failure) => panic!("{failure:?}"),
    }
}

async fn conflict(case: &Case, prior: Prior) {
    match run(case, prior).await {
        TaskOutcome::Failed(failure) => {
            assert_eq!(failure.kind, TaskFailureKind::TargetConflict);
            assert!(failure.message.contains(KEY), "{}", failure.message);
        }
        TaskOutcome::Done(receipt) => panic!("{receipt:?}"),
    }
}

/// Both sides hold `source` and `target`; their tags.
async fn holding(source: &[u8], target: &[u8]) -> (Case, String, String) {
    let case = case(&[], &[]);
    let put = |store: std::sync::Arc<super::super::tests::Faulty>, bytes: &[u8]| {
        let bytes = bytes.to_vec();
        async move { store.inner.put(&at(), bytes.into()).await.unwrap().e_tag.unwrap() }
    };
    let source = put(std::sync::Arc::clone(&case.source), source).await;
    let target = put(std::sync::Arc::clone(&case.target), target).await;
    (case, source, target)
}

#[tokio::test]
async fn an_earlier_copy_with_unchanged_tags_is_proved_by_two_requests() {
    let body = bytes_of(SIZE);
    let (case, source, target) = holding(&body, &body).await;
    let receipt = done(&case, copied(&body, &source, &target, true)).await;
    assert_eq!((receipt.requests, receipt.bytes_read, receipt.bytes_written), (2, 0, 0));
    assert_eq!((receipt.source_requests, receipt.target_reads), (1, 1));
    let seen = &receipt.objects[0];
    assert!(seen.existed);
    assert_eq!(seen.proof, Proof::Earlier);
    assert_eq!((&seen.source_etag, &seen.target_etag), (&source, &target));
    assert_eq!((case.source.count("get"), case.target.count("get")), (0, 0));
}

#[tokio::test]
async fn an_object_that_was_written_again_is_read_at_the_target_alone() {
    let body = bytes_of(SIZE);
    let (case, source, _) = holding(&body, &body).await;
    let receipt = done(&case, copied(&body, &source, "another", true)).await;
    assert!(receipt.objects[0].existed);
    assert_eq!(receipt.objects[0].proof, Proof::ReadBack);
    assert_eq!((case.source.count("get"), case.target.count("get")), (0, 1));
    assert_eq!(receipt.bytes_read, 0, "nothing of the source");
}

#[tokio::test]
async fn bytes_that_changed_at_either_side_are_a_conflict() {
    let (ours, theirs) = (bytes_of(SIZE), vec![9; SIZE]);
    // The source was replaced since: its tag is another.
    let (replaced, _, target) = holding(&theirs, &ours).await;
    conflict(&replaced, copied(&ours, "as it was", &target, false)).await;
    // Somebody wrote to the target since.
    let (foreign, source, _) = holding(&ours, &theirs).await;
    conflict(&foreign, copied(&ours, &source, "as it was", true)).await;
    // Nothing is known of who wrote it.
    let (unproven, ..) = holding(&ours, &theirs).await;
    conflict(&unproven, Prior::Unproven).await;
    for case in [replaced, foreign, unproven] {
        assert_eq!(case.target.inner.head(&at()).await.unwrap().size, SIZE as u64);
    }
}

#[tokio::test]
async fn what_is_gone_is_copied_and_what_is_there_is_looked_for_from_then_on() {
    let body = bytes_of(SIZE);
    let case = case(&[], &[]);
    case.source.inner.put(&at(), body.to_vec().into()).await.unwrap();
    let receipt = done(&case, copied(&body, "s", "t", true)).await;
    assert!(!receipt.objects[0].existed);
    assert_eq!((case.target.count("head"), case.target.count("put")), (1, 1));

    let receipt = done(&case, Prior::Absent).await;
    assert!(receipt.objects[0].existed);
    assert_eq!((case.target.count("head"), case.target.count("put")), (1, 2));
    done(&case, Prior::Absent).await;
    assert_eq!((case.target.count("head"), case.source.count("head")), (2, 1));
}

/// The worker of the first attempt may have been killed.
#[tokio::test]
async fn an_attempt_after_another_looks_before_it_reads() {
    for (attempt, heads) in [(1, 0), (2, 1)] {
        let mut case = case(&[], &[]);
        case.source.inner.put(&at(), bytes_of(SIZE).into()).await.unwrap();
        case.context.attempt = Attempt(attempt);
        assert!(!done(&case, Prior::Absent).await.objects[0].existed);
        assert_eq!((case.target.count("head"), case.source.count("get")), (heads, 1), "{attempt}");
    }
}

/// A case whose target is a folder that holds `target`; its tag.
async fn on_disk(source: &[u8], target: &[u8]) -> (Case, TempDir, String) {
    let (case, folder) = case_on_disk();
    case.source.inner.put(&at(), source.to_vec().into()).await.unwrap();
    let file = folder.path().join(KEY);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, target).unwrap();
    let key = ObjectKey::new(case.context.target.table(), KEY).unwrap();
    let meta = case.context.target_store().head(&key.path).await.unwrap();
    (case, folder, meta.e_tag.unwrap())
}

#[tokio::test]
async fn only_a_bad_object_of_an_unpublished_sync_is_replaced() {
    let (ours, bad) = (bytes_of(SIZE), vec![9; SIZE]);
    let (case, folder, etag) = on_disk(&ours, &bad).await;
    conflict(&case, copied(&bad, "before", &etag, false)).await;
    conflict(&case, copied(&bad, "before", "another", true)).await;
    assert_eq!(std::fs::read(folder.path().join(KEY)).unwrap(), bad);

    let receipt = done(&case, copied(&bad, "before", &etag, true)).await;
    assert!(!receipt.objects[0].existed);
    assert_eq!(std::fs::read(folder.path().join(KEY)).unwrap(), ours);
    assert_ne!(receipt.objects[0].target_etag, "", "a file has a tag, too");

    let shorter = &ours[1..];
    let (case, folder, etag) = on_disk(&ours, shorter).await;
    done(&case, copied(shorter, "before", &etag, true)).await;
    assert_eq!(std::fs::read(folder.path().join(KEY)).unwrap(), ours);
}

#[tokio::test]
async fn a_deletion_spares_another_object() {
    let (case, folder, etag) = on_disk(b"source", b"first").await;
    let target = &case.context.target;
    let key = ObjectKey::new(target.table(), KEY).unwrap();
    for other in [ETag::new("another"), None] {
        let error = target.delete(&key, other.as_ref()).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Precondition);
        assert!(folder.path().join(KEY).exists());
    }
    let etag = ETag::new(etag);
    target.delete(&key, etag.as_ref()).await.unwrap();
    target.delete(&key, etag.as_ref()).await.expect("what is gone is fine");
}

#[tokio::test]
async fn what_an_earlier_attempt_wrote_is_told_from_what_was_there_before_the_job() {
    let body = bytes_of(SIZE);
    for (attempt, prior, expected) in [
        (1, Prior::Absent, 0),
        (2, Prior::Absent, 1),
        (2, Prior::Unproven, 0),
        (2, copied(&body, "another", "another", true), 0),
    ] {
        let (mut case, ..) = holding(&body, &body).await;
        case.context.attempt = Attempt(attempt);
        let receipt = done(&case, prior.clone()).await;
        assert!(receipt.objects[0].existed);
        assert_eq!(receipt.objects_written_before, expected, "{attempt} {prior:?}");
    }
    let mut fresh = case(&[], &[]);
    fresh.source.inner.put(&at(), body.to_vec().into()).await.unwrap();
    fresh.context.attempt = Attempt(2);
    assert_eq!(done(&fresh, Prior::Absent).await.objects_written_before, 0, "written by this one");
}
