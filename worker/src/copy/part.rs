//! One part of a large object: a range of one state of the source, read and written on its own.

use std::ops::Range;

use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use object_store::multipart::PartId;

use super::context::TaskContext;
use super::digests::{Digests, StoreSays};
use super::error::CopyError;
use super::flow::Source;
use super::key::ObjectToCopy;
use super::read::{Known, Reading, SourceState};
use super::retry::ObjectRetry;
use super::target::Upload;
use crate::slots::lane::Slot;

/// A part to copy.
pub(crate) struct Part {
    pub(crate) number: usize,
    pub(crate) range: Range<u64>,
    /// The read of it, where it has begun.
    pub(crate) begun: Option<(Reading, Slot)>,
}

/// Parts that are at the target, one or all of them.
pub(crate) struct Copied<T> {
    pub(crate) digests: Digests,
    pub(crate) ids: T,
    /// What the store says of their bytes: nothing, unless it does so of each.
    pub(crate) says: StoreSays,
}

/// Copies one part. A write that fails is begun again.
pub(crate) async fn copy_part(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    upload: &Upload,
    source: &SourceState,
    part: Part,
) -> Result<Copied<PartId>, CopyError> {
    let key = &object.target.key;
    let Part { number, range, begun } = part;
    let length = range.end - range.start;
    let (from, mut first, _slot) = match begun {
        Some((reading, slot)) => (Source::new(reading), None, slot),
        None => {
            let slot = context.slot_of_part(length).await;
            context.lease.renewed().await;
            let known = Known::State(source.clone());
            let opening = Reading::open(context, &object.source, Some(range.clone()), &known);
            let write = |flow| upload.put_part(number, range.start, flow);
            let opened = Source::open_beside(context, length, opening, write).await?;
            (opened.from, opened.written, slot)
        }
    };
    let mut retry = ObjectRetry::new(&context.counts, Side::Target, StoreOperation::PutPart);
    loop {
        let put = match first.take() {
            Some(put) => put,
            None => {
                context.lease.renewed().await;
                upload.put_part(number, range.start, from.flow(context).await?).await
            }
        };
        let error = match (put, from.ended().await?) {
            (Ok((ids, checksum)), Some(digests)) => match context.compare(&digests, checksum) {
                says @ (StoreSays::Same | StoreSays::Nothing) => {
                    context.counts.wrote(length);
                    let says = if upload.is_checked() { says.of_checked() } else { says };
                    return Ok(Copied { digests, ids, says });
                }
                StoreSays::Other => {
                    let message = "the store took other bytes than those that were sent";
                    StoreError::new(StoreErrorKind::Transient, message)
                }
            },
            (Ok(_), None) => return Err(CopyError::unread(key)),
            (Err(error), _) => error,
        };
        let Some(pause) = retry.next(&error) else { return Err(CopyError::upload(key, &error)) };
        tokio::time::sleep(pause).await;
    }
}
