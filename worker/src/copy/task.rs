//! All objects of one task, as many at once as the budget has turns; the first failure ends it.

use std::sync::atomic::Ordering;

use deepclone_core::evidence::Prior;
use deepclone_core::limits::WHOLE_OBJECT_BYTES_MAX;
use deepclone_core::machine::TaskOutcome;
use deepclone_core::receipt::{ObjectReceipt, Receipt, TaskFailure};
use deepclone_core::task::ObjectCopy;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::Context;
use super::error::CopyError;
use super::object::copy_object;
use super::sink::sweep;

/// Copies every object of a task.
pub(crate) async fn copy_task(context: &Context, objects: &[ObjectCopy]) -> TaskOutcome {
    if let Some(directory) = &context.target.directory {
        sweep(directory.clone()).await;
    }
    let copies: Vec<_> =
        objects.iter().enumerate().map(|numbered| copy_one(context, numbered).boxed()).collect();
    let receipts =
        stream::iter(copies).buffered(objects.len().max(1)).try_collect::<Vec<_>>().await;
    match receipts {
        Ok(receipts) => TaskOutcome::Done(Receipt {
            objects_written_before: written_before(context, objects, &receipts),
            objects: receipts,
            bytes_read: context.counts.bytes_read.load(Ordering::Relaxed),
            bytes_written: context.counts.bytes_written.load(Ordering::Relaxed),
            requests: context.counts.requests.load(Ordering::Relaxed),
            ..Receipt::default()
        }),
        Err((index, error)) => TaskOutcome::Failed(failure(u32::try_from(index).ok(), error)),
    }
}

async fn copy_one(
    context: &Context,
    (index, object): (usize, &ObjectCopy),
) -> Result<ObjectReceipt, (usize, CopyError)> {
    let _turn = context.budget.turn().await;
    if context.stop.is_cancelled() {
        return Err((index, CopyError::lease_expired(&object.target_path)));
    }
    // A large one ends its upload itself.
    let is_small = !object.size_is_minimum && object.size <= WHOLE_OBJECT_BYTES_MAX;
    let copied = tokio::select! {
        copied = copy_object(context, object) => copied,
        () = context.stop.cancelled(), if is_small => {
            Err(CopyError::lease_expired(&object.target_path))
        }
    };
    copied.map_err(|error| (index, error))
}

/// Objects that an earlier attempt at this task wrote, as far as can be told: they exist, and the
/// plan knew of nothing under their keys.
fn written_before(context: &Context, objects: &[ObjectCopy], receipts: &[ObjectReceipt]) -> u32 {
    if context.attempt.0 <= 1 {
        return 0;
    }
    let ours = |(object, receipt): &(&ObjectCopy, &ObjectReceipt)| {
        receipt.existed && object.prior == Prior::Absent
    };
    u32::try_from(objects.iter().zip(receipts).filter(ours).count()).unwrap_or(u32::MAX)
}

/// A failure as it is reported.
pub(crate) fn failure(index: Option<u32>, error: CopyError) -> TaskFailure {
    TaskFailure { index, kind: error.kind, message: error.message }
}
