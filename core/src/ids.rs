//! Ids as newtypes: a job cannot be taken for a worker, nor an epoch for an attempt.
//!
//! ```compile_fail
//! use deepclone_core::ids::{JobId, WorkerId};
//! fn cancel(_: JobId) {}
//! fn mix(worker: WorkerId) { cancel(worker); }
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Identifies one sync, also in the replica's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub Uuid);

impl JobId {
    /// Returns the id of the job for one table in one round of a replication, always the same one.
    /// A job that is tried again in that round has another id.
    #[must_use]
    pub fn of_round(
        replication: ReplicationId,
        round: u64,
        table: TableNumber,
        retry: u32,
    ) -> Self {
        Self(uuid_of(
            Sha256::new()
                .chain_update(b"job of a round")
                .chain_update(replication.0.as_bytes())
                .chain_update(round.to_be_bytes())
                .chain_update(table.0.to_be_bytes())
                .chain_update(retry.to_be_bytes()),
        ))
    }
}

/// Identifies a standing replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplicationId(pub Uuid);

impl ReplicationId {
    /// Returns the id of the replication `name`, always the same one.
    #[must_use]
    pub fn derive(name: &str) -> Self {
        Self(uuid_of(Sha256::new().chain_update(b"replication").chain_update(name)))
    }
}

/// The place of a table in its replication. It stays when others come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableNumber(pub u32);

/// Identifies one worker process; derived from its name and its incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub Uuid);

impl WorkerId {
    /// Returns the id of the process `incarnation` of the worker `name`, always the same one.
    #[must_use]
    pub fn derive(name: &str, incarnation: &[u8]) -> Self {
        Self(uuid_of(
            Sha256::new()
                .chain_update((name.len() as u64).to_be_bytes())
                .chain_update(name.as_bytes())
                .chain_update(incarnation),
        ))
    }
}

/// Names a task by its content: the SHA-256 of its source and its ordered (key, size, modification
/// time, step, part range).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskFingerprint(pub [u8; 32]);

/// Names a target table, so that two jobs never write to one at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey(pub [u8; 32]);

/// Names where an object's bytes come from: a table at a place, in one lineage. Another table at
/// the same place is another source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(pub [u8; 32]);

/// Names a connection as one machine resolves it: its name and the fingerprint of its settings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey(pub [u8; 32]);

impl ConnectionKey {
    /// Returns the key of the connection `name` whose settings have this `fingerprint`.
    #[must_use]
    pub fn derive(name: &str, fingerprint: &[u8; 32]) -> Self {
        let digest = Sha256::new()
            .chain_update((name.len() as u64).to_be_bytes())
            .chain_update(name.as_bytes())
            .chain_update(fingerprint)
            .finalize();
        Self(digest.into())
    }
}

/// Identifies a plan: two plans with one digest have the same tasks in the same order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanDigest(pub [u8; 32]);

/// The n-th grant of one task in one epoch, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);

/// Counts the coordinators that led, one after another: each start is a new epoch. Workers ignore
/// answers of lower epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The place of a task in its job's plan, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIndex(pub u32);

/// Names one grant of one task: what a worker holds, reports and is told to abandon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantKey {
    /// The sync that the task belongs to.
    pub job: JobId,
    pub fingerprint: TaskFingerprint,
    /// Which grant of it.
    pub attempt: Attempt,
    /// The epoch in which it was granted.
    pub epoch: Epoch,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Display for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The first bytes of a digest.
fn uuid_of(hasher: Sha256) -> Uuid {
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

macro_rules! short_hex {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "("))?;
                for byte in &self.0[..6] {
                    write!(f, "{byte:02x}")?;
                }
                write!(f, ")")
            }
        }
    )+};
}

short_hex!(TaskFingerprint, TargetKey, SourceKey, ConnectionKey, PlanDigest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_as_bare_uuids_and_hashes_by_their_beginning() {
        let id = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        let bare = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!([JobId(id).to_string(), WorkerId(id).to_string()], [bare, bare]);
        assert_eq!(ReplicationId(id).to_string(), bare);
        assert_eq!(format!("{:?}", TargetKey([0xab; 32])), "TargetKey(abababababab)");
    }

    #[test]
    fn an_id_is_derived_from_both_of_its_parts() {
        assert_eq!(WorkerId::derive("w", b"1"), WorkerId::derive("w", b"1"));
        assert_ne!(WorkerId::derive("w", b"1"), WorkerId::derive("w1", b""));
        let key = |name, fingerprint| ConnectionKey::derive(name, &[fingerprint; 32]);
        assert_eq!(key("lake", 1), key("lake", 1));
        assert_ne!(key("lake", 1), key("lake", 2));
        assert_ne!(key("lake", 1), key("sea", 1));
    }

    #[test]
    fn a_job_of_a_round_is_known_by_all_that_it_is_for() {
        let (a, b) = (ReplicationId::derive("a"), ReplicationId::derive("b"));
        assert_eq!(a, ReplicationId::derive("a"));
        let job = |replication, round, table, retry| {
            JobId::of_round(replication, round, TableNumber(table), retry)
        };
        let jobs =
            [job(a, 1, 2, 0), job(a, 1, 2, 1), job(a, 1, 0, 2), job(a, 2, 1, 0), job(b, 1, 2, 0)];
        let different: std::collections::BTreeSet<JobId> = jobs.into_iter().collect();
        assert_eq!(different.len(), jobs.len());
        assert_eq!(job(a, 1, 2, 0), jobs[0]);
    }
}
