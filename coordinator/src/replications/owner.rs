//! What identifies a replication at its targets, whatever it is called.

use deepclone_core::ownership::{OwnerClaim, ReplicaOwner};
use deepclone_core::replication::ReplicationSpec;
use uuid::Uuid;

/// Makes the identity of a new replication, which is its id, too; and one beside the id of a
/// replication of before, whose id follows from its name.
pub(super) fn new_owner() -> Uuid {
    Uuid::new_v4()
}

/// What a replication with this identity says of itself when it syncs.
pub(super) fn claim(spec: &ReplicationSpec, owner: Uuid) -> OwnerClaim {
    OwnerClaim {
        owner: ReplicaOwner { name: spec.name.to_string(), id: owner },
        takes_over: spec.takes_over.iter().map(ToString::to_string).collect(),
    }
}
