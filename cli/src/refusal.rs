//! Refusals before anything is read: wrong arguments, and what is not implemented yet.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

/// Returns the refusal of an argument.
#[must_use]
pub fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Reason::InvalidArgument, message)
}

/// Returns the refusal of a part of the command line that is not implemented yet.
#[must_use]
pub fn not_built_yet(what: &str) -> Failure {
    Failure::new(Reason::Unimplemented, format!("{what} is not built yet"))
}
