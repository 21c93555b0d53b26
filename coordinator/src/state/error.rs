//! The errors of the durable state.

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;

/// Why the durable state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process uses the database.
    #[error("the database {path} is used by another coordinator: stop that one, or name another")]
    Locked { path: String },
    /// Another coordinator leads now.
    #[error("another coordinator took the lead of this database")]
    Deposed,
    /// A job is created under the id of one that ended: a bug of the caller.
    #[error("the job {job} was created and ended before")]
    CreatedTwice { job: JobId },
    /// A row cannot be read.
    #[error("the database holds a {kind} that cannot be read: {why}")]
    Damaged {
        /// The kind of the fact, or the name of the value.
        kind: String,
        why: String,
    },
    /// The file of the database, or its lock, cannot be opened.
    #[error("cannot open the database {path}")]
    File { path: String, source: std::io::Error },
    /// Another version wrote the file.
    #[error("the database {path} cannot be changed by this version: {wrong}")]
    OtherSchema { path: String, wrong: String },
    /// The database returned an error.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl StateError {
    /// Returns the error as it leaves the process.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let reason = match self {
            Self::Locked { .. } | Self::File { .. } | Self::OtherSchema { .. } => {
                Reason::InvalidArgument
            }
            Self::Deposed => Reason::CoordinatorUnavailable,
            Self::CreatedTwice { .. }
            | Self::Damaged { .. }
            | Self::Database(_)
            | Self::Migrate(_) => Reason::Internal,
        };
        let message = match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        };
        Failure::new(reason, message)
    }
}
