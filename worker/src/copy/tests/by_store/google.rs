//! The same of Google Cloud Storage: it makes the object, which is read back.

use super::*;

fn crc32c(bytes: &[u8]) -> StoredChecksum {
    let crc32c = crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes);
    StoredChecksum::Crc32c(u32::try_from(crc32c).unwrap())
}

/// A case of one store. `says`: its objects have a CRC-32C.
pub(super) fn one_google(target: Faults<'_>, says: bool) -> Case {
    let mut case = case(&[], target);
    if says {
        case.source.says_of_objects.set(crc32c).unwrap();
        case.target.says_of_objects.set(crc32c).unwrap();
    }
    case.target.other_side.set(Arc::clone(&case.source)).unwrap();
    case.context.one_store = Some(OneStore::new(CopySource::Google(BUCKET.to_owned())));
    case
}

/// Requests to the target: copies, reads, looks, and all writes of other kinds.
fn sent(case: &Case) -> [u32; 4] {
    let count = |kinds: &[&str]| kinds.iter().map(|kind| case.target.count(kind)).sum();
    [count(&["copy"]), count(&["get"]), count(&["head"]), count(&["put", "upload", "part"])]
}

#[tokio::test]
async fn the_copy_is_made_by_the_store_and_its_bytes_have_the_checksum_of_the_source() {
    for verification in [Verification::Digest, Verification::ReadBack, Verification::Size] {
        for (faults, steps) in
            [(&[][..], 1), (&[("copy", 1, Fault::More(1)), ("copy", 2, Fault::More(2))][..], 3)]
        {
            let mut case = one_google(faults, true);
            case.context.verification = verification;
            let receipt = case.done(&body()).await;
            let object = &receipt.objects[0];
            assert_eq!(
                (object.proof, object.existed),
                (Proof::ReadBack, false),
                "{verification:?}"
            );
            assert_eq!((receipt.bytes_read, receipt.bytes_written), (0, SIZE));
            assert_eq!(receipt.objects_copied_by_store, 1);
            assert_eq!(sent(&case), [steps, 1, 0, 0], "{verification:?}");
            assert_eq!((case.source.count("head"), case.source.count("get")), (1, 0));
            assert_eq!(receipt.requests, 1 + steps + 1);
            assert_eq!((receipt.source_requests, receipt.target_reads), (1, 1));
            let kept = case.target.inner.head(&at()).await.unwrap();
            assert_eq!(object.target_etag, kept.e_tag.unwrap());
        }
    }
}

#[tokio::test]
async fn a_copy_of_other_bytes_is_found_out() {
    for fault in [Fault::OtherBytes, Fault::Half] {
        let case = one_google(&[("copy", 1, fault)], true);
        case.source.inner.put(&at(), body().into()).await.unwrap();
        let (kind, message) = case.failed(SIZE).await;
        assert_eq!(kind, TaskFailureKind::Corrupt, "{fault:?}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_flows_and_it_is_asked_once() {
    let stalls = &[("copy", 1, Fault::More(5)), ("copy", 2, Fault::More(5))][..];
    let cases: [(Faults<'_>, u32); 5] = [
        (&[("copy", 1, Fault::Status(400))], 1),
        (&[("copy", 1, Fault::Status(403))], 1),
        (&[("copy", 1, Fault::Status(404))], 1),
        (&[("copy", 1, Fault::Status(501))], 1),
        (stalls, 2),
    ];
    for (faults, copies) in cases {
        let case = one_google(faults, true);
        let receipt = case.done(&body()).await;
        assert_eq!((receipt.bytes_read, receipt.objects_copied_by_store), (SIZE, 0), "{faults:?}");
        assert_eq!(sent(&case), [copies, 0, 0, 1], "{faults:?}");
        assert!(!is_asked(&case), "{faults:?}");
        case.target.inner.delete(&at()).await.unwrap();
        case.done(&body()).await;
        assert_eq!((case.target.count("copy"), case.source.count("head")), (copies, 1));
    }
    let silent = one_google(&[], false);
    let receipt = silent.done(&body()).await;
    assert_eq!((receipt.objects_copied_by_store, silent.target.count("copy")), (0, 0));
    assert!(is_asked(&silent));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_busy_is_asked_again() {
    let slow = one_google(&[("copy", 1, Fault::Throttle)], true);
    let receipt = slow.done(&body()).await;
    assert_eq!((receipt.objects_copied_by_store, slow.target.count("copy")), (1, 2));

    let faults: Vec<_> = (1..20).map(|number| ("copy", number, Fault::Throttle)).collect();
    let busy = one_google(&faults, true);
    busy.source.inner.put(&at(), body().into()).await.unwrap();
    assert_eq!(busy.failed(SIZE).await.0, TaskFailureKind::Throttled);
    assert_eq!(busy.target.count("copy"), Patience::OBJECT.attempts_max);
    assert!(is_asked(&busy));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_overwritten_and_a_lost_answer_is_settled() {
    let other = Bytes::from_static(b"other");
    let there = one_google(&[], true);
    there.source.inner.put(&at(), body().into()).await.unwrap();
    there.target.inner.put(&at(), other.clone().into()).await.unwrap();
    assert_eq!(there.failed(SIZE).await.0, TaskFailureKind::TargetConflict);
    let kept = there.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
    assert_eq!(kept, other);

    let lost = one_google(&[("copy", 1, Fault::LoseAnswer)], true);
    let receipt = lost.done(&body()).await;
    assert!(receipt.objects[0].existed);
    assert_eq!(receipt.objects_written_before, 1);

    // Of another generation than the one that was looked at.
    let replaced = one_google(&[("copy", 1, Fault::Status(412))], true);
    replaced.source.inner.put(&at(), body().into()).await.unwrap();
    assert_eq!(replaced.failed(SIZE).await.0, TaskFailureKind::Transient);
    assert!(replaced.target.inner.head(&at()).await.is_err());
    assert!(is_asked(&replaced));
}

#[tokio::test(start_paused = true)]
async fn no_copy_starts_after_the_lease() {
    let mut case = one_google(&[], true);
    case.context.lease = Arc::new(LeaseClock::new(Instant::now(), Duration::from_secs(1)));
    tokio::time::advance(Duration::from_secs(2)).await;
    case.source.inner.put(&at(), body().into()).await.unwrap();
    assert_eq!(case.failed(SIZE).await.0, TaskFailureKind::LeaseExpired);
    assert_eq!(case.target.count("copy"), 0);
}
