//! A check and its verdict.

use deepclone_core::reason::Reason;

use crate::store::error::{StoreError, StoreErrorKind};

/// What came out of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    Ok,
    /// Syncs work, and something is to be known or done.
    Warn,
    /// Syncs would fail or could do harm: this is why.
    Failed(Reason),
    /// It could not be tried.
    Skipped,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub verdict: CheckVerdict,
    /// One line: what was found.
    pub message: String,
    /// One line: what to do; empty when there is nothing to do.
    pub advice: &'static str,
}

impl CheckVerdict {
    /// Returns the word that is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Failed(_) => "FAILED",
            Self::Skipped => "SKIPPED",
        }
    }
}

impl Check {
    pub(super) fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: CheckVerdict::Ok, message: message.into(), advice: "" }
    }

    pub(super) fn warn(
        name: &'static str,
        message: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self { name, verdict: CheckVerdict::Warn, message: message.into(), advice }
    }

    pub(super) fn skipped(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: CheckVerdict::Skipped, message: message.into(), advice: "" }
    }

    pub(super) fn failed(
        name: &'static str,
        reason: Reason,
        message: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self { name, verdict: CheckVerdict::Failed(reason), message: message.into(), advice }
    }

    /// A check that an error of the store ended.
    pub(super) fn refused(name: &'static str, error: &StoreError, advice: &'static str) -> Self {
        Self::failed(name, reason_of(error), error.to_string(), advice)
    }
}

/// Returns why a sync would fail on this error.
pub(super) fn reason_of(error: &StoreError) -> Reason {
    match error.kind {
        kind if kind.is_denied() => Reason::PermissionDenied,
        StoreErrorKind::Unsupported => Reason::TargetUnsuitable,
        _ => Reason::StorageUnavailable,
    }
}
