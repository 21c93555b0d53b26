//! One large object that several workers copy: each does some of three kinds of tasks.
//!
//! The first looks at both sides and opens the upload, unless the target has the object. The next
//! ones write parts. A part may be written again, by any worker: it is read of the same state of
//! the source, so it has the same bytes. The last task makes the object of the parts, whose digests
//! are combined. None of them throws the upload away while another may need it: the coordinator
//! does so when the object is given up.

use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_core::evidence::Described;
use deepclone_core::group::PartRange;
use deepclone_core::receipt::{ObjectReceipt, PartReceipt, SharedUpload, TaskFailureKind};
use deepclone_core::task::ObjectCopy;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::multipart::PartId;

use super::confirm::confirm;
use super::context::TaskContext;
use super::digests::{Digests, StoreSays};
use super::error::CopyError;
use super::etag::ETag;
use super::key::ObjectToCopy;
use super::length::Length;
use super::part::{Copied, Part, copy_part};
use super::parts::{EndedUpload, finish, open, settle_end};
use super::present::{described, prove};
use super::read::SourceState;
use super::settle::{AtTarget, CopiedObject};
use super::target::Upload;

/// What the first task of a shared object found.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    /// Nothing, and opened an upload.
    Opened(SharedUpload),
    /// The object, which the target has.
    Present(ObjectReceipt),
}

/// Opens the upload of an object, unless the target has the object.
///
/// # Errors
/// The source's object is not the planned one, the target cannot be written, or has another object.
pub(crate) async fn open_shared(
    context: &TaskContext,
    spec: &ObjectCopy,
) -> Result<Opening, CopyError> {
    let object = ObjectToCopy::new(&context.source, context.target.table(), spec)?;
    let key = &object.target.key;
    let length = Length::Exact(spec.size);
    let look = async {
        let _slot = context.look().await;
        match prove(context, &object, length).await? {
            Some(receipt) => Ok(Err(receipt)),
            None => source_of(context, &object, length).await.map(Ok),
        }
    };
    let source = match context.until_stopped(key, look).await? {
        Ok(source) => source,
        Err(receipt) => return Ok(Opening::Present(receipt)),
    };
    let opened = open(context, &object).await?;
    let opened = opened.map_err(|error| CopyError::target(key, &error))?;
    if context.stop.is_cancelled() {
        opened.upload.abort().await;
        return Err(CopyError::lease_expired(key));
    }
    // Other attempts at this task may have opened uploads that nobody will hear of.
    if context.attempt.0 > 1 || opened.openings > 1 {
        opened.upload.sweep_others().await;
    }
    let shared = opened.upload.shared(ETag::new(source.etag).as_ref());
    shared.map(Opening::Opened).ok_or_else(|| no_uploads(key))
}

async fn source_of(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
) -> Result<Described, CopyError> {
    let key = &object.source.key;
    let source = described(context, Side::Source, &object.source.at).await;
    let source = source.map_err(|error| CopyError::source(key, &error))?;
    length.check(key, source.size)?;
    Ok(source)
}

/// Copies some parts of an object, as many at once as there are turns.
///
/// # Errors
/// The source's object changed, a part cannot be read or written, or the upload is gone.
pub(crate) async fn write_parts(
    context: &TaskContext,
    spec: &ObjectCopy,
    shared: &SharedUpload,
    parts: PartRange,
) -> Result<Vec<PartReceipt>, CopyError> {
    let object = ObjectToCopy::new(&context.source, context.target.table(), spec)?;
    let key = &object.target.key;
    let source = state_of(spec, shared);
    let upload = resumed(context, &object, shared)?;
    let (object, upload, source) = (&object, &upload, &source);
    let copies: Vec<_> = parts
        .parts()
        .map(|(number, range)| {
            async move {
                let part = Part { number: number as usize, range, begun: None };
                let copied = copy_part(context, object, upload, source, part).await?;
                Ok(receipt_of(number, copied))
            }
            .boxed()
        })
        .collect();
    let count = copies.len().max(1);
    context.until_stopped(key, stream::iter(copies).buffered(count).try_collect()).await
}

/// Makes the object of its parts, and proves it.
///
/// # Errors
/// The upload is gone or lacks a part, the target cannot be written, or another object has the key.
pub(crate) async fn finish_shared(
    context: &TaskContext,
    spec: &ObjectCopy,
    shared: &SharedUpload,
    parts: &[PartReceipt],
) -> Result<CopiedObject, CopyError> {
    let object = ObjectToCopy::new(&context.source, context.target.table(), spec)?;
    let digests = Digests::of_parts(parts.iter().map(|part| (part.crc64nvme, part.size)));
    if digests.size() != spec.size {
        let key = &object.target.key;
        let message = format!("the parts of {key} have {} bytes together", digests.size());
        return Err(CopyError::new(TaskFailureKind::UploadLost, message));
    }
    let source = state_of(spec, shared);
    let upload = resumed(context, &object, shared)?;
    let ids: Vec<_> = parts.iter().map(|part| PartId { content_id: part.id.clone() }).collect();
    let finished = finish(context, &object, &upload, &ids).await?;
    let mut known = Some(digests.clone());
    let ended = settle_end(context, &object, &source, &upload, finished, &mut known).await?;
    // Whatever else was opened for this key cannot become the object any more.
    upload.sweep().await;
    let copied = match ended {
        EndedUpload::Found(found) => found,
        EndedUpload::New(etag, checksum) => {
            let says = match context.compare(&digests, checksum) {
                StoreSays::Nothing if parts.iter().all(|part| part.is_proved) => StoreSays::Same,
                says => says,
            };
            AtTarget::Written(etag, says).evidence(&digests, source.etag.as_ref())
        }
    };
    confirm(context, &object.target, copied).await
}

fn receipt_of(number: u32, copied: Copied<PartId>) -> PartReceipt {
    PartReceipt {
        number,
        size: copied.digests.size(),
        crc64nvme: copied.digests.crc64nvme(),
        id: copied.ids.content_id,
        is_proved: copied.says == StoreSays::Same,
    }
}

/// The state of the source that all parts are read of.
fn state_of(spec: &ObjectCopy, shared: &SharedUpload) -> SourceState {
    SourceState { size: spec.size, etag: ETag::new(shared.source_etag.as_str()) }
}

fn resumed(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    shared: &SharedUpload,
) -> Result<Upload, CopyError> {
    let upload = context.target.resume(&object.target, shared);
    upload.ok_or_else(|| no_uploads(&object.target.key))
}

fn no_uploads(key: &str) -> CopyError {
    let message = "a disk has no uploads that workers could share";
    CopyError::target(key, &StoreError::new(StoreErrorKind::Unsupported, message))
}
