//! A worker's calls are its own: the principal that registered it makes them, and no other.

use std::collections::BTreeSet;

use dashmap::DashMap;
use deepclone_core::failure::Failure;
use deepclone_core::ids::WorkerId;
use deepclone_core::reason::Reason;

use super::caller::Caller;

/// From here on workers that are not known any more are forgotten.
const WORKERS_MAX: usize = 1024;

/// The principals that registered workers.
#[derive(Debug, Default)]
pub struct WorkerOwners(DashMap<WorkerId, String>);

impl WorkerOwners {
    /// Allows a call in the name of `worker`.
    ///
    /// # Errors
    /// `ACCESS_DENIED`: another principal registered it.
    pub fn allow(&self, worker: WorkerId, caller: &Caller) -> Result<(), Failure> {
        let Some(name) = caller.name() else { return Ok(()) };
        match self.0.get(&worker) {
            Some(owner) if *owner != name => {
                let message = format!("the worker {worker} is not {name}'s");
                Err(Failure::new(Reason::AccessDenied, message))
            }
            _ => Ok(()),
        }
    }

    /// Notes who registers `worker`.
    ///
    /// # Errors
    /// As [`Self::allow`].
    pub fn register(&self, worker: WorkerId, caller: &Caller) -> Result<(), Failure> {
        self.allow(worker, caller)?;
        if let Some(name) = caller.name() {
            self.0.insert(worker, name.to_owned());
        }
        Ok(())
    }

    /// Whether so many are noted that those who are gone should be forgotten.
    pub fn is_full(&self) -> bool {
        self.0.len() >= WORKERS_MAX
    }

    /// Forgets all but these workers.
    pub fn keep(&self, known: &BTreeSet<WorkerId>) {
        self.0.retain(|worker, _| known.contains(worker));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deepclone_core::access::{Principal, Role, Scope};

    use super::*;

    fn known(name: &str) -> Caller {
        let (name, scope) = (name.to_owned(), Scope::default());
        let principal = Principal { name, role: Role::Worker, scope };
        Caller::new(Arc::new(principal), None, Arc::default())
    }

    #[test]
    fn only_the_principal_that_registered_a_worker_speaks_for_it() {
        let owners = WorkerOwners::default();
        let (first, second) = (WorkerId::derive("w", b"1"), WorkerId::derive("w", b"2"));
        let (fleet, thief) = (known("fleet"), known("thief"));
        owners.register(first, &fleet).unwrap();
        owners.register(first, &fleet).unwrap();
        assert!(owners.allow(first, &fleet).is_ok());
        for refused in [owners.allow(first, &thief), owners.register(first, &thief)] {
            assert_eq!(refused.unwrap_err().reason, Reason::AccessDenied);
        }
        // After a start of the coordinator nobody has registered: it does not know the worker.
        assert!(owners.allow(second, &thief).is_ok());
        owners.keep(&BTreeSet::from([second]));
        assert!(owners.register(first, &thief).is_ok());
        assert!(!owners.is_full());
        assert!(owners.allow(first, &Caller::default()).is_ok());
    }
}
