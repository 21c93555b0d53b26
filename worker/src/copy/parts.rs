//! Large objects: ranges of one state of the source, each read and written on its own.

use std::ops::Range;

use crc_fast::Digest;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::requests::StoredChecksum;
use deepclone_core::copy_plan::PartPlan;
use deepclone_core::receipt::TaskFailureKind;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::multipart::PartId;

use super::attempts::{Attempts, attempting};
use super::context::TaskContext;
use super::error::CopyError;
use super::etag::ETag;
use super::flow::Source;
use super::found::found;
use super::key::ObjectToCopy;
use super::length::Length;
use super::read::{Known, Reading, SourceState, new_digest};
use super::settle::{AtTarget, CopiedObject};
use super::target::Upload;
use super::target::written::Written;
use crate::slots::lane::Slot;

/// How an upload ended, as far as its answers tell.
enum Finished {
    /// Its object is at the target, with this tag and checksum.
    New(Option<ETag>, Option<StoredChecksum>),
    /// Another write made an object of this key.
    Exists,
    /// The answer was lost, or an earlier one was, or this one does not tell: only the target can.
    Unknown(StoreError),
}

/// A part to copy.
struct Part {
    number: usize,
    range: Range<u64>,
    /// The read of it, where it has begun.
    begun: Option<(Reading, Slot)>,
}

/// Copies an object by parts. `first` is the read of the first one, or of all.
///
/// # Errors
/// The object cannot be read, cannot be written, or another one has its key.
pub(crate) async fn copy_parts(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    parts: PartPlan,
    first: (Reading, Slot),
) -> Result<CopiedObject, CopyError> {
    let key = &object.target.key;
    let source = first.0.source().clone();
    let mut opened = 0;
    let open = attempting(&context.counts, || {
        opened += 1;
        context.target.open(&object.target)
    });
    let open = async {
        context.check_lease(key)?;
        open.await.map_err(|error| CopyError::target(key, &error))
    };
    let upload = context.until_stopped(key, open).await?;
    let work = async {
        let (digest, ids) = copy_all(context, object, &upload, parts, first).await?;
        Ok((digest, finish(context, object, &upload, &ids).await?))
    };
    let (digest, finished) = match work.await {
        Ok(done) => done,
        Err(error) => {
            upload.abort().await;
            return Err(error);
        }
    };
    let copied = match finished {
        Finished::New(etag, checksum) => {
            AtTarget::Written(etag).evidence(&digest, source.etag.as_ref(), checksum)
        }
        Finished::Exists => {
            // Refused: the parts lie there until they are thrown away.
            upload.abort().await;
            let found = found(context, object, &source, &mut Some(digest)).await?;
            found.ok_or_else(|| left_nothing(key, &gone()))?
        }
        Finished::Unknown(error) => {
            let found = found(context, object, &source, &mut Some(digest)).await?;
            let found = found.ok_or_else(|| left_nothing(key, &error))?;
            CopiedObject { is_unheard: true, ..found }
        }
    };
    // An attempt that was killed, and an opening whose answer was lost, left uploads behind. None
    // of them can become the object any more.
    if context.attempt.0 > 1 || opened > 1 {
        upload.sweep().await;
    }
    Ok(copied)
}

fn left_nothing(key: &str, error: &StoreError) -> CopyError {
    let message = format!("the upload of {key} ended and left no object: {error}");
    CopyError::new(TaskFailureKind::Transient, message)
}

fn gone() -> StoreError {
    StoreError::new(StoreErrorKind::Transient, "the object that had its key is gone")
}

/// Copies all parts, as many at once as there are turns.
async fn copy_all(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    upload: &Upload,
    parts: PartPlan,
    first: (Reading, Slot),
) -> Result<(Digest, Vec<PartId>), CopyError> {
    let source = first.0.source().clone();
    // A read of more than the first part is of no use.
    let mut begun = Some(first);
    let copies: Vec<_> = parts
        .ranges()
        .enumerate()
        .map(|(number, range)| {
            let begun = begun.take_if(|(reading, _)| reading.left() == range.end - range.start);
            let part = Part { number, range, begun };
            copy_part(context, object, upload, &source, part).boxed()
        })
        .collect();
    drop(begun);
    let count = copies.len();
    let mut copied = stream::iter(copies).buffered(count);
    let (mut digest, mut ids) = (new_digest(), Vec::with_capacity(count));
    while let Some((part, id)) =
        context.until_stopped(&object.target.key, copied.try_next()).await?
    {
        digest.combine(&part);
        ids.push(id);
    }
    Ok((digest, ids))
}

/// Copies one part. A write that fails is begun again.
async fn copy_part(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    upload: &Upload,
    source: &SourceState,
    part: Part,
) -> Result<(Digest, PartId), CopyError> {
    let key = &object.target.key;
    let Part { number, range, begun } = part;
    let length = range.end - range.start;
    let (reading, _slot) = match begun {
        Some(begun) => begun,
        None => {
            let slot = context.slot(Length::Exact(length)).await;
            let known = Known::State(source.clone());
            let range = Some(range.clone());
            (Reading::open(context, &object.source, range, &known).await?, slot)
        }
    };
    let from = Source::new(reading);
    let mut retry = Attempts::new(&context.counts);
    loop {
        context.lease.renewed().await;
        let put = upload.put_part(number, range.start, from.flow(context).await?).await;
        let error = match (put, from.ended().await?) {
            (Ok((_, checksum)), Some(digest)) if differs(checksum, &digest) => {
                let message = "the store took other bytes than those that were sent";
                StoreError::new(StoreErrorKind::Transient, message)
            }
            (Ok((id, _)), Some(digest)) => {
                context.counts.wrote(length);
                return Ok((digest, id));
            }
            (Ok(_), None) => return Err(CopyError::unread(key)),
            (Err(error), _) => error,
        };
        let Some(pause) = retry.next(&error) else { return Err(CopyError::target(key, &error)) };
        tokio::time::sleep(pause).await;
    }
}

fn differs(stored: Option<StoredChecksum>, digest: &Digest) -> bool {
    stored.is_some_and(|stored| stored != StoredChecksum::Crc64Nvme(digest.finalize()))
}

/// Makes the object of its parts. A lease that ended is waited for: the coordinator may be away for
/// a moment, and all bytes are there.
async fn finish(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    upload: &Upload,
    parts: &[PartId],
) -> Result<Finished, CopyError> {
    let key = &object.target.key;
    let mut retry = Attempts::new(&context.counts);
    let mut is_lost = false;
    loop {
        // A completion that was sent is waited for: an abort beside it may lose the object.
        context.until_stopped(key, context.lease.renewed().map(Ok)).await?;
        let error = match upload.finish(parts).await {
            Ok(Written::New { etag, checksum }) => return Ok(Finished::New(etag, checksum)),
            Ok(Written::Exists) if is_lost => return Ok(Finished::Unknown(gone())),
            Ok(Written::Exists) => return Ok(Finished::Exists),
            Err(error) => error,
        };
        let is_refused = matches!(error.kind, StoreErrorKind::Denied | StoreErrorKind::Unsupported);
        if is_refused && !is_lost {
            return Err(CopyError::target(key, &error));
        }
        is_lost |= error.kind.is_retryable();
        let Some(pause) = retry.next(&error) else {
            // A lost answer, or an upload that was completed before an answer was lost.
            tracing::info!(key, %error, "the end of an upload is unknown: reading the object back");
            return Ok(Finished::Unknown(error));
        };
        tokio::time::sleep(pause).await;
    }
}
