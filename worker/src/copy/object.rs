//! One object: proved where it is at the target already, else copied: by the store itself where it
//! can, else in memory if it is small, else as a flow, and by parts if it is large.

use std::sync::atomic::Ordering;

use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use deepclone_core::copy_plan::CopyPlan;
use deepclone_core::limits::HELD_OBJECT_BYTES_MAX;
use deepclone_core::task::ObjectCopy;

use super::by_store::copy_by_store;
use super::confirm::confirm;
use super::context::TaskContext;
use super::error::CopyError;
use super::flow::{FirstWrite, Source};
use super::found::found;
use super::key::ObjectToCopy;
use super::length::Length;
use super::parts::copy_parts;
use super::present::prove_expected;
use super::read::{Known, Reading};
use super::retry::ObjectRetry;
use super::settle::{AtTarget, CopiedObject, Settled, settle};
use super::target::written::Written;
use crate::slots::lane::Slot;

/// Copies one object and proves it.
///
/// # Errors
/// The object cannot be read, cannot be written, or another one has its key.
pub(crate) async fn copy_object(
    context: &TaskContext,
    spec: &ObjectCopy,
) -> Result<CopiedObject, CopyError> {
    let object = ObjectToCopy::new(&context.source, context.target.table(), spec)?;
    let length = match spec.size_is_minimum {
        true => Length::AtLeast(spec.size),
        false => Length::Exact(spec.size),
    };
    let copied = match prove_expected(context, &object, length).await? {
        Some(receipt) => CopiedObject::proved(receipt),
        None => match copy_by_store(context, &object, length).await? {
            Some(copied) => copied,
            None => copy(context, &object, length).await?,
        },
    };
    if copied.receipt.existed {
        context.leftovers.store(true, Ordering::Relaxed);
    }
    confirm(context, &object.target, copied).await
}

async fn copy(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
) -> Result<CopiedObject, CopyError> {
    let key = &object.target.key;
    let first = match (CopyPlan::of(length.least()), length) {
        (CopyPlan::Whole, Length::Exact(size)) if size > HELD_OBJECT_BYTES_MAX => {
            return context.until_stopped(key, copy_flowing(context, object, size)).await;
        }
        (CopyPlan::Whole, _) => None,
        (CopyPlan::Parts(parts), _) => parts.ranges().next(),
    };
    let known = Known::Planned(length);
    let begin = async {
        let slot = context.slot(length).await;
        Reading::open(context, &object.source, first.clone(), &known).await.map(|read| (read, slot))
    };
    let (reading, slot) = context.until_stopped(key, begin).await?;
    match CopyPlan::of(reading.source().size) {
        // It ends its upload itself when the grant is not wanted any more.
        CopyPlan::Parts(parts) => {
            Box::pin(copy_parts(context, object, parts, (reading, slot))).await
        }
        CopyPlan::Whole if reading.source().size <= HELD_OBJECT_BYTES_MAX => {
            context.until_stopped(key, put_held(context, object, reading, slot)).await
        }
        CopyPlan::Whole => {
            let source = reading.source().clone();
            let opened = FirstWrite { from: Source::new(reading), source, written: None };
            context.until_stopped(key, put_flowing(context, object, opened, slot)).await
        }
    }
}

/// Copies an object whose length is known: it is written as soon as it is read.
async fn copy_flowing(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    size: u64,
) -> Result<CopiedObject, CopyError> {
    let length = Length::Exact(size);
    let slot = context.slot(length).await;
    context.check_lease(&object.target.key)?;
    let known = Known::Planned(length);
    let opening = Reading::open(context, &object.source, None, &known);
    let write = |flow| context.target.put_flow(&object.target, flow);
    let opened = Source::open_beside(context, size, opening, write).await?;
    put_flowing(context, object, opened, slot).await
}

/// Writes a small object from memory.
async fn put_held(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    reading: Reading,
    _slot: Slot,
) -> Result<CopiedObject, CopyError> {
    let key = &object.target.key;
    let source = reading.source().clone();
    let (chunks, digests) = reading.collect().await?;
    let mut retry = ObjectRetry::new(&context.counts, Side::Target, StoreOperation::Put);
    // A write whose answer was lost may have been done.
    let mut is_lost = false;
    let at_target = loop {
        context.check_lease(key)?;
        let error = match context.target.put(&object.target, &chunks, context.verification).await {
            Ok(Written::New { etag, checksum, is_checked }) => {
                context.counts.wrote(source.size);
                let says = context.compare(&digests, checksum);
                let says = if is_checked { says.of_checked() } else { says };
                break AtTarget::Written(etag, says);
            }
            Ok(Written::Exists) => match settle(context, object, &digests).await? {
                Settled::Same(etag) if is_lost => break AtTarget::Unheard(etag),
                Settled::Same(etag) => break AtTarget::Found(etag),
                Settled::Absent => taken_no_more(),
            },
            Err(error) => {
                is_lost |= error.kind.is_retryable();
                error
            }
        };
        let Some(pause) = retry.next(&error) else { return Err(CopyError::target(key, &error)) };
        tokio::time::sleep(pause).await;
    };
    Ok(at_target.evidence(&digests, source.etag.as_ref()))
}

fn taken_no_more() -> StoreError {
    StoreError::new(StoreErrorKind::Transient, "the object that had its key is gone")
}

/// Writes an object while it is read. A write that fails is begun again.
async fn put_flowing(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    opened: FirstWrite<Result<Written, StoreError>>,
    _slot: Slot,
) -> Result<CopiedObject, CopyError> {
    let key = &object.target.key;
    let FirstWrite { from, source, written: mut first } = opened;
    let mut retry = ObjectRetry::new(&context.counts, Side::Target, StoreOperation::Put);
    // Of all bytes, once they were read to their end.
    let mut digests = None;
    let mut is_lost = false;
    loop {
        let put = match first.take() {
            Some(put) => put,
            None => {
                context.check_lease(key)?;
                context.target.put_flow(&object.target, from.flow(context).await?).await
            }
        };
        digests = from.ended().await?.or(digests);
        let error = match (put, &digests) {
            (Ok(Written::New { etag, checksum, is_checked }), Some(digests)) => {
                context.counts.wrote(source.size);
                let says = context.compare(digests, checksum);
                let says = if is_checked { says.of_checked() } else { says };
                let at_target = AtTarget::Written(etag, says);
                return Ok(at_target.evidence(digests, source.etag.as_ref()));
            }
            (Ok(Written::New { .. }), None) => return Err(CopyError::unread(key)),
            (Ok(Written::Exists), _) => {
                match found(context, object, &source, &mut digests).await? {
                    Some(found) => return Ok(CopiedObject { is_unheard: is_lost, ..found }),
                    None => taken_no_more(),
                }
            }
            (Err(error), _) => {
                is_lost |= error.kind.is_retryable();
                error
            }
        };
        let Some(pause) = retry.next(&error) else { return Err(CopyError::target(key, &error)) };
        tokio::time::sleep(pause).await;
    }
}
