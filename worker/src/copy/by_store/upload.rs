//! Copies of S3 and Azure: the parts of an upload are copied by the store.
//!
//! Azure says the CRC-64/NVME of each block that it copies, and the digest of the object follows
//! from those. That is its word of what it read and wrote, and would call a wrong copy right. So
//! the one block of an object is copied under the MD5 that the source has: Azure refuses other
//! bytes. Where only the length counts, no MD5 is compared, and the receipt has no tag of the
//! source, so that nobody takes the digest for that of the source's bytes (ADR 0026).

use deepclone_common::connections::Side;
use deepclone_common::store::copying::{CopiedPart, CopyRange, CopySource, carrying, checksummed};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::copy_plan::PartPlan;
use deepclone_core::receipt::{ObjectReceipt, Proof};
use deepclone_core::spec::Verification;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::asked::{AskedCopy, StoreCopy, looked_at};
use crate::copy::context::TaskContext;
use crate::copy::digests::Digests;
use crate::copy::error::CopyError;
use crate::copy::etag::recorded;
use crate::copy::key::ObjectToCopy;
use crate::copy::parts::{EndedUpload, end, open};
use crate::copy::retry::ObjectRetry;
use crate::copy::settle::CopiedObject;
use crate::copy::target::Upload;

/// What is known of a copy.
struct Evidence {
    proof: Proof,
    /// True when only its bytes can tell.
    is_doubtful: bool,
}

/// Lets the store copy the parts of an upload, and makes the object of them.
///
/// # Errors
/// The source's object is in another state, the target's cannot be written, or another one has its
/// key.
pub(super) async fn copy_by_upload(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    asked: &AskedCopy<'_>,
) -> Result<StoreCopy, CopyError> {
    let AskedCopy { store, source, checksum, .. } = asked;
    let plan = PartPlan::by_store(source.size);
    let md5 = match (store.source(), checksum) {
        (CopySource::Azure(_), Some(StoredChecksum::Md5(md5))) => Some(*md5),
        _ => None,
    };
    let compared = md5.filter(|_| context.verification != Verification::Size);

    let opened = match checksummed(open(context, object)).await? {
        Ok(opened) => opened,
        Err(error) => return Ok(StoreCopy::Refused(error)),
    };
    let ranges = ranges(object, asked, plan, compared);
    let parts = match copy_parts(context, object, &opened.upload, ranges).await {
        Ok(Ok(parts)) => parts,
        ended => {
            opened.upload.abort().await;
            return refused(object, ended?);
        }
    };
    let Some(crc64nvme) = digest(asked, plan, &parts) else {
        opened.upload.abort().await;
        let message = "the store does not say the CRC-64/NVME of what it copies";
        return Ok(StoreCopy::Refused(StoreError::new(StoreErrorKind::Unsupported, message)));
    };
    let parts = Ok(parts.into_iter().map(|part| part.id).collect());
    let ended = carrying(md5, end(context, object, source, opened, parts, None)).await?;
    let (etag, said) = match ended {
        EndedUpload::New(etag, said) => (etag, said),
        EndedUpload::Found(found) => return Ok(StoreCopy::Copied(found)),
    };
    let is_azure = matches!(store.source(), CopySource::Azure(_));
    let Evidence { proof, is_doubtful } = match is_azure {
        true => of_azure(context, object, asked, compared).await?,
        false => of_s3(context, object, asked, said).await?,
    };
    let proved = source.etag.as_ref().filter(|_| !is_azure || compared.is_some());
    let receipt = ObjectReceipt {
        size: source.size,
        crc64nvme,
        source_etag: recorded(proved),
        target_etag: recorded(etag.as_ref()),
        existed: false,
        proof,
    };
    let copied = CopiedObject { receipt, is_unheard: false, is_doubtful, is_by_store: true };
    Ok(StoreCopy::Copied(copied))
}

/// What it means that a part was not copied.
fn refused(
    object: &ObjectToCopy<'_>,
    copied: Result<Vec<CopiedPart>, StoreError>,
) -> Result<StoreCopy, CopyError> {
    let Err(error) = copied else { return Ok(StoreCopy::Flows) };
    match error.kind {
        StoreErrorKind::Precondition => {
            Err(CopyError::changed(&object.source.key, "was replaced before it was copied"))
        }
        // Whoever set the MD5 may have left it behind when the bytes changed. It is this object's.
        StoreErrorKind::ChecksumMismatch => {
            let key = &object.source.key;
            tracing::warn!(key, "the bytes of a source object do not have the MD5 that it says");
            Ok(StoreCopy::Flows)
        }
        _ => Ok(StoreCopy::Refused(error)),
    }
}

/// The CRC-64/NVME of the object: the one that S3 keeps at the source, or the one of the blocks
/// that Azure copied. `None` where they did not tell it.
fn digest(asked: &AskedCopy<'_>, plan: PartPlan, parts: &[CopiedPart]) -> Option<u64> {
    if let Some(StoredChecksum::Crc64Nvme(kept)) = asked.checksum {
        return Some(kept);
    }
    let told = parts.iter().zip(plan.ranges()).map(|(part, range)| match part.checksum {
        Some(StoredChecksum::Crc64Nvme(of_part)) => Some((of_part, range.end - range.start)),
        _ => None,
    });
    let told: Option<Vec<_>> = told.collect();
    Some(Digests::of_parts(told?).crc64nvme())
}

