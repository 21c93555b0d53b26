//! The same of Azure: its word alone proves nothing, and the MD5 of the source does.

use deepclone_common::store::copying::{AzureAuthority, AzureSource};

use super::super::faulty::md5;
use super::*;

fn other_md5(_: &[u8]) -> StoredChecksum {
    StoredChecksum::Md5([1; 16])
}

fn one_azure() -> OneStore {
    let (account, container) = ("a".to_owned(), BUCKET.to_owned());
    let authority = AzureAuthority::key("a2V5").unwrap();
    let url = "http://azure.test".to_owned();
    let source = AzureSource { url, account, container, authority };
    OneStore::new(CopySource::Azure(Arc::new(source)))
}

/// A case of one account. `has_md5`: the source's objects have it, and copies carry it.
pub(super) fn one_account(target: Faults<'_>, has_md5: bool) -> Case {
    let mut case = case(&[], target);
    if has_md5 {
        case.source.says_of_objects.set(md5).unwrap();
        case.target.says_of_objects.set(md5).unwrap();
    }
    case.target.says_of_copies.set(crc64nvme).unwrap();
    case.target.other_side.set(Arc::clone(&case.source)).unwrap();
    case.context.one_store = Some(one_azure());
    case
}

fn whole(size: u64) -> Bytes {
    bytes_of(usize::try_from(size).unwrap())
}

#[tokio::test]
async fn the_proof_is_the_md5_of_the_source_or_no_more_than_the_length() {
    use Verification::{Digest, ReadBack, Size};
    let long = COPIED_PART_BYTES_MIN + 9;
    for (size, has_md5, verification, proof, copies, heads, gets) in [
        // The second copy tells the CRC-64 of the block.
        (SIZE, true, Digest, Proof::StoredChecksum, 2, 1, 0),
        (SIZE, true, ReadBack, Proof::ReadBack, 2, 0, 1),
        (SIZE, true, Size, Proof::Length, 1, 1, 0),
        (SIZE, false, Size, Proof::Length, 1, 1, 0),
        (long, true, Size, Proof::Length, 2, 1, 0),
    ] {
        let mut case = one_account(&[], has_md5);
        case.context.verification = verification;
        let receipt = case.done(&whole(size)).await;
        let name = format!("{size} {has_md5} {verification:?}");
        let object = &receipt.objects[0];
        assert_eq!(object.proof, proof, "{name}");
        // The digest is of what Azure wrote, and of the source only where that is proved.
        assert_eq!(object.source_etag.is_empty(), verification == Size, "{name}");
        assert_eq!((receipt.bytes_read, receipt.bytes_written), (0, size), "{name}");
        assert_eq!((receipt.objects_copied_by_store, object.existed), (1, false), "{name}");
        let sent = ["head", "upload", "copy", "complete", "get", "put", "part", "abort"];
        let sent = sent.map(|kind| case.target.count(kind));
        assert_eq!(sent, [heads, 1, copies, 1, gets, 0, 0, 0], "{name}");
        assert_eq!((case.source.count("head"), case.source.count("get")), (1, 0), "{name}");
        assert_eq!(receipt.requests, 3 + heads + copies + gets, "{name}");
        assert_eq!((receipt.source_requests, receipt.target_reads), (1, heads + gets), "{name}");
        assert!(is_asked(&case));
    }
}

#[tokio::test]
async fn without_an_md5_of_one_block_the_bytes_flow() {
    let long = COPIED_PART_BYTES_MIN + 9;
    for verification in [Verification::Digest, Verification::ReadBack] {
        for (size, has_md5) in [(SIZE, false), (long, true)] {
            let mut case = one_account(&[], has_md5);
            case.context.verification = verification;
            let receipt = case.done(&whole(size)).await;
            let figures = (receipt.objects_copied_by_store, receipt.bytes_read);
            assert_eq!(figures, (0, size), "{verification:?} {has_md5}");
            assert_eq!((case.target.count("copy"), case.source.count("head")), (0, 1));
            assert!(is_asked(&case));
        }
    }
    // After some without one no more are looked at, but where only the length counts.
    let mut case = one_account(&[], false);
    for number in 1..=40 {
        case.done(&body()).await;
        case.target.inner.delete(&at()).await.unwrap();
        assert_eq!(case.source.count("head"), number.min(32));
    }
    case.context.verification = Verification::Size;
    assert_eq!(case.done(&body()).await.objects_copied_by_store, 1);
}

