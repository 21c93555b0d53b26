//! Objects that the store copies by itself: when it is asked, what proves its copy, and what flows
//! all the same.

use crc_fast::CrcAlgorithm;
use deepclone_common::connections::OneStore;
use deepclone_common::store::copying::CopySource;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::limits::{COPIED_PART_BYTES_MIN, HELD_OBJECT_BYTES_MAX};
use deepclone_core::receipt::Proof;

use super::*;

mod azure;
mod google;

const SIZE: u64 = HELD_OBJECT_BYTES_MAX + 7;

/// What a store says of the checksums of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// In the answers to a HEAD, not to a completion.
    InHeads,
    /// In the answers to completions, too.
    InCompletions,
}

fn crc64nvme(bytes: &[u8]) -> StoredChecksum {
    StoredChecksum::Crc64Nvme(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes))
}

/// A case of one store, which says checksums of the source's objects.
fn one_store(target: Faults<'_>, says: Option<Says>) -> Case {
    let mut case = case(&[], target);
    case.source.says_of_objects.set(crc64nvme).unwrap();
    if says.is_some() {
        case.target.says_of_objects.set(crc64nvme).unwrap();
    }
    if says == Some(Says::InCompletions) {
        case.target.says_of_uploads.set(crc64nvme).unwrap();
    }
    case.target.other_side.set(Arc::clone(&case.source)).unwrap();
    case.context.one_store = Some(OneStore::new(CopySource::S3(BUCKET.to_owned())));
    case
}

fn body() -> Bytes {
    bytes_of(usize::try_from(SIZE).unwrap())
}

/// Whether the store is still asked to copy by itself.
fn is_asked(case: &Case) -> bool {
    case.context.one_store.as_ref().unwrap().may_copy()
}

#[tokio::test]
async fn no_byte_passes_the_worker() {
    for (size, says, parts, heads, gets) in [
        (SIZE, Some(Says::InCompletions), 1, 0, 0),
        (SIZE, Some(Says::InHeads), 1, 1, 0),
        // It says nothing of its copy, which is read back.
        (SIZE, None, 1, 1, 1),
        (COPIED_PART_BYTES_MIN + 9, Some(Says::InCompletions), 2, 0, 0),
    ] {
        let case = one_store(&[], says);
        let receipt = case.done(&bytes_of(usize::try_from(size).unwrap())).await;
        assert_eq!((receipt.bytes_read, receipt.bytes_written), (0, size), "{says:?}");
        assert_eq!(receipt.objects_copied_by_store, 1, "{says:?}");
        assert!(!receipt.objects[0].existed, "{says:?}");
        let proof = if gets > 0 { Proof::ReadBack } else { Proof::StoredChecksum };
        assert_eq!(receipt.objects[0].proof, proof, "{says:?}");
        let sent = ["head", "upload", "copy", "complete", "get", "put", "part", "abort"];
        let sent = sent.map(|kind| case.target.count(kind));
        assert_eq!(sent, [heads, 1, parts, 1, gets, 0, 0, 0], "{size} {says:?}");
        assert_eq!((case.source.count("head"), case.source.count("get")), (1, 0), "{says:?}");
        assert_eq!(receipt.requests, 1 + heads + 1 + parts + 1 + gets, "{says:?}");
        assert_eq!((receipt.source_requests, receipt.target_reads), (1, heads + gets), "{says:?}");
    }
}

