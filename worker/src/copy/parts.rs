//! Large objects: read by ranges of one state of the source, written by parts.

use crc_fast::Digest;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_core::copy_plan::PartPlan;
use deepclone_core::receipt::TaskFailureKind;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::context::TaskContext;
use super::error::CopyError;
use super::key::ObjectToCopy;
use super::read::{Piece, ReadOutcome, SourceState, Want, new_digest, read};
use super::settle::{AtTarget, Settled, settle};
use super::target::Upload;
use super::target::written::Written;
use crate::budget::Reserved;

/// Parts of one object that are read or written at once.
const PARTS_IN_FLIGHT: usize = 4;

/// How an upload ended, as far as its answers tell.
enum Finished {
    /// Its object is at the target.
    New(AtTarget),
    /// Another write made an object of this key.
    Exists,
    /// The answer was lost, or an earlier one was: only the target can tell.
    Unknown,
}

/// Copies an object by parts, or proves the one that is there.
///
/// # Errors
/// The object cannot be read, cannot be written, or another one has its key.
pub(crate) async fn copy_parts(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    source: &SourceState,
    parts: PartPlan,
) -> Result<(Digest, AtTarget), CopyError> {
    let key = &object.target.key;
    let (digest, finished) = if exists(context, object).await? {
        (pump(context, object, source, parts, None).await?, Finished::Exists)
    } else {
        context.check_lease(key)?;
        let opened = context.target.open(&object.target).await;
        let mut upload = opened.map_err(|error| CopyError::target(key, &error))?;
        let pumped = pump(context, object, source, parts, Some(&mut upload)).await;
        match pumped.and_then(|digest| context.check_lease(key).map(|()| digest)) {
            Ok(digest) => (digest, finish(key, upload).await?),
            Err(error) => {
                upload.abort().await;
                return Err(error);
            }
        }
    };
    let is_known = match finished {
        Finished::New(at_target) => return Ok((digest, at_target)),
        Finished::Exists => true,
        Finished::Unknown => false,
    };
    match settle(context, object, &digest).await? {
        Settled::Same(etag) if is_known => Ok((digest, AtTarget::Found(etag))),
        Settled::Same(etag) => Ok((digest, AtTarget::Unheard(etag))),
        Settled::Absent => {
            let message = format!("the upload of {key} ended and left no object");
            Err(CopyError::new(TaskFailureKind::Transient, message))
        }
    }
}

async fn exists(context: &TaskContext, object: &ObjectToCopy<'_>) -> Result<bool, CopyError> {
    let head = || {
        context.counts.request();
        context.target_store().head(&object.target.path)
    };
    match retrying(Patience::OBJECT, head).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(false),
        Err(error) => Err(CopyError::target(&object.target.key, &error)),
    }
}

/// Makes the object of its parts.
async fn finish(key: &str, upload: Upload) -> Result<Finished, CopyError> {
    match upload.finish().await {
        Ok(Written::New(etag)) => Ok(Finished::New(AtTarget::Written(etag))),
        Ok(Written::Exists) => Ok(Finished::Exists),
        Err(error) if is_refusal(&error) => Err(CopyError::target(key, &error)),
        // A lost answer, or an upload that was completed before an answer was lost.
        Err(error) => {
            tracing::info!(key, %error, "the end of an upload is unknown: reading the object back");
            Ok(Finished::Unknown)
        }
    }
}

fn is_refusal(error: &StoreError) -> bool {
    matches!(error.kind, StoreErrorKind::Denied | StoreErrorKind::Unsupported)
}

/// Reads all parts, several at once and given on in order, into the upload; without one, the bytes
/// are only digested. Ends early when the grant is not wanted any more.
async fn pump(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    source: &SourceState,
    parts: PartPlan,
    upload: Option<&mut Upload>,
) -> Result<Digest, CopyError> {
    tokio::select! {
        biased;
        pumped = pump_all(context, object, source, parts, upload) => pumped,
        () = context.stop.cancelled() => Err(CopyError::lease_expired(&object.target.key)),
    }
}

async fn pump_all(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    source: &SourceState,
    parts: PartPlan,
    mut upload: Option<&mut Upload>,
) -> Result<Digest, CopyError> {
    let key = &object.target.key;
    let reads: Vec<_> =
        parts.ranges().map(|range| read_part(context, object, source, range).boxed()).collect();
    let mut pieces = stream::iter(reads).buffered(PARTS_IN_FLIGHT);
    let mut writes = FuturesUnordered::new();
    let mut digest = new_digest();
    loop {
        // Both at once: what is written holds the memory that the next reads wait for.
        let next = tokio::select! {
            biased;
            Some(written) = writes.next() => {
                let () = written?;
                continue;
            }
            next = pieces.try_next(), if writes.len() < PARTS_IN_FLIGHT => next?,
        };
        let Some((piece, reserved)) = next else { break };
        digest.combine(&piece.digest);
        let Some(upload) = upload.as_deref_mut() else { continue };
        context.check_lease(key)?;
        let bytes = piece.digest.get_amount();
        let sent = upload.put_part(piece.chunks);
        writes.push(async move {
            sent.await.map_err(|error| CopyError::target(key, &error))?;
            context.counts.wrote(bytes);
            drop(reserved);
            Ok::<_, CopyError>(())
        });
    }
    while writes.try_next().await?.is_some() {}
    Ok(digest)
}

async fn read_part(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    source: &SourceState,
    range: std::ops::Range<u64>,
) -> Result<(Piece, Reserved), CopyError> {
    let reserved = context.budget.reserve(range.end - range.start).await;
    let want = Want::Part { range, of: source.clone() };
    match read(context.source_store(), &object.source, &want, &context.counts).await? {
        ReadOutcome::Read(piece) => Ok((*piece, reserved)),
        ReadOutcome::Larger(_) => Err(CopyError::changed(&object.source.key, "changed its length")),
    }
}
