//! Why a table cannot be read or published; each variant names the file, feature or key.

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

/// What went wrong with a table's log or its store.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// No folder, or a folder without a log.
    #[error("{uri} is not a delta table: it has no _delta_log with commits")]
    NotATable {
        /// The URI of the folder.
        uri: String,
    },
    /// The log contradicts itself, or a file of it cannot be read.
    #[error("the log is damaged: {file}: {problem}")]
    Damaged {
        /// The log file, relative to the table's folder.
        file: String,
        /// What is wrong with the file.
        problem: String,
    },
    /// The table needs something that cannot be carried.
    #[error("the table uses {}, which cannot be cloned{hint}", .features.join(", "))]
    Unsupported {
        /// The names of the features, or what stands in their place.
        features: Vec<String>,
        /// What to do; empty, or starting with `: `.
        hint: &'static str,
    },
    /// A path in the log that names no object of the table.
    #[error("the path {path:?} cannot be cloned: {problem}")]
    Path {
        /// As the log spells it.
        path: String,
        /// Why it names none.
        problem: &'static str,
    },
    /// A version or timestamp that the log does not hold, or a predicate that does not fit the
    /// table.
    #[error("{0}")]
    Invalid(String),
    /// A version that the log does not hold, or holds no more.
    #[error("{0}")]
    NotHeld(String),
    /// A request to the store failed for good.
    #[error("{operation} {key}: {cause}")]
    Storage {
        /// `reading`, `listing`, `writing` or `deleting`.
        operation: &'static str,
        /// The object or folder, with the table's URI.
        key: String,
        /// The innermost cause, in one line.
        cause: String,
        /// True when the credentials are refused.
        denied: bool,
    },
    /// One of the above, with the side of its table.
    #[error("{side}: {error}")]
    InTable {
        side: Side,
        /// The error of that table.
        error: Box<DeltaError>,
    },
    /// A decision that has its own reason already.
    #[error("{0}")]
    Refused(#[from] Failure),
}

impl DeltaError {
    /// Builds the error of the log file `file`, which cannot be right because of `problem`.
    pub fn damaged(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Damaged { file: file.into(), problem: problem.into() }
    }

    /// Adds the side of the table. A decision names its table itself and stays as it is.
    #[must_use]
    pub fn of(self, side: Side) -> Self {
        match self {
            Self::Refused(_) | Self::InTable { .. } => self,
            error => Self::InTable { side, error: Box::new(error) },
        }
    }

    /// Returns whether the log has become another one since it was listed.
    pub(crate) fn is_overtaken(&self) -> bool {
        match self {
            Self::NotHeld(_) => true,
            Self::InTable { error, .. } => error.is_overtaken(),
            _ => false,
        }
    }

    /// Converts the error to the form that clients see.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let message = self.to_string();
        match self {
            Self::NotATable { .. } => Failure::new(Reason::NotADeltaTable, message),
            Self::Damaged { file, .. } => {
                Failure::new(Reason::DamagedLog, message).with("file", file.as_str())
            }
            Self::Unsupported { features, .. } => Failure::new(Reason::UnsupportedFeature, message)
                .with("feature", features.join(",")),
            Self::Path { path, .. } => {
                Failure::new(Reason::UnsupportedFeature, message).with("path", path.as_str())
            }
            Self::Invalid(_) | Self::NotHeld(_) => Failure::new(Reason::InvalidArgument, message),
            Self::Storage { key, denied, .. } => {
                let reason =
                    if *denied { Reason::PermissionDenied } else { Reason::StorageUnavailable };
                Failure::new(reason, message).with("key", key.as_str())
            }
            Self::InTable { error, .. } => Failure { message, ..error.failure() },
            Self::Refused(failure) => failure.clone(),
        }
    }
}

impl From<DeltaError> for Failure {
    fn from(error: DeltaError) -> Self {
        error.failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_reason_and_one_line() {
        let storage = |denied| DeltaError::Storage {
            operation: "reading",
            key: "k".into(),
            cause: "two\nlines".into(),
            denied,
        };
        let cases = [
            (DeltaError::NotATable { uri: "file:///t".into() }, Reason::NotADeltaTable),
            (DeltaError::damaged("_delta_log/0.json", "empty"), Reason::DamagedLog),
            (
                DeltaError::Unsupported { features: vec!["x".into()], hint: "" },
                Reason::UnsupportedFeature,
            ),
            (DeltaError::Path { path: "../x".into(), problem: "y" }, Reason::UnsupportedFeature),
            (DeltaError::Invalid("no".into()), Reason::InvalidArgument),
            (storage(true), Reason::PermissionDenied),
            (storage(false), Reason::StorageUnavailable),
            (Failure::new(Reason::TargetNotOurs, "no").into(), Reason::TargetNotOurs),
            (DeltaError::damaged("0.json", "no").of(Side::Target), Reason::DamagedLog),
        ];
        for (error, reason) in cases {
            let failure = error.failure();
            assert_eq!(failure.reason, reason);
            assert!(!failure.message.contains('\n'), "{failure}");
        }
        let of_target = DeltaError::damaged("0.json", "no").of(Side::Target).of(Side::Source);
        assert_eq!(of_target.failure().message, "target: the log is damaged: 0.json: no");
        assert_eq!(of_target.failure().details["file"], "0.json");
    }
}
