//! Objects that the store copies by itself, because it holds both sides.
//!
//! A receipt needs the digest of the bytes, and no worker reads them here. So this is for objects
//! whose checksum the source's store says: the target's store must say the same of its copy, else
//! the copy is read back. Small objects flow: a read and a write cost less than the requests of an
//! upload. What the store refuses flows, too, and it is not asked again.

use deepclone_common::connections::{OneStore, Side};
use deepclone_common::store::copying::{CopyRange, checksummed};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::literal::ObjectPath;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::requests::describe;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::copy_plan::PartPlan;
use deepclone_core::evidence::Described;
use deepclone_core::limits::HELD_OBJECT_BYTES_MAX;
use deepclone_core::receipt::{ObjectReceipt, Proof};
use deepclone_core::spec::Verification;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::multipart::PartId;

use super::context::TaskContext;
use super::error::CopyError;
use super::etag::{ETag, recorded};
use super::key::ObjectToCopy;
use super::length::Length;
use super::parts::{EndedUpload, end, open};
use super::read::SourceState;
use super::retry::{ObjectRetry, retrying};
use super::settle::CopiedObject;
use super::target::Upload;

/// Lets the store copy the object. `None` when it is to flow.
///
/// # Errors
/// The source's object is not the planned one or cannot be looked at, the target's cannot be
/// written, or another one has its key.
pub(crate) async fn copy_by_store(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
) -> Result<Option<CopiedObject>, CopyError> {
    let Some(store) = context.one_store.as_ref().filter(|store| store.may_copy()) else {
        return Ok(None);
    };
    if length.least() <= HELD_OBJECT_BYTES_MAX {
        return Ok(None);
    }
    let (source_key, key) = (&object.source.key, &object.target.key);
    let look = async {
        let _slot = context.look().await;
        let answer = seen(context, Side::Source, &object.source.at).await;
        answer.map_err(|error| CopyError::source(source_key, &error))
    };
    let seen = context.until_stopped(key, look).await?;
    length.check(source_key, seen.size)?;
    store.note_checksum(seen.crc64nvme.is_some());
    let etag = ETag::new(seen.etag).filter(ETag::is_strong);
    let (Some(crc64nvme), Some(etag)) = (seen.crc64nvme, etag) else { return Ok(None) };
    let source = SourceState { size: seen.size, etag: Some(etag) };

    let opened = match checksummed(open(context, object)).await? {
        Ok(opened) => opened,
        Err(error) => return flow_instead(store, key, &error),
    };
    let parts = match copy_parts(context, object, &opened.upload, &source, store).await {
        Ok(Ok(parts)) => Ok(parts),
        Ok(Err(error)) if error.kind == StoreErrorKind::Precondition => {
            Err(CopyError::changed(source_key, "was replaced before it was copied"))
        }
        Ok(Err(error)) => {
            opened.upload.abort().await;
            return flow_instead(store, key, &error);
        }
        Err(error) => Err(error),
    };
    let (etag, checksum) = match end(context, object, &source, opened, parts, None).await? {
        EndedUpload::New(etag, checksum) => (etag, checksum),
        EndedUpload::Found(found) => return Ok(Some(found)),
    };
    let checksum = match checksum {
        Some(checksum) => Some(checksum),
        None => checksum_at_target(context, object).await?,
    };
    let is_same = checksum == Some(StoredChecksum::Crc64Nvme(crc64nvme));
    let proof = if is_same { Proof::StoredChecksum } else { Proof::Length };
    // Without the checksum only its bytes can tell, where more than their number counts.
    let is_enough = is_same || checksum.is_none() && context.verification == Verification::Size;
    let is_doubtful = !is_enough;
    let receipt = ObjectReceipt {
        size: source.size,
        crc64nvme,
        source_etag: recorded(source.etag.as_ref()),
        target_etag: recorded(etag.as_ref()),
        existed: false,
        proof,
    };
    Ok(Some(CopiedObject { receipt, is_unheard: false, is_doubtful, is_by_store: true }))
}

/// After an error of the store's own copy: it is asked no more, unless it only asks for patience.
fn flow_instead(
    store: &OneStore,
    key: &str,
    error: &StoreError,
) -> Result<Option<CopiedObject>, CopyError> {
    if error.kind == StoreErrorKind::Throttled {
        return Err(CopyError::target(key, error));
    }
    tracing::info!(key, %error, "the store does not copy by itself: bytes pass this worker");
    store.refuse();
    Ok(None)
}

/// Lets the store copy all parts, as many at once as there are turns. What it refuses is the inner
/// error.
async fn copy_parts(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    upload: &Upload,
    source: &SourceState,
    store: &OneStore,
) -> Result<Result<Vec<PartId>, StoreError>, CopyError> {
    let plan = PartPlan::by_store(source.size);
    let is_whole = plan.count() == 1;
    let copies: Vec<_> = plan
        .ranges()
        .map(|range| CopyRange {
            bucket: store.bucket().to_owned(),
            key: object.source.at.key(),
            etag: recorded(source.etag.as_ref()),
            length: range.end - range.start,
            range: Some(range).filter(|_| !is_whole),
        })
        .enumerate()
        .map(|(number, range)| copy_part(context, upload, number, range).boxed())
        .collect();
    let count = copies.len();
    let copied = stream::iter(copies).buffered(count).try_collect().map(Ok);
    context.until_stopped(&object.target.key, copied).await
}

async fn copy_part(
    context: &TaskContext,
    upload: &Upload,
    number: usize,
    range: CopyRange,
) -> Result<PartId, StoreError> {
    let _slot = context.slot_of_store(range.length).await;
    let mut retry = ObjectRetry::new(&context.counts, Side::Target, StoreOperation::Copy);
    loop {
        context.lease.renewed().await;
        let error = match upload.copy_part(number, range.clone()).await {
            Ok(part) => {
                context.counts.wrote(range.length);
                return Ok(part);
            }
            Err(error) => error,
        };
        let Some(pause) = retry.next(&error) else { return Err(error) };
        tokio::time::sleep(pause).await;
    }
}

/// The checksum that the target's store keeps of its copy, where its completion did not tell it.
async fn checksum_at_target(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
) -> Result<Option<StoredChecksum>, CopyError> {
    let key = &object.target.key;
    let at = object.target.path.clone().into();
    let answer = seen(context, Side::Target, &at).await;
    let seen = answer.map_err(|error| CopyError::target(key, &error))?;
    Ok(seen.crc64nvme.map(StoredChecksum::Crc64Nvme))
}

/// Describes an object with its checksum, whatever is verified: receipts need it.
async fn seen(context: &TaskContext, side: Side, at: &ObjectPath) -> Result<Described, StoreError> {
    retrying(&context.counts, (side, StoreOperation::Head), || {
        context.counts.read_at(side);
        describe(context.store_of(side), at)
    })
    .await
}
