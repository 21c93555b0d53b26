//! Who makes a call, as the services see it: which tables and connections they may name. What the
//! call is about is told to it, for the record.

use std::sync::{Arc, Mutex, PoisonError};

use deepclone_common::access::Principals;
use deepclone_common::connections::Resolved;
use deepclone_core::access::{Principal, TooLittle};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::replication::{ReplicationSpec, TablePattern};
use deepclone_proto::status::to_status;
use tonic::{Request, Status};

use super::quota::{Quota, StreamTurn};
use crate::state::JobSpec;

/// Who makes a call, and what it is about.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// `None`: nobody is asked, or not for this call.
    principal: Option<Arc<Principal>>,
    /// The file of principals, which may change during the call.
    principals: Option<Arc<Principals>>,
    about: Arc<Mutex<CallSubject>>,
    quota: Arc<Quota>,
}

/// What a call is about, as its service tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSubject {
    /// As `jobs/…` or `replications/…`; empty until it is known.
    pub resource: String,
    /// Nothing is changed, whatever the answer.
    pub is_trial: bool,
}

impl Caller {
    /// Returns the caller of a call, who is one of `principals` and counts in this quota.
    #[must_use]
    pub fn new(
        principal: Arc<Principal>,
        principals: Option<Arc<Principals>>,
        quota: Arc<Quota>,
    ) -> Self {
        Self { principal: Some(principal), principals, about: Arc::default(), quota }
    }

    /// Checks that the caller is still known: for calls that go on for long.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`: the principal is gone, or has another role or scope.
    pub fn is_still_known(&self) -> Result<(), Status> {
        let Some((principal, principals)) = self.principal.as_ref().zip(self.principals.as_ref())
        else {
            return Ok(());
        };
        if principals.has(principal) {
            return Ok(());
        }
        let message = format!("{} is not known any more, or as another one", principal.name);
        Err(to_status(&Failure::new(Reason::Unauthenticated, message)))
    }

    /// Returns who made the request, as the layer found.
    pub fn of<T>(request: &Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }

    /// The name of a caller who is known.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.principal.as_ref().map(|principal| principal.name.as_str())
    }

    /// Allows the caller one more stream, which ends with what is returned; `None` for one that
    /// does not count.
    ///
    /// # Errors
    /// `OVERLOADED`: it has too many.
    pub fn follow(&self) -> Result<Option<StreamTurn>, Status> {
        let turn = self.name().map(|name| self.quota.follow(name)).transpose();
        turn.map_err(|failure| to_status(&failure))
    }

    /// Notes what the call is about.
    pub fn concerns(&self, resource: impl Into<String>) {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).resource = resource.into();
    }

    /// Notes that the call changes nothing.
    pub fn tries(&self) {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).is_trial = true;
    }

    /// What the call is about, as far as its service told.
    #[must_use]
    pub fn subject(&self) -> CallSubject {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// Allows a look at a replica, and at the table that it is of.
    ///
    /// # Errors
    /// `ACCESS_DENIED`: one of them is outside the caller's scope.
    pub fn allow_replica(
        &self,
        source: Option<&Resolved>,
        target: &Resolved,
    ) -> Result<(), Status> {
        self.check(|principal| {
            if let Some(source) = source {
                principal.allow_read(&source.connection, &source.root)?;
            }
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
        let Some(principal) = &self.principal else { return Ok(()) };
        allowed(principal)
            .map_err(|error| to_status(&Failure::new(Reason::AccessDenied, error.to_string())))
    }
}