#[tokio::test]
async fn a_copy_of_other_bytes_or_of_another_length_is_found_out() {
    for has_md5 in [false, true] {
        let mut case = one_account(&[("copy", 1, Fault::Half)], has_md5);
        case.context.verification = Verification::Size;
        case.source.inner.put(&at(), body().into()).await.unwrap();
        assert_eq!(case.failed(SIZE).await.0, TaskFailureKind::Corrupt, "{has_md5}");
    }
    for verification in [Verification::Digest, Verification::ReadBack] {
        for fault in [Fault::OtherBytes, Fault::Half] {
            let mut case = one_account(&[("copy", 1, fault)], true);
            case.context.verification = verification;
            let receipt = case.done(&body()).await;
            assert_eq!((receipt.objects_copied_by_store, receipt.bytes_read), (0, SIZE));
            assert_eq!((case.target.count("abort"), case.target.count("complete")), (1, 0));
            assert!(is_asked(&case), "it is this object alone");
        }
        // The copy that tells the digest is another one than the copy that was compared: where they
        // differ, the target has the right bytes, and the receipt would say others.
        let mut case = one_account(&[("copy", 2, Fault::OtherBytes)], true);
        case.context.verification = verification;
        case.source.inner.put(&at(), body().into()).await.unwrap();
        match verification {
            Verification::ReadBack => {
                assert_eq!(case.failed(SIZE).await.0, TaskFailureKind::Corrupt);
            }
            Verification::Digest | Verification::Size => {
                assert!(matches!(case.run(SIZE).await, TaskOutcome::Done(_)));
            }
        }
        let kept = case.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
        assert!(kept == body(), "what was compared is what is there");
    }
}

#[tokio::test]
async fn a_target_that_says_another_md5_is_read_back() {
    let case = one_account(&[], false);
    case.source.says_of_objects.set(md5).unwrap();
    case.target.says_of_objects.set(other_md5).unwrap();
    let receipt = case.done(&body()).await;
    assert_eq!((receipt.objects[0].proof, receipt.objects_copied_by_store), (Proof::ReadBack, 1));

    // Whoever wrote the object gave a wrong one.
    let case = one_account(&[], false);
    case.source.says_of_objects.set(other_md5).unwrap();
    let receipt = case.done(&body()).await;
    assert_eq!((receipt.objects_copied_by_store, receipt.bytes_read), (0, SIZE));
    assert!(is_asked(&case));
}

#[tokio::test]
async fn a_store_that_tells_no_digest_of_its_blocks_is_asked_once() {
    let mut case = case(&[], &[]);
    case.source.says_of_objects.set(md5).unwrap();
    case.target.other_side.set(Arc::clone(&case.source)).unwrap();
    case.context.one_store = Some(one_azure());
    let receipt = case.done(&body()).await;
    assert_eq!((receipt.objects_copied_by_store, receipt.bytes_read), (0, SIZE));
    assert_eq!((case.target.count("abort"), case.target.count("complete")), (1, 0));
    assert!(!is_asked(&case));
}

#[tokio::test(start_paused = true)]
async fn what_azure_refuses_flows_and_it_is_asked_once() {
    for (status, number) in [(400, 1), (403, 1), (404, 1), (501, 1), (403, 2)] {
        let case = one_account(&[("copy", number, Fault::Status(status))], true);
        let receipt = case.done(&body()).await;
        assert_eq!((receipt.bytes_read, receipt.objects_copied_by_store), (SIZE, 0), "{status}");
        let counts = ["copy", "abort", "put"].map(|kind| case.target.count(kind));
        assert_eq!(counts, [number, 1, 1], "{status}");
        case.target.inner.delete(&at()).await.unwrap();
        case.done(&body()).await;
        assert_eq!((case.target.count("copy"), case.source.count("head")), (number, 1));
    }
    let slow = one_account(&[("copy", 2, Fault::Throttle)], true);
    let receipt = slow.done(&body()).await;
    assert_eq!((receipt.objects_copied_by_store, slow.target.count("copy")), (1, 3));
}

#[tokio::test]
async fn a_blob_that_was_replaced_or_is_there_already_is_no_copy() {
    let replaced = one_account(&[("copy", 1, Fault::Status(412))], true);
    replaced.source.inner.put(&at(), body().into()).await.unwrap();
    assert_eq!(replaced.failed(SIZE).await.0, TaskFailureKind::SourceChanged);
    assert_eq!(replaced.target.count("abort"), 1);
    assert!(is_asked(&replaced));

    let there = one_account(&[], true);
    there.source.inner.put(&at(), body().into()).await.unwrap();
    there.target.inner.put(&at(), Bytes::from_static(b"other").into()).await.unwrap();
    assert_eq!(there.failed(SIZE).await.0, TaskFailureKind::TargetConflict);
    let kept = there.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
    assert_eq!(kept, Bytes::from_static(b"other"));
}
