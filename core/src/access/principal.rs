//! A person or a process that is known by name.

use super::role::{Permission, Role};
use super::scope::Scope;
use crate::failure::Failure;
use crate::reason::Reason;

/// A person or a process that is known by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name in messages and records.
    pub name: String,
    pub role: Role,
    pub scope: Scope,
}

/// Why a principal may not do what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLittle {
    /// The call is for other roles.
    #[error("{name} is a {role}: that may not do this")]
    Role { name: String, role: Role },
    /// The table is out of reach.
    #[error("{name} may not have {place} {what}: it is outside its scope")]
    Scope { name: String, what: &'static str, place: String },
}

impl Principal {
    /// Allows a call that needs `permission`.
    ///
    /// # Errors
    /// The role is another one.
    pub fn allow(&self, permission: Permission) -> Result<(), TooLittle> {
        match self.role.may(permission) {
            true => Ok(()),
            false => Err(TooLittle::Role { name: self.name.clone(), role: self.role }),
        }
    }

    /// Allows that the table at `path` below the root of `connection` is read.
    ///
    /// # Errors
    /// It is outside the scope.
    pub fn allow_read(&self, connection: &str, path: &str) -> Result<(), TooLittle> {
        let is_held = self.scope.read_from.holds(connection, path);
        is_held.then_some(()).ok_or_else(|| self.out_of_scope("read", connection, path))
    }

    /// Allows that the table at `path` below the root of `connection` is written.
    ///
    /// # Errors
    /// It is outside the scope.
    pub fn allow_write(&self, connection: &str, path: &str) -> Result<(), TooLittle> {
        let is_held = self.scope.write_to.holds(connection, path);
        is_held.then_some(()).ok_or_else(|| self.out_of_scope("written", connection, path))
    }

    /// Allows a worker to offer `connection` for reading, for writing, or for both.
    ///
    /// # Errors
    /// No table of it is in the scope.
    pub fn allow_offer(
        &self,
        connection: &str,
        can_read: bool,
        can_write: bool,
    ) -> Result<(), TooLittle> {
        if can_read && !self.scope.read_from.touches(connection) {
            return Err(self.out_of_scope("read", connection, ""));
        }
        if can_write && !self.scope.write_to.touches(connection) {
            return Err(self.out_of_scope("written", connection, ""));
        }
        Ok(())
    }

    fn out_of_scope(&self, what: &'static str, connection: &str, path: &str) -> TooLittle {
        let path = path.trim_start_matches('/');
        let place = match path {
            "" => format!("the connection {connection:?}"),
            path => format!("{:?}", format!("{connection}/{path}")),
        };
        TooLittle::Scope { name: self.name.clone(), what, place }
    }
}

impl From<TooLittle> for Failure {
    fn from(error: TooLittle) -> Self {
        Self::new(Reason::AccessDenied, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Reach;

    fn principal() -> Principal {
        let reach = |place: &str| Reach::Places(vec![place.parse().unwrap()]);
        let scope = Scope { read_from: reach("lake/sales"), write_to: reach("dr") };
        Principal { name: "airflow".to_owned(), role: Role::Submitter, scope }
    }

    #[test]
    fn a_refusal_names_the_principal_and_what_it_lacks() {
        let airflow = principal();
        assert_eq!(airflow.allow(Permission::Submit), Ok(()));
        assert_eq!(airflow.allow_read("lake", "sales/orders"), Ok(()));
        assert_eq!(airflow.allow_write("dr", "hr"), Ok(()));
        for (refused, message) in [
            (airflow.allow(Permission::Operate), "airflow is a submitter: that may not do this"),
            (
                airflow.allow_read("lake", "hr/pay"),
                "airflow may not have \"lake/hr/pay\" read: it is outside its scope",
            ),
            (
                airflow.allow_read("dr", ""),
                "airflow may not have the connection \"dr\" read: it is outside its scope",
            ),
            (
                airflow.allow_write("lake", "sales"),
                "airflow may not have \"lake/sales\" written: it is outside its scope",
            ),
        ] {
            let failure = Failure::from(refused.unwrap_err());
            assert_eq!((failure.reason, &*failure.message), (Reason::AccessDenied, message));
        }
    }

    #[test]
    fn a_worker_offers_only_connections_of_its_scope() {
        let worker = principal();
        for (connection, can_read, can_write, is_allowed) in [
            ("lake", true, false, true),
            ("lake", true, true, false),
            ("lake", false, true, false),
            ("dr", false, true, true),
            ("dr", true, false, false),
            ("other", false, false, true),
        ] {
            let allowed = worker.allow_offer(connection, can_read, can_write).is_ok();
            assert_eq!(allowed, is_allowed, "{connection} {can_read} {can_write}");
        }
    }
}
