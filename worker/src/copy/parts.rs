//! Large objects: an upload is opened, its parts are copied, and it is made an object.

use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::copy_plan::PartPlan;
use deepclone_core::receipt::TaskFailureKind;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::multipart::PartId;

use super::context::TaskContext;
use super::digests::{Digests, StoreSays};
use super::error::CopyError;
use super::etag::ETag;
use super::found::found;
use super::key::ObjectToCopy;
use super::part::{Copied, Part, copy_part};
use super::read::{Reading, SourceState};
use super::retry::{ObjectRetry, retrying};
use super::settle::{AtTarget, CopiedObject};
use super::target::Upload;
use super::target::written::Written;
use crate::slots::lane::Slot;

/// An upload, and how often it was opened: an opening whose answer is lost leaves one behind.
pub(crate) struct OpenedUpload {
    pub(crate) upload: Upload,
    pub(crate) openings: u32,
}

/// How an upload ended.
pub(crate) enum EndedUpload {
    /// Its object is at the target, with this tag and checksum.
    New(Option<ETag>, Option<StoredChecksum>),
    /// The object that has its key is the right one.
    Found(CopiedObject),
}

/// How an upload ended, as far as its answers tell.
pub(crate) enum Finished {
    /// Its object is at the target, with this tag and checksum.
    New(Option<ETag>, Option<StoredChecksum>),
    /// Another write made an object of this key.
    Exists,
    /// The answer was lost, or an earlier one was, or this one does not tell: only the target can.
    Unknown(StoreError),
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
    let source = first.0.source().clone();
    let opened = open(context, object).await?;
    let opened = opened.map_err(|error| CopyError::target(&object.target.key, &error))?;
    let (digests, ids, said) = match copy_all(context, object, &opened.upload, parts, first).await {
        Ok(Copied { digests, ids, says }) => (Some(digests), Ok(ids), says),
        Err(error) => (None, Err(error), StoreSays::Nothing),
    };
    match (end(context, object, &source, opened, ids, digests.clone()).await?, digests) {
        (EndedUpload::New(etag, checksum), Some(digests)) => {
            let says = match context.compare(&digests, checksum) {
                StoreSays::Nothing => said,
                says => says,
            };
            Ok(AtTarget::Written(etag, says).evidence(&digests, source.etag.as_ref()))
        }
        (EndedUpload::New(..), None) => Err(CopyError::unread(&object.target.key)),
        (EndedUpload::Found(found), _) => Ok(found),
    }
}

/// Opens an upload. What the store refuses is the inner error.
///
/// # Errors
/// The lease has ended.
pub(crate) async fn open(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
) -> Result<Result<OpenedUpload, StoreError>, CopyError> {
    let key = &object.target.key;
    let mut openings = 0;
    let open = retrying(&context.counts, (Side::Target, StoreOperation::OpenUpload), || {
        openings += 1;
        context.target.open(&object.target)
    });
    let open = async {
        context.check_lease(key)?;
        Ok(open.await)
    };
    let opened = context.until_stopped(key, open).await?;
    Ok(opened.map(|upload| OpenedUpload { upload, openings }))
}

/// Completes an upload whose parts were written, or gives it up. `digests` are those of all bytes
/// of `source`, where they were read.
///
/// # Errors
/// That of the parts; the object cannot be written, or another one has its key.
pub(crate) async fn end(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    source: &SourceState,
    opened: OpenedUpload,
    parts: Result<Vec<PartId>, CopyError>,
    mut digests: Option<Digests>,
) -> Result<EndedUpload, CopyError> {
    let OpenedUpload { upload, openings } = opened;
    let finished = match parts {
        Ok(parts) => finish(context, object, &upload, &parts).await,
        Err(error) => Err(error),
    };
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) => {
            upload.abort().await;
            return Err(error);
        }
    };
    let ended = settle_end(context, object, source, &upload, finished, &mut digests).await?;
    // An attempt that was killed, and an opening whose answer was lost, left uploads behind. None
    // of them can become the object any more.
    if context.attempt.0 > 1 || openings > 1 {
        upload.sweep().await;
    }
    Ok(ended)
}

/// Looks at the target where the answers to a completion do not tell enough.
///
/// # Errors
/// The target has another object, or none: then the upload is of no use any more, as far as its
/// last answer tells.
pub(crate) async fn settle_end(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    source: &SourceState,
    upload: &Upload,
    finished: Finished,
    digests: &mut Option<Digests>,
) -> Result<EndedUpload, CopyError> {
    let key = &object.target.key;
    match finished {
        Finished::New(etag, checksum) => Ok(EndedUpload::New(etag, checksum)),
        Finished::Exists => {
            // Refused: the parts lie there until they are thrown away.
            upload.abort().await;
            let found = found(context, object, source, digests).await?;
            Ok(EndedUpload::Found(found.ok_or_else(|| left_nothing(key, &gone()))?))
        }
        Finished::Unknown(error) => {
            let found = found(context, object, source, digests).await?;
            let found = found.ok_or_else(|| left_nothing(key, &error))?;
            Ok(EndedUpload::Found(CopiedObject { is_unheard: true, ..found }))
        }
    }
}

fn left_nothing(key: &str, error: &StoreError) -> CopyError {
    let kind = match error.kind {
        StoreErrorKind::UploadLost | StoreErrorKind::NotFound => TaskFailureKind::UploadLost,
        _ => TaskFailureKind::Transient,
    };
    CopyError::new(kind, format!("the upload of {key} ended and left no object: {error}"))
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
) -> Result<Copied<Vec<PartId>>, CopyError> {
    let source = first.0.source().clone();
    // A read of more than the first part is of no use.
    let mut begun = Some(first);
    let mut waits = 0;
    let copies: Vec<_> = parts
        .ranges()
        .enumerate()
        .map(|(number, range)| {
            let length = range.end - range.start;
            let begun = begun.take_if(|(reading, _)| reading.left() == length);
            waits += if begun.is_none() { length } else { 0 };
            let part = Part { number, range, begun };
            copy_part(context, object, upload, &source, part).boxed()
        })
        .collect();
    drop(begun);
    context.counts.waits(waits);
    let count = copies.len();
    let mut copied = stream::iter(copies).buffered(count);
    let mut all = Copied {
        digests: Digests::new(context.second_digest()),
        ids: Vec::with_capacity(count),
        says: StoreSays::Same,
    };
    while let Some(part) = context.until_stopped(&object.target.key, copied.try_next()).await? {
        all.digests.combine(&part.digests);
        all.ids.push(part.ids);
        if part.says != StoreSays::Same {
            all.says = StoreSays::Nothing;
        }
    }
    Ok(all)
}

/// Makes the object of its parts. A lease that ended is waited for: the coordinator may be away for
/// a moment, and all bytes are there.
pub(crate) async fn finish(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    upload: &Upload,
    parts: &[PartId],
) -> Result<Finished, CopyError> {
    let key = &object.target.key;
    let mut retry = ObjectRetry::new(&context.counts, Side::Target, StoreOperation::CompleteUpload);
    let mut is_lost = false;
    loop {
        // A completion that was sent is waited for: an abort beside it may lose the object.
        context.until_stopped(key, context.lease.renewed().map(Ok)).await?;
        let error = match upload.finish(parts).await {
            Ok(Written::New { etag, checksum, .. }) => return Ok(Finished::New(etag, checksum)),
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
