//! Checked conversions between wire types and the types of `core`, with one error type.
//!
//! * [`spec`]: what a client asks for.
//! * [`task`]: what a worker is given.
//! * [`outcome`]: what a worker reports.
//! * [`replication`]: what a user declares as a standing replication.
//! * [`time`]: durations and timestamps.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

pub mod outcome;
pub mod replication;
mod shared_budget;
pub mod spec;
pub mod task;
pub mod time;

#[cfg(test)]
mod tests;

/// The reason why a wire message cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A required field is missing.
    #[error("the field {field} is missing")]
    Missing {
        /// The path of the field.
        field: &'static str,
    },
    /// A field has a value that it cannot have.
    #[error("the field {field} is not valid: {why}")]
    Invalid {
        /// The path of the field.
        field: &'static str,
        /// What is wrong with the value, and what it must be.
        why: String,
    },
    /// A field asks for something that is not implemented yet.
    #[error("{value} in the field {field} is not built yet")]
    NotBuilt {
        /// The path of the field.
        field: &'static str,
        /// The value that is not implemented.
        value: &'static str,
    },
}

impl WireError {
    /// Returns the error for a field with a wrong value.
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

/// Returns the value of a required field.
pub(crate) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, WireError> {
    value.ok_or(WireError::Missing { field })
}

/// Returns bytes of a fixed length.
///
/// # Errors
/// The bytes have another length.
pub fn fixed_bytes<const N: usize>(
    bytes: &[u8],
    field: &'static str,
) -> Result<[u8; N], WireError> {
    bytes
        .try_into()
        .map_err(|_| WireError::invalid(field, format!("{} bytes, not {N}", bytes.len())))
}

/// Returns the error for an unknown number of an enum.
pub(crate) fn unknown_enum(field: &'static str, number: i32) -> WireError {
    WireError::invalid(field, format!("this version does not know the value {number}"))
}
