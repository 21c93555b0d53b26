//! Objects that are copied by parts: when an upload is opened, ended and given up.

use std::sync::atomic::Ordering;

use deepclone_core::limits::{PART_BYTES_MIN, SLOTS_FIRST};

use super::*;

/// Two parts and some bytes.
const SIZE: u64 = WHOLE_OBJECT_BYTES_MAX + 7;

async fn large(source: Faults<'_>, target: Faults<'_>) -> Case {
    let case = case(source, target);
    let body = bytes_of(usize::try_from(SIZE).unwrap());
    case.source.inner.put(&at(), body.into()).await.unwrap();
    case
}

/// How often the target's upload was opened, completed and given up.
fn uploads(case: &Case) -> [u32; 3] {
    ["upload", "complete", "abort"].map(|kind| case.target.count(kind))
}

fn lease(milliseconds: u64) -> Arc<LeaseClock> {
    Arc::new(LeaseClock::new(Instant::now(), Duration::from_millis(milliseconds)))
}

#[tokio::test]
async fn no_upload_is_opened_for_a_source_that_is_not_the_planned_one() {
    let case = large(&[], &[]).await;
    assert_eq!(case.failed(SIZE + 1).await.0, TaskFailureKind::SourceChanged);
    assert_eq!(uploads(&case), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn no_upload_is_opened_after_the_lease() {
    // The first read is answered after the lease.
    let mut case = large(&[("get", 1, Fault::Throttle)], &[]).await;
    case.context.lease = lease(50);
    assert_eq!(case.failed(SIZE).await.0, TaskFailureKind::LeaseExpired);
    assert_eq!(uploads(&case), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn parts_and_the_completion_wait_for_a_lease_that_ended() {
    for slow in [1, 3] {
        let mut case = large(&[], &[("part", slow, Fault::Slow)]).await;
        case.context.lease = lease(50);
        let renewed_after = Duration::from_secs(4_000);
        let extended = async {
            tokio::time::sleep(renewed_after).await;
            assert_eq!(uploads(&case), [1, 0, 0], "it is completed without a lease");
            case.context.lease.extend(Instant::now(), Duration::from_secs(1));
        };
        let (outcome, ()) = tokio::join!(case.run(SIZE), extended);
        assert!(matches!(outcome, TaskOutcome::Done(_)), "{outcome:?}");
        assert_eq!(uploads(&case), [1, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_not_wanted_any_more_gives_its_upload_up_at_once() {
    let case = large(&[], &[("part", 1, Fault::Slow)]).await;
    let (stop, begun) = (case.context.stop.clone(), Instant::now());
    let stopped = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    };
    let ((kind, _), ()) = tokio::join!(case.failed(SIZE), stopped);
    assert_eq!(kind, TaskFailureKind::LeaseExpired);
    assert!(begun.elapsed() < Duration::from_secs(60), "it waited for the part");
    assert_eq!(uploads(&case), [1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn parts_that_wait_for_a_slot_have_not_begun() {
    let mut case = large(&[], &[("part", 1, Fault::Slow)]).await;
    case.context.lease = lease(10_000_000);
    let begun = || case.context.counts.bytes_begun.load(Ordering::Relaxed);
    let others: Vec<_> =
        futures::future::join_all((1..SLOTS_FIRST).map(|_| case.context.look())).await;
    let slow = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(uploads(&case), [1, 0, 0]);
        assert_eq!(begun(), PART_BYTES_MIN, "a worker that counts more asks for too much");
        drop(others);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(begun(), SIZE);
    };
    let (outcome, ()) = tokio::join!(case.run(SIZE), slow);
    assert!(matches!(outcome, TaskOutcome::Done(_)), "{outcome:?}");
    assert_eq!(begun(), SIZE);
}

#[tokio::test(start_paused = true)]
async fn what_fails_of_an_upload_is_tried_again_alone() {
    for kind in ["upload", "part", "complete"] {
        let case = large(&[], &[(kind, 1, Fault::Throttle)]).await;
        let receipt = case.done(&bytes_of(usize::try_from(SIZE).unwrap())).await;
        let count = |other: &str, once: u32| once + u32::from(kind == other);
        assert_eq!(uploads(&case), [count("upload", 1), count("complete", 1), 0], "{kind}");
        assert_eq!(case.target.count("part"), count("part", 3), "{kind}");
        let again = if kind == "part" { PART_BYTES_MIN } else { 0 };
        assert_eq!(receipt.bytes_read, SIZE + again, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_part_always_fails_is_given_up() {
    let faults: Vec<_> = (1..20).map(|number| ("part", number, Fault::Throttle)).collect();
    let case = large(&[], &faults).await;
    assert_eq!(case.failed(SIZE).await.0, TaskFailureKind::Throttled);
    assert_eq!(uploads(&case), [1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_is_refused_or_lost_is_settled_by_reading_the_object_back() {
    for (fault, completions, aborts, written_before) in
        [(Fault::Overtaken, 1, 1, 0), (Fault::LoseAnswer, 2, 0, 1)]
    {
        let case = case(&[], &[("complete", 1, fault)]);
        let receipt = case.done(&bytes_of(usize::try_from(SIZE).unwrap())).await;
        assert!(receipt.objects[0].existed, "{fault:?}");
        assert_eq!(receipt.objects_written_before, written_before, "{fault:?}");
        assert_eq!(uploads(&case), [1, completions, aborts], "{fault:?}");
        assert_eq!(case.target.count("get"), 1, "{fault:?}");
    }
}
