//! The requests of a copy are those that a plan is estimated by.

use deepclone_core::copy_plan::{CopyPlan, CopyTarget};
use deepclone_core::limits::{HELD_OBJECT_BYTES_MAX, PART_BYTES_MIN};

use super::*;

/// Lengths below, at and above the threshold, and of several parts.
fn sizes() -> [u64; 7] {
    let (whole, part) = (WHOLE_OBJECT_BYTES_MAX, PART_BYTES_MIN);
    [0, 1, HELD_OBJECT_BYTES_MAX, HELD_OBJECT_BYTES_MAX + 1, whole, whole + 1, whole + part]
}

#[tokio::test]
async fn a_copy_to_a_store_sends_the_planned_requests() {
    for size in sizes() {
        let case = case(&[], &[]);
        let receipt = case.done(&bytes_of(usize::try_from(size).unwrap())).await;
        let planned = CopyPlan::of(size).requests(CopyTarget::Store);
        let sent = (case.source.total(), case.target.total());
        assert_eq!(sent, (planned.source, planned.target), "{size}");
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
