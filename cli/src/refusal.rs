//! What is refused before anything is read: arguments that cannot be meant, and what is not built.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

/// The refusal of an argument.
#[must_use]
pub fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Reason::InvalidArgument, message)
}

/// The refusal of a part of the fixed command line that is not built yet.
#[must_use]
pub fn not_built_yet(what: &str) -> Failure {
    Failure::new(Reason::Unimplemented, format!("{what} is not built yet"))
}
