//! How a write to the target ended.

use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_common::store::streaming::Stored;

use crate::copy::etag::ETag;

/// How a write ended that overwrites nothing. A conflict is no error: whoever wrote reads the
/// object back and compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The object was written.
    New {
        etag: Option<ETag>,
        /// The checksum of its bytes as the store took them, where it says one.
        checksum: Option<StoredChecksum>,
        /// True when the store took a checksum with the request.
        is_checked: bool,
    },
    /// An object has this key already.
    Exists,
}

impl Written {
    /// The end of a write that was answered with `answer`.
    ///
    /// # Errors
    /// Every error that is no refusal of the condition.
    pub(crate) fn of(answer: Result<Stored, StoreError>) -> Result<Self, StoreError> {
        match answer {
            Ok(Stored { etag, checksum, is_checked }) => {
                Ok(Self::New { etag: etag.and_then(ETag::new), checksum, is_checked })
            }
            Err(error) => match error.kind {
                StoreErrorKind::AlreadyExists | StoreErrorKind::Precondition => Ok(Self::Exists),
                _ => Err(error),
            },
        }
    }
}
