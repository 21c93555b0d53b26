//! An object that a write met under its key: proved to be the one that should be there.

use crc_fast::Digest;

use super::context::TaskContext;
use super::error::CopyError;
use super::key::ObjectToCopy;
use super::length::Length;
use super::present::prove;
use super::read::{Known, Reading, SourceState};
use super::settle::{AtTarget, CopiedObject, Settled, settle};

/// Proves the object that has the key, with as few bytes of the source as possible. `None` when
/// nothing has the key any more.
///
/// # Errors
/// TARGET_CONFLICT when it is another object, which may belong to others.
pub(crate) async fn found(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    source: &SourceState,
    digest: &mut Option<Digest>,
) -> Result<Option<CopiedObject>, CopyError> {
    let digest = match digest {
        Some(digest) => digest,
        None => {
            let length = Length::Exact(source.size);
            if let Some(receipt) = prove(context, object, length).await? {
                return Ok(Some(CopiedObject::proved(receipt)));
            }
            let known = Known::State(source.clone());
            let mut reading = Reading::open(context, &object.source, None, &known).await?;
            while reading.next().await?.is_some() {}
            digest.insert(*reading.digest())
        }
    };
    match settle(context, object, digest).await? {
        Settled::Same(etag) => {
            Ok(Some(AtTarget::Found(etag).evidence(digest, source.etag.as_ref(), None)))
        }
        Settled::Absent => Ok(None),
    }
}
