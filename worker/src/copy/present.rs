//! Proves an object that may be at the target already, without reading the source where a stored
//! checksum or unchanged entity tags tell enough.

#[cfg(test)]
mod tests;

use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::literal::ObjectPath;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::requests::{describe, describe_by_size};
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::evidence::{Described, Prior, Verdict, judge};
use deepclone_core::receipt::{ObjectReceipt, Proof};
use deepclone_core::spec::Verification;

use super::context::TaskContext;
use super::error::CopyError;
use super::etag::ETag;
use super::key::ObjectToCopy;
use super::length::Length;
use super::proof::{Compared, Expected, compare};
use super::retry::retrying;
use super::settle::replace;

/// As [`prove`], where there is any reason to expect the object at the target.
pub(crate) async fn prove_expected(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
) -> Result<Option<ObjectReceipt>, CopyError> {
    if object.spec.prior == Prior::Absent && !context.may_have_leftovers() {
        return Ok(None);
    }
    let look = async {
        let _slot = context.look().await;
        prove(context, object, length).await
    };
    context.until_stopped(&object.target.key, look).await
}

/// The receipt of an object that the target holds. `None` where it is to be copied: it is not
/// there, or only the source's bytes can tell.
///
/// # Errors
/// TARGET_CONFLICT when the target holds another object, which may belong to others.
pub(crate) async fn prove(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    length: Length,
) -> Result<Option<ObjectReceipt>, CopyError> {
    let prior = &object.spec.prior;
    let at = object.target.path.clone().into();
    let target = match described(context, Side::Target, &at).await {
        Ok(target) => target,
        Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CopyError::target(&object.target.key, &error)),
    };
    let key = &object.source.key;
    let source = described(context, Side::Source, &object.source.at)
        .await
        .map_err(|error| CopyError::source(key, &error))?;
    length.check(key, source.size)?;
    let (crc64nvme, proof) = match judge(prior, &source, &target) {
        Verdict::Same { crc64nvme, proof } => (crc64nvme, proof),
        Verdict::ReadSource => return Ok(None),
        Verdict::Different => {
            let why = match source.size == target.size {
                true => "its bytes have another digest".to_owned(),
                false => format!("it has {} bytes, not {}", target.size, source.size),
            };
            let etag = ETag::new(target.etag);
            return replace(context, object, etag.as_ref(), &why).await.map(|()| None);
        }
        Verdict::ReadTarget { crc64nvme } => {
            let checksum = StoredChecksum::Crc64Nvme(crc64nvme);
            let expected = Expected { size: source.size, checksum };
            let (store, counts) = (context.target_store(), &context.counts);
            match compare(store, &object.target, expected, counts).await? {
                Compared::Equal { .. } => (crc64nvme, Proof::ReadBack),
                Compared::Absent => return Ok(None),
                Compared::Different { etag, why } => {
                    return replace(context, object, etag.as_ref(), &why).await.map(|()| None);
                }
            }
        }
    };
    Ok(Some(ObjectReceipt {
        size: source.size,
        crc64nvme,
        source_etag: source.etag,
        target_etag: target.etag,
        existed: true,
        proof,
    }))
}

/// Describes an object, with its checksum where more than its size counts.
pub(crate) async fn described(
    context: &TaskContext,
    side: Side,
    at: &ObjectPath,
) -> Result<Described, StoreError> {
    retrying(&context.counts, (side, StoreOperation::Head), || async {
        context.counts.read_at(side);
        let store = context.store_of(side);
        match context.verification {
            Verification::Size => describe_by_size(store, at).await,
            Verification::Digest | Verification::ReadBack => describe(store, at).await,
        }
    })
    .await
}