#[tokio::test]
async fn small_objects_and_those_without_a_stored_checksum_flow() {
    let small = one_store(&[], Some(Says::InCompletions));
    let size = usize::try_from(HELD_OBJECT_BYTES_MAX).unwrap();
    let receipt = small.done(&bytes_of(size)).await;
    assert_eq!((receipt.requests, receipt.objects_copied_by_store), (2, 0));

    let mut silent = case(&[], &[]);
    silent.context.one_store = Some(OneStore::new(CopySource::S3(BUCKET.to_owned())));
    let receipt = silent.done(&body()).await;
    assert_eq!((receipt.requests, receipt.objects_copied_by_store), (3, 0));
    assert_eq!((silent.target.count("upload"), receipt.bytes_read), (0, SIZE));
    assert!(is_asked(&silent));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_flows_and_it_is_asked_once() {
    for status in [400, 403, 404, 501] {
        let case = one_store(&[("copy", 1, Fault::Status(status))], Some(Says::InCompletions));
        let receipt = case.done(&body()).await;
        assert_eq!((receipt.bytes_read, receipt.objects_copied_by_store), (SIZE, 0), "{status}");
        let counts = ["copy", "abort", "put"].map(|kind| case.target.count(kind));
        assert_eq!(counts, [1, 1, 1], "{status}");
        assert!(!is_asked(&case), "{status}");

        case.target.inner.delete(&at()).await.unwrap();
        case.done(&body()).await;
        assert_eq!((case.target.count("copy"), case.source.count("head")), (1, 1), "{status}");
    }
    // A client that cannot ask.
    let mut plain = case(&[], &[]);
    plain.source.says_of_objects.set(crc64nvme).unwrap();
    plain.context.one_store = Some(OneStore::new(CopySource::S3(BUCKET.to_owned())));
    assert_eq!(plain.done(&body()).await.bytes_read, SIZE);
    assert!(!is_asked(&plain));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_busy_is_asked_again() {
    let slow = one_store(&[("copy", 1, Fault::Throttle)], Some(Says::InCompletions));
    let receipt = slow.done(&body()).await;
    assert_eq!((receipt.objects_copied_by_store, slow.target.count("copy")), (1, 2));

    let faults: Vec<_> = (1..20).map(|number| ("copy", number, Fault::Throttle)).collect();
    let busy = one_store(&faults, Some(Says::InCompletions));
    busy.source.inner.put(&at(), body().into()).await.unwrap();
    assert_eq!(busy.failed(SIZE).await.0, TaskFailureKind::Throttled);
    assert_eq!(busy.target.count("copy"), Patience::OBJECT.attempts_max);
    assert_eq!(busy.target.count("abort"), 1);
    assert!(is_asked(&busy));

    let faults: Vec<_> = (1..20).map(|number| ("copy", number, Fault::Status(500))).collect();
    let broken = one_store(&faults, Some(Says::InCompletions));
    assert_eq!(broken.done(&body()).await.bytes_read, SIZE);
    assert!(!is_asked(&broken));
}

#[tokio::test]
async fn a_source_that_is_not_the_planned_one_leaves_no_object() {
    let replaced = one_store(&[("copy", 1, Fault::Status(412))], Some(Says::InCompletions));
    let other_length = one_store(&[], Some(Says::InCompletions));
    for (case, size, aborts) in [(&replaced, SIZE, 1), (&other_length, SIZE + 1, 0)] {
        case.source.inner.put(&at(), body().into()).await.unwrap();
        assert_eq!(case.failed(size).await.0, TaskFailureKind::SourceChanged);
        assert_eq!(case.target.count("abort"), aborts);
        assert!(case.target.inner.head(&at()).await.is_err());
        assert!(is_asked(case));
    }
    let missing = one_store(&[], Some(Says::InCompletions));
    assert_eq!(missing.failed(SIZE).await.0, TaskFailureKind::SourceNotFound);
}

#[tokio::test]
async fn a_copy_of_other_bytes_is_found_out() {
    for says in [Some(Says::InCompletions), Some(Says::InHeads), None] {
        let case = one_store(&[("copy", 1, Fault::OtherBytes)], says);
        case.source.inner.put(&at(), body().into()).await.unwrap();
        assert_eq!(case.failed(SIZE).await.0, TaskFailureKind::Corrupt, "{says:?}");
    }
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let other = Bytes::from_static(b"other");
    for (there, kind) in [(body(), None), (other, Some(TaskFailureKind::TargetConflict))] {
        let case = one_store(&[], Some(Says::InCompletions));
        case.target.inner.put(&at(), there.clone().into()).await.unwrap();
        match kind {
            None => {
                let receipt = case.done(&body()).await;
                assert!(receipt.objects[0].existed);
                assert_eq!((receipt.objects_copied_by_store, receipt.bytes_read), (0, 0));
            }
            Some(kind) => {
                case.source.inner.put(&at(), body().into()).await.unwrap();
                assert_eq!(case.failed(SIZE).await.0, kind);
            }
        }
        let kept = case.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
        assert!(kept == there);
        assert_eq!(case.target.count("upload"), case.target.count("abort"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_nobody_wants_any_more_is_given_up() {
    let slow = &[("copy", 1, Fault::Slow)][..];
    let says = Some(Says::InCompletions);
    for (name, case, aborts) in [
        ("s3", one_store(slow, says), 1),
        ("azure", azure::one_account(slow, true), 1),
        ("google", google::one_google(slow, true), 0),
    ] {
        case.source.inner.put(&at(), body().into()).await.unwrap();
        let stop = case.context.stop.clone();
        let stopped = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            stop.cancel();
        };
        let (failed, ()) = tokio::join!(case.failed(SIZE), stopped);
        assert_eq!(failed.0, TaskFailureKind::LeaseExpired, "{name}");
        assert_eq!((case.target.count("copy"), case.target.count("abort")), (1, aborts), "{name}");
        assert!(case.target.inner.head(&at()).await.is_err(), "{name}");
        assert!(is_asked(&case), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_copy_starts_after_the_lease() {
    let mut case = one_store(&[], Some(Says::InCompletions));
    case.context.lease = Arc::new(LeaseClock::new(Instant::now(), Duration::from_secs(1)));
    tokio::time::advance(Duration::from_secs(2)).await;
    case.source.inner.put(&at(), body().into()).await.unwrap();
    assert_eq!(case.failed(SIZE).await.0, TaskFailureKind::LeaseExpired);
    assert_eq!(case.target.count("upload"), 0);
}
