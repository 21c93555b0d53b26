//! Who makes a call, as the services see it: which tables and connections they may name.

use std::sync::Arc;

use deepclone_core::access::{Principal, TooLittle};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::replication::{ReplicationSpec, TablePattern};
use deepclone_proto::status::to_status;
use tonic::{Request, Status};

use crate::state::JobSpec;

/// Who makes a call.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody is asked, or not for this call.
    Anybody,
    /// Somebody who is known.
    Known(Arc<Principal>),
}

impl Caller {
    /// Returns who made the request, as the layer found.
    pub fn of<T>(request: &Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or(Self::Anybody)
    }

    /// The name of a caller who is known.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Anybody => None,
            Self::Known(principal) => Some(&principal.name),
        }
    }

    /// Allows a sync from its source to its target.
    ///
    /// # Errors
    /// `ACCESS_DENIED`: one of them is outside the caller's scope.
    pub fn allow_sync(&self, job_spec: &JobSpec) -> Result<(), Status> {
        self.check(|principal| {
            let (source, target) = (&job_spec.source, &job_spec.target);
            principal.allow_read(&source.connection, &source.root)?;
            principal.allow_write(&target.connection, &target.root)
        })
    }

    /// Allows a replication, all of what its patterns may come to mean.
    ///
    /// # Errors
    /// `ACCESS_DENIED`: something of it is outside the caller's scope.
    pub fn allow_replication(&self, spec: &ReplicationSpec) -> Result<(), Status> {
        self.check(|principal| {
            for pattern in &spec.include {
                // A malformed pattern is refused by who reads it.
                let Ok(pattern) = pattern.parse::<TablePattern>() else { continue };
                let path = if pattern.is_literal() { pattern.as_str() } else { pattern.folder() };
                principal.allow_read(&spec.source, path)?;
                principal.allow_write(&spec.target, path)?;
            }
            Ok(())
        })
    }

    /// Allows a worker to offer a connection.
    ///
    /// # Errors
    /// `ACCESS_DENIED`: nothing of it is in the caller's scope.
    pub fn allow_offer(&self, name: &str, can_read: bool, can_write: bool) -> Result<(), Status> {
        self.check(|principal| principal.allow_offer(name, can_read, can_write))
    }

    fn check(
        &self,
        allowed: impl FnOnce(&Principal) -> Result<(), TooLittle>,
    ) -> Result<(), Status> {
        let Self::Known(principal) = self else { return Ok(()) };
        allowed(principal).map_err(|error| {
            tracing::warn!("refused: {error}");
            to_status(&Failure::new(Reason::AccessDenied, error.to_string()))
        })
    }
}
