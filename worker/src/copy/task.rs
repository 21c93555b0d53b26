//! Does one task: copies its objects, as many at once as there are slots, or does a step in the
//! copy of one that several workers share. The first failure ends the task, unless bytes were found
//! to be wrong.

use deepclone_core::evidence::Prior;
use deepclone_core::machine::TaskOutcome;
use deepclone_core::receipt::{AttemptCounts, Receipt, TaskFailure, TaskFailureKind};
use deepclone_core::task::{ObjectCopy, TaskWork};
use futures::{FutureExt, StreamExt, stream};

use super::context::TaskContext;
use super::error::CopyError;
use super::object::copy_object;
use super::settle::CopiedObject;
use super::shared::{Opening, finish_shared, open_shared, write_parts};

/// Does what a task asks for.
pub(crate) async fn do_task(context: &TaskContext, work: &TaskWork) -> TaskOutcome {
    let done = match work {
        TaskWork::Objects(objects) => return copy_task(context, objects).await,
        TaskWork::Open(object) => open_shared(context, object).await.map(|opening| match opening {
            Opening::Opened(upload) => Receipt { upload: Some(upload), ..counted(context) },
            Opening::Present(receipt) => of_objects(
                context,
                std::slice::from_ref(object),
                vec![CopiedObject::proved(receipt)],
            ),
        }),
        TaskWork::Parts { object, upload, parts } => {
            let written = write_parts(context, object, upload, *parts).await;
            let upload = Some(upload.clone());
            written.map(|parts| Receipt { upload, parts, ..counted(context) })
        }
        TaskWork::Finish { object, upload, parts } => {
            let finished = finish_shared(context, object, upload, parts).await;
            let upload = Some(upload.clone());
            let of_object =
                |copied| of_objects(context, std::slice::from_ref(object), vec![copied]);
            finished.map(|copied| Receipt { upload, ..of_object(copied) })
        }
    };
    match done {
        Ok(receipt) => TaskOutcome::Done(receipt),
        Err(error) => TaskOutcome::Failed(failure(context, Some(0), error)),
    }
}

/// Copies every object of a task.
pub(crate) async fn copy_task(context: &TaskContext, objects: &[ObjectCopy]) -> TaskOutcome {
    context.target.sweep().await;
    let copies: Vec<_> =
        objects.iter().enumerate().map(|numbered| copy_one(context, numbered).boxed()).collect();
    let mut copies = stream::iter(copies).buffered(objects.len().max(1));
    let (mut copied, mut failed) = (Vec::new(), None);
    while let Some(ended) = copies.next().await {
        match ended {
            Ok(one) => copied.push(one),
            Err((index, error)) => {
                // What corrupted this one may have met others, and each deletes its own bad object.
                let goes_on = error.kind == TaskFailureKind::Corrupt;
                failed.get_or_insert((index, error));
                if !goes_on {
                    break;
                }
            }
        }
    }
    match failed {
        None => TaskOutcome::Done(of_objects(context, objects, copied)),
        Some((index, error)) => {
            TaskOutcome::Failed(failure(context, u32::try_from(index).ok(), error))
        }
    }
}

fn of_objects(context: &TaskContext, objects: &[ObjectCopy], copied: Vec<CopiedObject>) -> Receipt {
    Receipt {
        objects_written_before: written_before(context, objects, &copied),
        objects_copied_by_store: by_store(&copied),
        objects: copied.into_iter().map(|copied| copied.receipt).collect(),
        ..counted(context)
    }
}

/// A receipt of what the task took, without evidence.
fn counted(context: &TaskContext) -> Receipt {
    let AttemptCounts { bytes_read, bytes_written, requests, source_requests, target_reads } =
        context.counts.of_attempt();
    Receipt {
        bytes_read,
        bytes_written,
        requests,
        source_requests,
        target_reads,
        ..Receipt::default()
    }
}

async fn copy_one(
    context: &TaskContext,
    (index, object): (usize, &ObjectCopy),
) -> Result<CopiedObject, (usize, CopyError)> {
    let copied = copy_object(context, object).await.map_err(|error| (index, error))?;
    if copied.receipt.existed {
        context.counts.found(copied.receipt.size);
    }
    Ok(copied)
}

/// Number of objects that this job wrote before, as far as can be told: they exist although the
/// plan knew of nothing under their keys, and an attempt at this task had sent a write.
fn written_before(context: &TaskContext, objects: &[ObjectCopy], copied: &[CopiedObject]) -> u32 {
    let is_again = context.attempt.0 > 1;
    let ours = |(object, copied): &(&ObjectCopy, &CopiedObject)| {
        copied.receipt.existed && object.prior == Prior::Absent && (is_again || copied.is_unheard)
    };
    u32::try_from(objects.iter().zip(copied).filter(ours).count()).unwrap_or(u32::MAX)
}

/// Number of objects that the store copied by itself.
fn by_store(copied: &[CopiedObject]) -> u32 {
    u32::try_from(copied.iter().filter(|copied| copied.is_by_store).count()).unwrap_or(u32::MAX)
}

/// A failure as it is reported.
fn failure(context: &TaskContext, index: Option<u32>, error: CopyError) -> TaskFailure {
    let spent = context.counts.of_attempt();
    TaskFailure { index, kind: error.kind, message: error.message, spent }
}
