//! The requests of a copy are those that a plan is estimated by, and its route hears of each one.

use deepclone_core::copy_plan::{CopyPlan, CopyTarget};
use deepclone_core::limits::{HELD_OBJECT_BYTES_MAX, PART_BYTES_MIN, SLOTS_FIRST};

use super::*;
use crate::copy::object::copy_object;

/// Lengths below, at and above the threshold, and of several parts.
fn sizes() -> [u64; 7] {
    let (whole, part) = (WHOLE_OBJECT_BYTES_MAX, PART_BYTES_MIN);
    [0, 1, HELD_OBJECT_BYTES_MAX, HELD_OBJECT_BYTES_MAX + 1, whole, whole + 1, whole + part]
}

#[tokio::test]
async fn an_object_that_waits_for_its_turn_takes_little_memory() {
    let case = case(&[], &[]);
    let (context, object) = (&case.context, object(1));
    let bytes = size_of_val(&copy_object(context, &object));
    // Thousands of them wait in the tasks that a worker holds.
    assert!(bytes <= 2 << 10, "{bytes}");
}

#[tokio::test]
async fn a_copy_to_a_store_sends_the_planned_requests() {
    for size in sizes() {
        let case = case(&[], &[]);
        let receipt = case.done(&bytes_of(usize::try_from(size).unwrap())).await;
        let planned = CopyPlan::of(size).requests(CopyTarget::Store);
        let sent = (case.source.total(), case.target.total());
        assert_eq!(sent, (planned.source, planned.target), "{size}");
        assert_eq!(receipt.target_reads, 0, "{size}: what is planned at the target are writes");
        assert_eq!(u64::from(receipt.requests), planned.source + planned.target, "{size}");
    }
}

#[tokio::test]
async fn a_copy_to_a_disk_sends_the_planned_requests() {
    for size in sizes() {
        let (case, _folder) = case_on_disk();
        let body = bytes_of(usize::try_from(size).unwrap());
        case.source.inner.put(&at(), body.into()).await.unwrap();
        let outcome = case.run(size).await;
        let TaskOutcome::Done(receipt) = outcome else { panic!("{outcome:?}") };
        let planned = CopyPlan::of(size).requests(CopyTarget::Disk);
        let sent = case.source.count("get") + case.source.count("head");
        assert_eq!(u64::from(sent), planned.source, "{size}");
        assert_eq!(u64::from(receipt.requests), planned.source + planned.target, "{size}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_route_hears_of_each_request_that_is_refused() {
    let (small, flowing, large) = (1_000, HELD_OBJECT_BYTES_MAX + 1, WHOLE_OBJECT_BYTES_MAX + 1);
    let cases: [(u64, Faults<'_>, Faults<'_>); 7] = [
        (small, &[("get", 1, Fault::Throttle)], &[]),
        (small, &[("get", 1, Fault::Cut(10))], &[]),
        (small, &[], &[("put", 1, Fault::Throttle)]),
        (flowing, &[], &[("put", 1, Fault::Throttle)]),
        (large, &[], &[("upload", 1, Fault::Throttle)]),
        (large, &[], &[("part", 2, Fault::Throttle)]),
        (large, &[], &[("complete", 1, Fault::Throttle)]),
    ];
    for (size, source, target) in cases {
        let case = case(source, target);
        let receipt = case.done(&bytes_of(usize::try_from(size).unwrap())).await;
        let seen = case.context.lane.meter().take();
        assert_eq!(seen.refusals, 1, "{size} {source:?} {target:?}");
        assert_eq!(seen.requests, u64::from(receipt.requests), "{size} {source:?} {target:?}");
        assert_eq!(seen.bytes, receipt.bytes_read, "{size} {source:?} {target:?}");
        let copies = if size == large { 3 } else { 1 };
        assert_eq!(seen.copies, copies, "{size} {source:?} {target:?}");
    }
    // The target holds the object already, and is compared.
    let held = case(&[], &[("get", 1, Fault::Throttle)]);
    let body = bytes_of(1_000);
    held.target.inner.put(&at(), body.clone().into()).await.unwrap();
    held.done(&body).await;
    assert_eq!(held.context.lane.meter().take().refusals, 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_objects_are_looked_at_than_there_are_slots() {
    let objects = 3 * SLOTS_FIRST;
    let case = case(&[], &[]);
    let slots: Vec<_> =
        futures::future::join_all((0..SLOTS_FIRST).map(|_| case.context.look())).await;
    // Each is expected at the target, so each is looked at first.
    let prior = Prior::Unproven;
    let spec: Vec<_> =
        (0..objects).map(|_| ObjectCopy { prior: prior.clone(), ..object(1) }).collect();
    let copied = copy_task(&case.context, &spec);
    let waited = tokio::time::timeout(Duration::from_millis(50), copied).await;
    assert!(waited.is_err() && case.target.total() == 0, "they did not wait for a slot");
    drop(slots);
}
