//! What the table's log says of an object's length.

use super::error::CopyError;

/// The length of an object as the table's log tells it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// The log tells it.
    Exact(u64),
    /// The log tells a lower bound.
    AtLeast(u64),
}

impl Length {
    pub(crate) fn least(self) -> u64 {
        let (Self::Exact(size) | Self::AtLeast(size)) = self;
        size
    }

    /// # Errors
    /// SOURCE_CHANGED when the object `key` cannot be the planned one.
    pub(crate) fn check(self, key: &str, size: u64) -> Result<(), CopyError> {
        let (is_planned, planned) = match self {
            Self::Exact(planned) => (size == planned, format!("{planned}")),
            Self::AtLeast(least) => (size >= least, format!("at least {least}")),
        };
        if is_planned {
            return Ok(());
        }
        let why = format!("has {size} bytes, and the table's log says {planned}");
        Err(CopyError::changed(key, &why))
    }
}
