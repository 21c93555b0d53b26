//! Why a copy failed: the kind, which decides whether another attempt makes sense, and one line
//! that names the object.

use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_core::receipt::TaskFailureKind;

/// A failed copy of one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CopyError {
    pub(crate) kind: TaskFailureKind,
    pub(crate) message: String,
}

impl CopyError {
    pub(crate) fn new(kind: TaskFailureKind, message: String) -> Self {
        Self { kind, message }
    }

    /// The source does not give the object.
    pub(crate) fn source(key: &str, error: &StoreError) -> Self {
        let kind = match error.kind {
            StoreErrorKind::NotFound => {
                let message = format!("the source has no object {key}");
                return Self::new(TaskFailureKind::SourceNotFound, message);
            }
            StoreErrorKind::Precondition => TaskFailureKind::SourceChanged,
            StoreErrorKind::BucketMissing
            | StoreErrorKind::Denied
            | StoreErrorKind::Stale
            | StoreErrorKind::Unsupported => TaskFailureKind::SourceDenied,
            StoreErrorKind::Throttled => TaskFailureKind::Throttled,
            _ => TaskFailureKind::Transient,
        };
        Self::new(kind, format!("cannot read {key} from the source: {error}"))
    }

    /// The target does not take the object, or does not give it back.
    pub(crate) fn target(key: &str, error: &StoreError) -> Self {
        let kind = match error.kind {
            StoreErrorKind::BucketMissing
            | StoreErrorKind::Denied
            | StoreErrorKind::Stale
            | StoreErrorKind::Unsupported => TaskFailureKind::TargetDenied,
            StoreErrorKind::Throttled => TaskFailureKind::Throttled,
            _ => TaskFailureKind::Transient,
        };
        Self::new(kind, format!("cannot write {key} to the target: {error}"))
    }

    /// The source's object is not the planned one.
    pub(crate) fn changed(key: &str, why: &str) -> Self {
        Self::new(TaskFailureKind::SourceChanged, format!("the source object {key} {why}"))
    }

    /// The target does not take a part of the object, or the end of its upload.
    pub(crate) fn upload(key: &str, error: &StoreError) -> Self {
        match error.kind {
            StoreErrorKind::UploadLost | StoreErrorKind::NotFound => {
                let message = format!("the upload of {key} is not as it was left: {error}");
                Self::new(TaskFailureKind::UploadLost, message)
            }
            _ => Self::target(key, error),
        }
    }

    /// The target has another object under the key.
    pub(crate) fn conflict(key: &str, why: &str) -> Self {
        let message = format!(
            "the target has another object under {key}: {why}; delete it if it is nobody's, or \
             choose another target folder"
        );
        Self::new(TaskFailureKind::TargetConflict, message)
    }

    /// The target says that it has the object, and did not ask for all bytes.
    pub(crate) fn unread(key: &str) -> Self {
        let message = format!("the target took {key} without all of its bytes");
        Self::new(TaskFailureKind::Corrupt, message)
    }

    /// The lease ended: no write may start.
    pub(crate) fn lease_expired(key: &str) -> Self {
        let message = format!("the lease ended before {key} was copied");
        Self::new(TaskFailureKind::LeaseExpired, message)
    }

    /// The key cannot be named at a store.
    pub(crate) fn bad_key(key: &str) -> Self {
        let message = format!("the key {key:?} cannot be named at a store");
        Self::new(TaskFailureKind::SourceNotFound, message)
    }
}
