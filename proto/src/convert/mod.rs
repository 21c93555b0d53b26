//! Checked conversions between wire types and the vocabulary of `core`, with one error for all.
//!
//! * [`spec`]: what a client asks for.
//! * [`task`]: what a worker gets.
//! * [`outcome`]: what a worker says.
//! * [`time`]: durations and timestamps.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

pub mod outcome;
pub mod spec;
pub mod task;
pub mod time;

#[cfg(test)]
mod tests;

/// A wire message that means nothing in our vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field that must be there is not.
    #[error("the field {field} is missing")]
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// A field holds what it cannot.
    #[error("the field {field} is not valid: {why}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it, and what it must be.
        why: String,
    },
    /// A field asks for what is not built yet.
    #[error("{value} in the field {field} is not built yet")]
    NotBuilt {
        /// The field's name.
        field: &'static str,
        /// What is not built.
        value: &'static str,
    },
}

impl WireError {
    /// An invalid field.
    pub fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let (reason, field) = match &error {
            WireError::Missing { field } | WireError::Invalid { field, .. } => {
                (Reason::InvalidArgument, *field)
            }
            WireError::NotBuilt { field, .. } => (Reason::Unimplemented, *field),
        };
        Failure::new(reason, error.to_string()).with("field", field)
    }
}

/// The value of a field that must be there.
pub(crate) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, WireError> {
    value.ok_or(WireError::Missing { field })
}

/// Bytes of a fixed length.
///
/// # Errors
/// Another length.
pub fn fixed_bytes<const N: usize>(
    bytes: &[u8],
    field: &'static str,
) -> Result<[u8; N], WireError> {
    bytes
        .try_into()
        .map_err(|_| WireError::invalid(field, format!("{} bytes, not {N}", bytes.len())))
}

/// An unknown number of an enum.
pub(crate) fn unknown_enum(field: &'static str, number: i32) -> WireError {
    WireError::invalid(field, format!("this version does not know the value {number}"))
}
