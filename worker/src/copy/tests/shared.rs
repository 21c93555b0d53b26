//! One large object that several workers copy.

use crc_fast::CrcAlgorithm;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::group::PartRange;
use deepclone_core::receipt::{PartReceipt, SharedUpload};
use deepclone_core::task::TaskWork;

use super::super::task::do_task;
use super::*;

const SIZE: u64 = 9_500;
const ALL: PartRange = PartRange { object_bytes: SIZE, part_bytes: 1_000, first: 0, end: 10 };

fn body() -> Bytes {
    bytes_of(usize::try_from(SIZE).unwrap())
}

fn crc64nvme(bytes: &[u8]) -> StoredChecksum {
    StoredChecksum::Crc64Nvme(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes))
}

async fn shared(source: Faults<'_>, target: Faults<'_>) -> Case {
    let case = case(source, target);
    case.source.inner.put(&at(), body().into()).await.unwrap();
    case
}

async fn done(case: &Case, work: TaskWork) -> Receipt {
    match do_task(&case.context, &work).await {
        TaskOutcome::Done(receipt) => receipt,
        TaskOutcome::Failed(failure) => panic!("{failure:?}"),
    }
}

async fn failed(case: &Case, work: TaskWork) -> TaskFailureKind {
    match do_task(&case.context, &work).await {
        TaskOutcome::Done(receipt) => panic!("{receipt:?}"),
        TaskOutcome::Failed(failure) => {
            assert!(failure.message.contains(KEY), "{}", failure.message);
            failure.kind
        }
    }
}

async fn open(case: &Case) -> SharedUpload {
    let receipt = done(case, TaskWork::Open(object(SIZE))).await;
    assert_eq!((receipt.objects.len(), receipt.parts.len()), (0, 0));
    receipt.upload.unwrap()
}

fn parts(upload: &SharedUpload, first: u32, end: u32) -> TaskWork {
    let parts = PartRange { first, end, ..ALL };
    TaskWork::Parts { object: object(SIZE), upload: upload.clone(), parts }
}

fn finish(upload: &SharedUpload, parts: &[PartReceipt]) -> TaskWork {
    TaskWork::Finish { object: object(SIZE), upload: upload.clone(), parts: parts.to_vec() }
}

/// Writes all parts in two tasks.
async fn written(case: &Case, upload: &SharedUpload) -> Vec<PartReceipt> {
    let mut all = done(case, parts(upload, 0, 6)).await.parts;
    all.extend(done(case, parts(upload, 6, 10)).await.parts);
    all
}

/// How often the target's upload was opened, completed and given up.
fn uploads(case: &Case) -> [u32; 3] {
    ["upload", "complete", "abort"].map(|kind| case.target.count(kind))
}

#[tokio::test]
async fn the_object_is_made_of_parts_that_tasks_write_in_any_order_and_again() {
    let case = shared(&[], &[]).await;
    let upload = open(&case).await;
    let mut all = Vec::new();
    for (first, end) in [(7, 10), (0, 4), (4, 7), (0, 4)] {
        let receipt = done(&case, parts(&upload, first, end)).await;
        assert_eq!(receipt.upload.as_ref(), Some(&upload));
        assert_eq!(receipt.objects, []);
        let numbers: Vec<_> = receipt.parts.iter().map(|part| part.number).collect();
        assert_eq!(numbers, (first..end).collect::<Vec<_>>());
        all.retain(|part: &PartReceipt| part.number < first || part.number >= end);
        all.extend(receipt.parts);
    }
    all.sort_by_key(|part| part.number);
    let receipt = done(&case, finish(&upload, &all)).await;
    let copied = case.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
    assert!(copied == body());
    let seen = &receipt.objects[0];
    assert_eq!((seen.size, seen.existed, seen.proof), (SIZE, false, Proof::Length));
    assert_eq!(StoredChecksum::Crc64Nvme(seen.crc64nvme), crc64nvme(&body()));
    assert_eq!(uploads(&case), [1, 1, 0]);
}

