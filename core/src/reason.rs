//! The one table reason → exit code → gRPC code.

/// Why something failed or was refused; its name is the `reason` of an ErrorInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A bug or an impossible state.
    Internal,
    /// A flag, field, URI, predicate or version that is malformed or does not exist.
    InvalidArgument,
    /// A feature, field or service that is not built yet.
    Unimplemented,
    /// The source folder is absent or holds no log.
    NotADeltaTable,
    /// A log needs a feature that Deepclone does not support.
    UnsupportedFeature,
    /// The log is damaged: the file is named.
    DamagedLog,
    /// An object that the source's version needs is missing.
    ObjectVanished,
    /// A source object is not what the log says (size, content).
    ObjectChanged,
    /// The source is another table than the one synced before.
    SourceReplaced,
    /// The target holds a table that Deepclone did not write.
    TargetNotOurs,
    /// The replica belongs to another replication.
    TargetOwned,
    /// Another writer changed the replica.
    TargetDiverged,
    /// An object that is to be copied exists at the target with other bytes.
    TargetConflict,
    /// Another sync of this target won, and the budget of re-bases is spent.
    TargetBusy,
    /// The target's store, or the place in it, cannot hold the replica; found before the copy.
    TargetUnsuitable,
    /// A store or bucket that does not exist or does not answer.
    StorageUnavailable,
    /// A store that refuses the credentials.
    PermissionDenied,
    /// Bytes that differ from their digest after all retries.
    CorruptCopy,
    /// No worker, or none that knows the connections, within the limit.
    NoWorkers,
    /// The job does not exist.
    JobNotFound,
    /// The worker does not exist, or is not known any more.
    WorkerNotFound,
    /// The job was cancelled.
    Cancelled,
    /// The user stopped the command line (Ctrl-C).
    Interrupted,
    /// The coordinator cannot be reached or does not lead.
    CoordinatorUnavailable,
    /// `verify` found a difference.
    VerifyDifference,
    /// More than the coordinator takes on at once: the same may succeed later.
    Overloaded,
    /// The job has ended: nothing of it can be changed any more.
    JobEnded,
    /// There is no replication of this name.
    ReplicationNotFound,
    /// A coordinator wants a credential, or does not know the one that was given.
    Unauthenticated,
    /// A coordinator knows who asks, and does not allow it to them.
    AccessDenied,
}

/// A reason with what it stands for outside.
#[derive(Clone, Copy, Debug)]
pub struct ReasonRow {
    pub reason: Reason,
    /// Its name on the wire and in `--output json`.
    pub name: &'static str,
    /// The exit code of the command line.
    pub exit: u8,
    /// The number of the `google.rpc.Code`.
    pub grpc: i32,
}

const fn row(reason: Reason, name: &'static str, exit: u8, grpc: i32) -> ReasonRow {
    ReasonRow { reason, name, exit, grpc }
}

/// Every reason once, in the order of the enum.
pub const REASONS: &[ReasonRow] = &[
    row(Reason::Internal, "INTERNAL", 1, 13),
    row(Reason::InvalidArgument, "INVALID_ARGUMENT", 2, 3),
    row(Reason::Unimplemented, "UNIMPLEMENTED", 2, 12),
    row(Reason::NotADeltaTable, "NOT_A_DELTA_TABLE", 3, 9),
    row(Reason::UnsupportedFeature, "UNSUPPORTED_FEATURE", 3, 9),
    row(Reason::DamagedLog, "DAMAGED_LOG", 3, 9),
    row(Reason::ObjectVanished, "OBJECT_VANISHED", 3, 9),
    row(Reason::ObjectChanged, "OBJECT_CHANGED", 3, 9),
    row(Reason::SourceReplaced, "SOURCE_REPLACED", 4, 9),
    row(Reason::TargetNotOurs, "TARGET_NOT_OURS", 4, 9),
    row(Reason::TargetOwned, "TARGET_OWNED", 4, 9),
    row(Reason::TargetDiverged, "TARGET_DIVERGED", 4, 9),
    row(Reason::TargetConflict, "TARGET_CONFLICT", 4, 9),
    row(Reason::TargetBusy, "TARGET_BUSY", 4, 10),
    row(Reason::TargetUnsuitable, "TARGET_UNSUITABLE", 4, 9),
    row(Reason::StorageUnavailable, "STORAGE_UNAVAILABLE", 5, 14),
    row(Reason::PermissionDenied, "PERMISSION_DENIED", 5, 7),
    row(Reason::CorruptCopy, "CORRUPT_COPY", 5, 15),
    row(Reason::NoWorkers, "NO_WORKERS", 5, 14),
    row(Reason::JobNotFound, "JOB_NOT_FOUND", 2, 5),
    row(Reason::WorkerNotFound, "WORKER_NOT_FOUND", 2, 5),
    row(Reason::Cancelled, "CANCELLED", 130, 1),
    row(Reason::Interrupted, "INTERRUPTED", 130, 1),
    row(Reason::CoordinatorUnavailable, "COORDINATOR_UNAVAILABLE", 5, 14),
    row(Reason::VerifyDifference, "VERIFY_DIFFERENCE", 6, 9),
    row(Reason::Overloaded, "OVERLOADED", 5, 8),
    row(Reason::JobEnded, "JOB_ENDED", 2, 9),
    row(Reason::ReplicationNotFound, "REPLICATION_NOT_FOUND", 2, 5),
    row(Reason::Unauthenticated, "UNAUTHENTICATED", 5, 16),
    row(Reason::AccessDenied, "ACCESS_DENIED", 5, 7),
];

impl Reason {
    /// Returns the row of this reason.
    #[must_use]
    pub fn row(self) -> &'static ReasonRow {
        // The order of REASONS is the order of the enum; a test holds it.
        &REASONS[self as usize]
    }

    /// Returns the reason with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        REASONS.iter().find(|row| row.name == name).map(|row| row.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_reason_at_its_own_place() {
        for (index, row) in REASONS.iter().enumerate() {
            assert_eq!(row.reason as usize, index);
            assert_eq!(Reason::from_name(row.name), Some(row.reason));
            assert!((0..=16).contains(&row.grpc) && row.grpc != 0);
        }
        assert_eq!(REASONS.len(), Reason::AccessDenied as usize + 1);
    }
}
