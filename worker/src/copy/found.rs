//! An object that a write met under its key: proved to be the one that should be there.

use super::context::TaskContext;
use super::digests::Digests;
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
    digests: &mut Option<Digests>,
) -> Result<Option<CopiedObject>, CopyError> {
    let digests = match digests {
        Some(digests) => digests,
        None => {
            let length = Length::Exact(source.size);
            if let Some(receipt) = prove(context, object, length).await? {
                return Ok(Some(CopiedObject::proved(receipt)));
            }
            let known = Known::State(source.clone());
            let mut reading = Reading::open(context, &object.source, None, &known).await?;
            while reading.next().await?.is_some() {}
            digests.insert(reading.digests().clone())
        }
    };
    match settle(context, object, digests).await? {
        Settled::Same(etag) => {
            Ok(Some(AtTarget::Found(etag).evidence(digests, source.etag.as_ref())))
        }
        Settled::Absent => Ok(None),
    }
}
