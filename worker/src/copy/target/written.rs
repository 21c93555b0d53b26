//! How a write to the target ended.

use crate::copy::etag::ETag;

/// How a write ended that overwrites nothing. A conflict is no error: whoever wrote reads the
/// object back and compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The object was written, and has this tag.
    New(Option<ETag>),
    /// An object has this key already.
    Exists,
}
