//! What to do about a failure.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

/// Returns what to do about it, unless its message says that.
pub(super) fn advice(failure: &Failure) -> Option<&'static str> {
    Some(match failure.reason {
        Reason::UnsupportedFeature => {
            "A feature that changes nothing about files can be carried: name it in \
             allow_features of the replication, or with --allow-feature."
        }
        Reason::SourceReplaced => {
            "If the new table is meant, on_source_replaced = \"reclone\" (--on-source-replaced) \
             starts the replica anew from it."
        }
        Reason::TargetNotOurs => "Give it a target that is empty, or a replica of this source.",
        Reason::TargetDiverged => {
            "Find out who wrote to the replica. on_divergence = \"overwrite\" (--on-divergence) \
             makes it the source's state again."
        }
        Reason::TargetConflict => {
            "Find out what else writes below the target, and give one of both another place."
        }
        Reason::TargetBusy => "Another sync of this target is at work: it is tried again later.",
        Reason::DamagedLog | Reason::ObjectVanished | Reason::ObjectChanged => {
            "The source itself is damaged there: mend the file that is named, or restore the table."
        }
        Reason::StorageUnavailable => {
            "See whether the store answers: `deepclone doctor` tries it as a sync does."
        }
        Reason::PermissionDenied => {
            "Give the credentials of the connection the permission that is named, or others that \
             have it."
        }
        Reason::CorruptCopy => {
            "Run it again. If it comes back, a machine or line between both stores is damaged."
        }
        Reason::NoWorkers => "Start a worker that knows both connections.",
        Reason::Internal => "This is a bug: please report it with the log of the coordinator.",
        Reason::Overloaded | Reason::CoordinatorUnavailable => "The same may succeed later.",
        Reason::InvalidArgument
        | Reason::Unimplemented
        | Reason::NotADeltaTable
        | Reason::TargetOwned
        | Reason::TargetUnsuitable
        | Reason::JobNotFound
        | Reason::WorkerNotFound
        | Reason::Cancelled
        | Reason::Interrupted
        | Reason::VerifyDifference
        | Reason::JobEnded
        | Reason::ReplicationNotFound
        | Reason::Unauthenticated
        | Reason::AccessDenied => return None,
    })
}
