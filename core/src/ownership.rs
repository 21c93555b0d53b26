//! Which replication a replica belongs to. Every sync of a replication writes it into its commit,
//! and a sync of another replication is refused.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::failure::Failure;
use crate::reason::Reason;

/// The replication that a replica belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaOwner {
    /// Its name when it synced the replica; for people, and for [`OwnerClaim::takes_over`].
    pub name: String,
    /// What identifies it: random, made when it is created, and kept when it is renamed.
    pub id: Uuid,
}

/// Whose sync it is, and what it may take from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerClaim {
    pub owner: ReplicaOwner,
    /// Names of replications from which it may take replicas.
    pub takes_over: Vec<String>,
}

impl OwnerClaim {
    /// Decides whether a replica with this owner, if it has one, may be synced. One without an
    /// owner is adopted.
    ///
    /// # Errors
    /// `TARGET_OWNED` naming `replica` and its owner.
    pub fn check(&self, replica: &str, known: Option<&ReplicaOwner>) -> Result<(), Failure> {
        match known {
            Some(known) if !self.may_have(known) => Err(owned(replica, known)),
            Some(_) | None => Ok(()),
        }
    }

    /// True when the replica belongs to this very replication.
    #[must_use]
    pub fn has(&self, known: Option<&ReplicaOwner>) -> bool {
        known.is_some_and(|known| known.id == self.owner.id)
    }

    fn may_have(&self, known: &ReplicaOwner) -> bool {
        self.has(Some(known)) || self.takes_over.contains(&known.name)
    }
}

fn owned(replica: &str, ReplicaOwner { name, id }: &ReplicaOwner) -> Failure {
    let message = format!(
        "the replica {replica} belongs to another replication, {name:?} ({id}): choose another \
         target, or write takes_over = [{name:?}] if this replication is to keep it from now on"
    );
    let failure = Failure::new(Reason::TargetOwned, message);
    failure.with("owner", name.clone()).with("owner_id", id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str, id: u128) -> ReplicaOwner {
        ReplicaOwner { name: name.to_owned(), id: Uuid::from_u128(id) }
    }

    #[test]
    fn a_replica_is_synced_by_its_owner_and_by_whom_it_is_left_to() {
        for (known, takes_over, is_allowed, is_own) in [
            (None, &[][..], true, false),
            (Some(owner("shop", 1)), &[], true, true),
            // Renamed since.
            (Some(owner("store", 1)), &[], true, true),
            // The same name elsewhere, or here before the state was lost.
            (Some(owner("shop", 2)), &[], false, false),
            (Some(owner("shop", 2)), &["shop"], true, false),
            (Some(owner("other", 2)), &["shop"], false, false),
            (Some(owner("other", 2)), &["shop", "other"], true, false),
        ] {
            let takes_over = takes_over.iter().map(|name| (*name).to_owned()).collect();
            let claim = OwnerClaim { owner: owner("shop", 1), takes_over };
            let checked = claim.check("s3://b/t", known.as_ref());
            assert_eq!(checked.is_ok(), is_allowed, "{known:?} {claim:?}");
            assert_eq!(claim.has(known.as_ref()), is_own, "{known:?} {claim:?}");
            if let (Err(failure), Some(known)) = (checked, known) {
                assert_eq!(failure.reason, Reason::TargetOwned);
                let takes = format!("takes_over = [{:?}]", known.name);
                assert!(failure.message.contains(&takes), "{failure}");
                assert!(failure.message.contains(&known.id.to_string()), "{failure}");
                assert!(failure.message.contains("s3://b/t"), "{failure}");
            }
        }
    }
}
