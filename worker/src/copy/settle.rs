//! What a key that is taken means: the object that should be there, nothing any more, or another
//! object, which is replaced only where an unpublished sync of ours wrote it.

use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::evidence::is_replaceable;
use deepclone_core::receipt::{ObjectReceipt, Proof};

use super::context::TaskContext;
use super::digests::{Digests, StoreSays};
use super::error::CopyError;
use super::etag::{ETag, recorded};
use super::key::ObjectToCopy;
use super::proof::{Compared, Expected, compare};

/// How an object came to be at the target, with its tag there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AtTarget {
    /// This copy wrote it, and the store says this of its bytes.
    Written(Option<ETag>, StoreSays),
    /// This copy found it after a write whose answer was lost.
    Unheard(Option<ETag>),
    /// It was there before this copy.
    Found(Option<ETag>),
}

/// What was found under a key that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The same bytes, under this tag.
    Same(Option<ETag>),
    /// Nothing any more: the key may be written.
    Absent,
}

/// A copied object: its evidence, and whether this very copy found it after a lost answer.
#[derive(Clone, Debug)]
pub(crate) struct CopiedObject {
    pub(crate) receipt: ObjectReceipt,
    pub(crate) is_unheard: bool,
    /// True when the store said another checksum of what was written: only its bytes can tell.
    pub(crate) is_doubtful: bool,
    /// True when the store copied it by itself: the worker saw none of its bytes.
    pub(crate) is_by_store: bool,
}

impl CopiedObject {
    /// An object that was proved without a write.
    pub(crate) fn proved(receipt: ObjectReceipt) -> Self {
        Self { receipt, is_unheard: false, is_doubtful: false, is_by_store: false }
    }
}

impl AtTarget {
    /// The evidence of an object with these digests, read from the source under `source_etag`.
    pub(crate) fn evidence(self, digests: &Digests, source_etag: Option<&ETag>) -> CopiedObject {
        let existed = !matches!(self, Self::Written(..));
        let is_unheard = matches!(self, Self::Unheard(_));
        let is_doubtful = matches!(self, Self::Written(_, StoreSays::Other));
        let proof = match self {
            Self::Written(_, StoreSays::Same) => Proof::StoredChecksum,
            Self::Written(_, StoreSays::Nothing | StoreSays::Other) => Proof::Length,
            // It was read to be settled.
            Self::Unheard(_) | Self::Found(_) => Proof::ReadBack,
        };
        let (Self::Written(etag, _) | Self::Unheard(etag) | Self::Found(etag)) = self;
        let receipt = ObjectReceipt {
            size: digests.size(),
            crc64nvme: digests.crc64nvme(),
            source_etag: recorded(source_etag),
            target_etag: recorded(etag.as_ref()),
            existed,
            proof,
        };
        CopiedObject { receipt, is_unheard, is_doubtful, is_by_store: false }
    }
}

/// Reads back what has the object's key at the target.
///
/// # Errors
/// TARGET_CONFLICT when it is another object, which may belong to others.
pub(crate) async fn settle(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    digests: &Digests,
) -> Result<Settled, CopyError> {
    let checksum = StoredChecksum::Crc64Nvme(digests.crc64nvme());
    let expected = Expected { size: digests.size(), checksum };
    match compare(context.target_store(), &object.target, expected, &context.counts).await? {
        Compared::Equal { etag, .. } => Ok(Settled::Same(etag)),
        Compared::Absent => Ok(Settled::Absent),
        Compared::Different { etag, why } => {
            replace(context, object, etag.as_ref(), &why).await.map(|()| Settled::Absent)
        }
    }
}

/// The target has other bytes under the key: deletes them if an unpublished sync of ours wrote
/// them.
///
/// # Errors
/// TARGET_CONFLICT when the object may belong to others.
pub(crate) async fn replace(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    etag: Option<&ETag>,
    why: &str,
) -> Result<(), CopyError> {
    let key = &object.target.key;
    if !is_replaceable(&object.spec.prior, &recorded(etag)) {
        return Err(CopyError::conflict(key, why));
    }
    context.check_lease(key)?;
    tracing::warn!(key, why, "an object of an unpublished sync is deleted and copied again");
    context.target.delete(&object.target, etag).await.map_err(|error| {
        CopyError::conflict(key, &format!("{why}, and it cannot be deleted: {error}"))
    })
}
