//! Objects that the store copies by itself, because it holds both sides.
//!
//! A receipt needs the digest of the bytes, and no worker reads them at the source here. So this is
//! for objects of which the source's store says a checksum, and the copy must have it. S3 says the
//! CRC-64/NVME of both. Azure compares the MD5 that the source has with the bytes that it copies,
//! and says their CRC-64/NVME ([`upload`]). Google Cloud Storage says CRC-32C, so every copy of its
//! own is read back ([`rewriting`]).
//!
//! Small objects flow: a read and a write cost less than the requests of an upload. What the store
//! refuses flows, too, and it is not asked again.

use deepclone_common::connections::{OneStore, Side};
use deepclone_common::store::copying::CopySource;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::requests::Looked;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::copy_plan::PartPlan;
use deepclone_core::limits::HELD_OBJECT_BYTES_MAX;
use deepclone_core::spec::Verification;

use self::asked::{AskedCopy, StoreCopy, looked_at};
use self::rewriting::copy_by_rewriting;
use self::upload::copy_by_upload;
use super::context::TaskContext;
use super::error::CopyError;
use super::etag::ETag;
use super::key::ObjectToCopy;
use super::length::Length;
use super::read::SourceState;
use super::settle::CopiedObject;

mod asked;
mod rewriting;
mod upload;

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
    let Some(store) = context.one_store.as_ref().filter(|store| may_copy(context, store)) else {
        return Ok(None);
    };
    if length.least() <= HELD_OBJECT_BYTES_MAX {
        return Ok(None);
    }
    if let CopySource::Azure(container) = store.source()
        && !container.can_name(&object.source.at.key())
    {
        return Ok(None);
    }
    Box::pin(copy_asked(context, object, length, store)).await
}

async fn copy_asked(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
    store: &OneStore,
) -> Result<Option<CopiedObject>, CopyError> {
    let (source_key, key) = (&object.source.key, &object.target.key);
    let look = async {
        let _slot = context.look().await;
        let answer = looked_at(context, Side::Source, &object.source.at).await;
        answer.map_err(|error| CopyError::source(source_key, &error))
    };
    let Looked { described, checksum, version } = context.until_stopped(key, look).await?;
    length.check(source_key, described.size)?;
    let etag = ETag::new(described.etag).filter(ETag::is_strong);
    if !is_told(context, store, (described.size, checksum)) || etag.is_none() {
        return Ok(None);
    }
    let source = SourceState { size: described.size, etag };
    let asked = AskedCopy { store, source, checksum, generation: version.unwrap_or_default() };
    let copied = match store.source() {
        CopySource::S3(_) | CopySource::Azure(_) => copy_by_upload(context, object, &asked).await?,
        CopySource::Google(bucket) => copy_by_rewriting(context, object, &asked, bucket).await?,
    };
    match copied {
        StoreCopy::Copied(copied) => Ok(Some(copied)),
        StoreCopy::Flows => Ok(None),
        StoreCopy::Refused(error) => flow_instead(store, key, &error),
    }
}

/// Whether only the length of a copy counts. Azure is asked then whatever it says of the source:
/// its blocks tell the digest that a receipt has. The other stores are judged by what they say.
fn counts_length_alone(context: &TaskContext, store: &OneStore) -> bool {
    let is_azure = matches!(store.source(), CopySource::Azure(_));
    is_azure && context.verification == Verification::Size
}

fn may_copy(context: &TaskContext, store: &OneStore) -> bool {
    match counts_length_alone(context, store) {
        true => !store.is_refused(),
        false => store.may_copy(),
    }
}

/// Whether the source's store says the checksum that the copy of so many bytes is judged by.
fn is_told(
    context: &TaskContext,
    store: &OneStore,
    (size, checksum): (u64, Option<StoredChecksum>),
) -> bool {
    if counts_length_alone(context, store) {
        return true;
    }
    let is_told = match store.source() {
        CopySource::S3(_) => matches!(checksum, Some(StoredChecksum::Crc64Nvme(_))),
        CopySource::Azure(_) => matches!(checksum, Some(StoredChecksum::Md5(_))),
        CopySource::Google(_) => matches!(checksum, Some(StoredChecksum::Crc32c(_))),
    };
    store.note_checksum(is_told);
    // An MD5 is of all bytes, and is compared with those of one block.
    let is_one_block = PartPlan::by_store(size).count() == 1;
    is_told && (is_one_block || !matches!(store.source(), CopySource::Azure(_)))
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