#[tokio::test]
async fn an_object_that_the_target_has_is_proved_and_never_overwritten() {
    let mut other = body().to_vec();
    other[7] ^= 1;
    for (is_said, there, expected) in [
        (true, body(), Ok(())),
        (false, body(), Ok(())),
        (true, other.clone().into(), Err(TaskFailureKind::TargetConflict)),
        (false, Bytes::from(other), Err(TaskFailureKind::TargetConflict)),
    ] {
        let case = shared(&[], &[]).await;
        case.target.inner.put(&at(), there.clone().into()).await.unwrap();
        let (outcome, opened) = if is_said {
            case.source.says_of_objects.set(crc64nvme).unwrap();
            case.target.says_of_objects.set(crc64nvme).unwrap();
            (do_task(&case.context, &TaskWork::Open(object(SIZE))).await, 0)
        } else {
            // Only the source's bytes can tell.
            let upload = open(&case).await;
            let all = written(&case, &upload).await;
            (do_task(&case.context, &finish(&upload, &all)).await, 1)
        };
        match (outcome, expected) {
            (TaskOutcome::Done(receipt), Ok(())) => assert!(receipt.objects[0].existed),
            (TaskOutcome::Failed(failure), Err(kind)) => assert_eq!(failure.kind, kind),
            (outcome, _) => panic!("{outcome:?}"),
        }
        assert_eq!(uploads(&case), [opened; 3]);
        let kept = case.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
        assert!(kept == there);
    }
}

#[tokio::test]
async fn an_upload_that_is_gone_has_a_name_of_its_own() {
    let case = shared(&[], &[("part", 3, Fault::Status(404))]).await;
    let upload = open(&case).await;
    assert_eq!(failed(&case, parts(&upload, 0, 4)).await, TaskFailureKind::UploadLost);

    let case = shared(&[], &[("complete", 1, Fault::Status(404))]).await;
    let upload = open(&case).await;
    let all = written(&case, &upload).await;
    assert_eq!(failed(&case, finish(&upload, &all[1..])).await, TaskFailureKind::UploadLost);
    assert_eq!(case.target.count("complete"), 0, "parts are missing");
    assert_eq!(failed(&case, finish(&upload, &all)).await, TaskFailureKind::UploadLost);
    // The coordinator decides what becomes of it.
    assert_eq!(uploads(&case), [1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_fails_leaves_the_upload_to_the_next_attempt() {
    let faults: Vec<_> = (1..20).map(|number| ("part", number, Fault::Throttle)).collect();
    let case = shared(&[], &faults).await;
    let upload = open(&case).await;
    assert_eq!(failed(&case, parts(&upload, 0, 1)).await, TaskFailureKind::Throttled);
    let case = shared(&[], &[("complete", 1, Fault::LoseAnswer)]).await;
    let upload = open(&case).await;
    let all = written(&case, &upload).await;
    let receipt = done(&case, finish(&upload, &all)).await;
    assert!(receipt.objects[0].existed);
    assert_eq!(receipt.objects_written_before, 1);
    assert_eq!(uploads(&case), [1, 2, 0]);
}

#[tokio::test]
async fn all_parts_are_of_the_state_that_the_opening_saw() {
    let case = shared(&[], &[]).await;
    let upload = open(&case).await;
    assert!(!upload.source_etag.is_empty());
    done(&case, parts(&upload, 0, 6)).await;
    case.source.inner.put(&at(), body().into()).await.unwrap();
    assert_eq!(failed(&case, parts(&upload, 6, 10)).await, TaskFailureKind::SourceChanged);
    let shorter = failed(&case, TaskWork::Open(object(SIZE + 1))).await;
    assert_eq!(shorter, TaskFailureKind::SourceChanged);
    assert_eq!(uploads(&case), [1, 0, 0]);
}