/// What S3 says of its copy, in the answer to the completion or to a HEAD.
async fn of_s3(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    asked: &AskedCopy<'_>,
    said: Option<StoredChecksum>,
) -> Result<Evidence, CopyError> {
    let checksum = match said {
        Some(checksum) => Some(checksum),
        None => kept_at_target(context, object).await?.1,
    };
    let is_same = checksum.is_some() && checksum == asked.checksum;
    let proof = if is_same { Proof::StoredChecksum } else { Proof::Length };
    // Without the checksum only its bytes can tell, where more than their number counts.
    let is_enough = is_same || checksum.is_none() && context.verification == Verification::Size;
    Ok(Evidence { proof, is_doubtful: !is_enough })
}

/// What proves a copy of Azure's, beside that it would have refused other bytes: the length of the
/// object, and that it says the MD5. `compared`: the MD5 that was compared with what was copied.
async fn of_azure(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    asked: &AskedCopy<'_>,
    compared: Option<[u8; 16]>,
) -> Result<Evidence, CopyError> {
    let unseen = Evidence { proof: Proof::Length, is_doubtful: true };
    if context.verification == Verification::ReadBack {
        return Ok(unseen);
    }
    let (size, checksum) = kept_at_target(context, object).await?;
    let carried = compared.map(StoredChecksum::Md5);
    if size != asked.source.size || carried.is_some() && checksum != carried {
        return Ok(unseen);
    }
    let proof = if carried.is_some() { Proof::StoredChecksum } else { Proof::Length };
    Ok(Evidence { proof, is_doubtful: false })
}

/// The length of the copy and the checksum that the store keeps of it.
async fn kept_at_target(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
) -> Result<(u64, Option<StoredChecksum>), CopyError> {
    let at = object.target.path.clone().into();
    let answer = looked_at(context, Side::Target, &at).await;
    let looked = answer.map_err(|error| CopyError::target(&object.target.key, &error))?;
    Ok((looked.described.size, looked.checksum))
}

/// The parts as the store is asked for them. `compared`: the MD5 of the only one.
fn ranges(
    object: &ObjectToCopy<'_>,
    asked: &AskedCopy<'_>,
    plan: PartPlan,
    compared: Option<[u8; 16]>,
) -> impl Iterator<Item = CopyRange> {
    let is_whole = plan.count() == 1;
    let (source, key) = (asked.store.source().clone(), object.source.at.key());
    let etag = recorded(asked.source.etag.as_ref());
    plan.ranges().map(move |range| CopyRange {
        source: source.clone(),
        key: key.clone(),
        etag: etag.clone(),
        length: range.end - range.start,
        range: Some(range).filter(|_| !is_whole),
        md5: compared,
    })
}

/// Lets the store copy all parts, as many at once as there are turns. What it refuses is the inner
/// error.
async fn copy_parts(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    upload: &Upload,
    ranges: impl Iterator<Item = CopyRange>,
) -> Result<Result<Vec<CopiedPart>, StoreError>, CopyError> {
    let copies: Vec<_> = ranges
        .enumerate()
        .map(|(number, range)| copy_part(context, upload, number, range).boxed())
        .collect();
    let count = copies.len();
    let copied = async { Ok(stream::iter(copies).buffered(count).try_collect().await) };
    context.until_stopped(&object.target.key, copied).await
}

/// Lets the store copy a part, and hears its checksum.
async fn copy_part(
    context: &TaskContext,
    upload: &Upload,
    number: usize,
    range: CopyRange,
) -> Result<CopiedPart, StoreError> {
    let _slot = context.slot_of_store(range.length).await;
    let copied = copy_once(context, upload, number, &range).await?;
    context.counts.wrote(range.length);
    if range.md5.is_none() || matches!(copied.checksum, Some(StoredChecksum::Crc64Nvme(_))) {
        return Ok(copied);
    }
    // Azure says the CRC-64/NVME of a block only where it was not told the MD5. The same bytes go
    // into another block, which is no part of the object and is dropped with its completion.
    let unchecked = CopyRange { md5: None, ..range };
    let again = copy_once(context, upload, number + 1, &unchecked).await?;
    Ok(CopiedPart { checksum: again.checksum, ..copied })
}

async fn copy_once(
    context: &TaskContext,
    upload: &Upload,
    number: usize,
    range: &CopyRange,
) -> Result<CopiedPart, StoreError> {
    let mut retry = ObjectRetry::new(&context.counts, Side::Target, StoreOperation::Copy);
    loop {
        context.lease.renewed().await;
        let error = match upload.copy_part(number, range.clone()).await {
            Ok(part) => return Ok(part),
            Err(error) => error,
        };
        let Some(pause) = retry.next(&error) else { return Err(error) };
        tokio::time::sleep(pause).await;
    }
}
