//! One object: proved where it is at the target already, else copied whole or by parts.

use std::sync::atomic::Ordering;

use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::retry::{Patience, Retry, retrying};
use deepclone_core::copy_plan::CopyPlan;
use deepclone_core::limits::WHOLE_OBJECT_BYTES_MAX;
use deepclone_core::receipt::{ObjectReceipt, TaskFailureKind};
use deepclone_core::spec::Verification;
use deepclone_core::task::ObjectCopy;
use object_store::GetOptions;

use super::context::TaskContext;
use super::error::CopyError;
use super::etag::ETag;
use super::key::{ObjectKey, ObjectToCopy, SourceObject};
use super::parts::copy_parts;
use super::present::prove;
use super::proof::{Compared, Expected, compare};
use super::read::{Length, Piece, ReadOutcome, SourceState, Want, read};
use super::settle::{AtTarget, CopiedObject, Settled, settle};
use super::target::written::Written;
use crate::budget::Reserved;

/// What the log does not say of a deletion-vector file: its other vectors.
const MINIMUM_SLACK_BYTES: u64 = 1 << 20;

/// Copies one object and proves it.
///
/// # Errors
/// The object cannot be read, cannot be written, or another one has its key.
pub(crate) async fn copy_object(
    context: &TaskContext,
    spec: &ObjectCopy,
) -> Result<CopiedObject, CopyError> {
    let object = ObjectToCopy {
        spec,
        source: SourceObject::new(&context.source, &spec.source_path)?,
        target: ObjectKey::new(context.target.table(), &spec.target_path)?,
    };
    let length = match spec.size_is_minimum {
        true => Length::AtLeast(spec.size),
        false => Length::Exact(spec.size),
    };
    let copied = match prove(context, &object, length).await? {
        Some(receipt) => CopiedObject { receipt, is_unheard: false },
        None => copy(context, &object, length).await?,
    };
    if copied.receipt.existed {
        context.leftovers.store(true, Ordering::Relaxed);
    } else if context.verification == Verification::ReadBack {
        read_back(context, &object.target, &copied.receipt).await?;
    }
    Ok(copied)
}

/// Reads what was just written; a bad object is deleted, so that the next attempt finds nothing.
async fn read_back(
    context: &TaskContext,
    target: &ObjectKey,
    receipt: &ObjectReceipt,
) -> Result<(), CopyError> {
    let key = &target.key;
    let expected = Expected { size: receipt.size, crc64nvme: receipt.crc64nvme };
    let message = match compare(context.target_store(), target, expected, &context.counts).await? {
        Compared::Equal(_) => return Ok(()),
        Compared::Absent => format!("{key} was written and is not there"),
        Compared::Different { why, .. } => {
            let message = format!("{key} was written and is not what it should be: {why}");
            let written = ETag::new(receipt.target_etag.as_str());
            match context.target.delete(target, written.as_ref()).await {
                Ok(()) => message,
                Err(error) => format!("{message}; it cannot be deleted: {error}"),
            }
        }
    };
    Err(CopyError::new(TaskFailureKind::Corrupt, message))
}

async fn copy(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
) -> Result<CopiedObject, CopyError> {
    let mut seen = match CopyPlan::of(length.least()) {
        CopyPlan::Whole => None,
        CopyPlan::Parts(_) => Some(look_at_source(context, object, length).await?),
    };
    loop {
        if let Some(source) = &seen
            && let CopyPlan::Parts(parts) = CopyPlan::of(source.size)
        {
            let (digest, at_target) = copy_parts(context, object, source, parts).await?;
            return Ok(at_target.evidence(&digest, source.etag.as_ref()));
        }
        let room = seen.map_or(room_for(length), |source| source.size);
        let reserved = context.budget.reserve(room).await;
        let want = Want::Whole { length, most: room };
        match read(context.source_store(), &object.source, &want, &context.counts).await? {
            ReadOutcome::Read(piece) => return put_whole(context, object, *piece, reserved).await,
            ReadOutcome::Larger(source) => seen = Some(source),
        }
    }
}

/// Bytes to hold for an object that is copied whole.
fn room_for(length: Length) -> u64 {
    match length {
        Length::Exact(size) => size,
        Length::AtLeast(least) => (least + MINIMUM_SLACK_BYTES).min(WHOLE_OBJECT_BYTES_MAX),
    }
}

/// The source's object, which must have the planned length.
async fn look_at_source(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
) -> Result<SourceState, CopyError> {
    let key = &object.source.key;
    let head = || {
        context.counts.request();
        let options = GetOptions { head: true, ..GetOptions::default() };
        object.source.at.get(context.source_store(), options)
    };
    let answer =
        retrying(Patience::OBJECT, head).await.map_err(|error| CopyError::source(key, &error))?;
    let meta = &answer.meta;
    length.check(key, meta.size)?;
    Ok(SourceState::of(meta))
}

async fn put_whole(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    piece: Piece,
    _reserved: Reserved,
) -> Result<CopiedObject, CopyError> {
    let key = &object.target.key;
    let mut retry = Retry::new(Patience::OBJECT);
    // A write whose answer was lost may have been done.
    let mut is_lost = false;
    let at_target = loop {
        context.check_lease(key)?;
        let error = match context.target.put(&object.target, &piece.chunks).await {
            Ok(Written::New(etag)) => {
                context.counts.wrote(piece.source.size);
                break AtTarget::Written(etag);
            }
            Ok(Written::Exists) => match settle(context, object, &piece.digest).await? {
                Settled::Same(etag) if is_lost => break AtTarget::Unheard(etag),
                Settled::Same(etag) => break AtTarget::Found(etag),
                Settled::Absent => {
                    let message = "the object that had its key is gone";
                    StoreError::new(StoreErrorKind::Transient, message)
                }
            },
            Err(error) => {
                is_lost |= error.kind.is_retryable();
                error
            }
        };
        let Some(pause) = retry.next(&error) else { return Err(CopyError::target(key, &error)) };
        tokio::time::sleep(pause).await;
    };
    Ok(at_target.evidence(&piece.digest, piece.source.etag.as_ref()))
}
