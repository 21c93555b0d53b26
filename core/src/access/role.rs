//! Roles, and what each may do.

use std::fmt;
use std::str::FromStr;

/// What a call does, as far as rights are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// It shows jobs, workers, replications and costs, and changes nothing.
    View,
    /// It plans, creates, changes or cancels syncs.
    Submit,
    /// It changes what is kept, and which workers there are.
    Operate,
    /// It takes tasks and reports them, as workers do.
    Work,
}

/// What a principal is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It looks, and changes nothing.
    Viewer,
    /// It looks, and submits syncs.
    Submitter,
    /// It looks, submits, declares replications and drains workers.
    Operator,
    /// It copies, and does nothing else.
    Worker,
}

/// A text that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role: write viewer, submitter, operator or worker")]
pub struct RoleError(String);

impl Role {
    /// Every role, the weakest of those for people first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Submitter, Self::Operator, Self::Worker];

    /// Returns whether the role may make calls that need `permission`.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::View => self != Self::Worker,
            Permission::Submit => matches!(self, Self::Submitter | Self::Operator),
            Permission::Operate => self == Self::Operator,
            Permission::Work => self == Self::Worker,
        }
    }

    /// The name in files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Submitter => "submitter",
            Self::Operator => "operator",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| RoleError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_its_own_things() {
        use Permission::{Operate, Submit, View, Work};
        for (role, allowed) in [
            (Role::Viewer, &[View][..]),
            (Role::Submitter, &[View, Submit]),
            (Role::Operator, &[View, Submit, Operate]),
            (Role::Worker, &[Work]),
        ] {
            for permission in [View, Submit, Operate, Work] {
                assert_eq!(role.may(permission), allowed.contains(&permission), "{role}");
            }
            assert_eq!(role.name().parse(), Ok(role));
        }
        for text in ["", "Viewer", "admin"] {
            let refused = text.parse::<Role>().unwrap_err();
            assert!(refused.to_string().contains("viewer, submitter, operator or worker"));
        }
    }
}
