//! The results of `verify` and of audits, as values.

use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::sample::Sample;

/// The result of `verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The source's version that the replica claims to be.
    pub source_version: u64,
    /// The newest version of the replica.
    pub replica_version: u64,
    /// The number of logical files that were compared.
    pub files: u64,
    /// The number of objects whose presence and size were checked.
    pub objects: u64,
    /// Bytes of the checked data objects.
    pub bytes: u64,
    /// Everything that is wrong; empty if the replica is right.
    pub differences: Vec<Difference>,
    /// Whether delta-rs sees the same live files.
    pub second_opinion: SecondOpinion,
    /// How much was read to compare bytes; `None` if that was not asked for.
    pub deep: Option<DeepReport>,
    /// What an independent reader found in the data; `None` if that was not asked for.
    pub proof: Option<UseProof>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    pub kind: DifferenceKind,
    /// The key, field or feature that is wrong.
    pub subject: String,
    /// One line: what the source and the replica have.
    pub detail: String,
}

/// The kinds of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DifferenceKind {
    /// A live file of the source is not live at the replica.
    FileMissing,
    /// A live file of the replica is not live at the source.
    FileUnexpected,
    /// A shared file differs in another field.
    FileDiffers,
    /// A live object is not at the target.
    ObjectMissing,
    /// An object at the target has another size than the log says.
    ObjectSize,
    /// An object holds other bytes than the source's.
    ObjectBytes,
    /// The source's object is gone, and no ledger has its digest.
    ObjectUnproven,
    /// The protocol lacks something that the source's has.
    Protocol,
    /// Schema, partitioning or properties differ.
    Metadata,
    /// Readers start with a checkpoint that is missing or damaged.
    Checkpoint,
    /// Another writer changed the replica after the last sync.
    Diverged,
    /// The replica's log is gone, or cannot be read.
    Log,
    /// `_deepclone/replica.json` is gone, or cannot be read.
    Hint,
    /// No ledger has the digests of live objects, or a ledger cannot be read.
    Ledger,
    /// delta-rs sees another set of files.
    SecondOpinion,
    /// An independent reader finds other rows than the log says.
    ProofOfUse,
}

impl DifferenceKind {
    /// Returns the kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name: StrDeserializer<'_, ValueError> = name.into_deserializer();
        Self::deserialize(name).ok()
    }

    /// Returns its name in answers, such as `OBJECT_MISSING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FileMissing => "FILE_MISSING",
            Self::FileUnexpected => "FILE_UNEXPECTED",
            Self::FileDiffers => "FILE_DIFFERS",
            Self::ObjectMissing => "OBJECT_MISSING",
            Self::ObjectSize => "OBJECT_SIZE",
            Self::ObjectBytes => "OBJECT_BYTES",
            Self::ObjectUnproven => "OBJECT_UNPROVEN",
            Self::Protocol => "PROTOCOL",
            Self::Metadata => "METADATA",
            Self::Checkpoint => "CHECKPOINT",
            Self::Diverged => "DIVERGED",
            Self::Log => "LOG",
            Self::Hint => "HINT",
            Self::Ledger => "LEDGER",
            Self::SecondOpinion => "SECOND_OPINION",
            Self::ProofOfUse => "PROOF_OF_USE",
        }
    }
}

/// Whether delta-rs sees the same live files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondOpinion {
    /// It sees the same live files.
    Agrees,
    /// It sees others, which are among the differences.
    Disagrees,
    /// It cannot read this table.
    Skipped {
        /// The reason, in one line.
        reason: String,
    },
}

/// How much was read to compare bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeepReport {
    /// The number of objects whose bytes were compared.
    pub objects: u64,
    /// Bytes that were read from the source.
    pub source_bytes_read: u64,
    /// Bytes that were read from the target.
    pub target_bytes_read: u64,
    /// Bytes of the objects that were compared, as the log says them.
    pub bytes: u64,
    /// Bytes of all objects of both sides.
    pub bytes_total: u64,
    /// How the objects were drawn; `None` when all were compared.
    pub sample: Option<Sample>,
}

/// What an independent reader found in the data of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UseProof {
    /// It reads what the log says.
    Proven(ProofFigures),
    /// It reads something else, which is among the differences.
    Refuted(ProofFigures),
    /// It does not know this table's features: that says nothing about the replica.
    NotProvable {
        /// The reason, in one line.
        reason: String,
    },
}

/// How much of a replica was read for a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFigures {
    /// Records of the whole table, by the log and by the reader alike; `None` where the log does
    /// not say those of every file.
    pub records: Option<u64>,
    /// Data files whose rows were read, how many rows and how many columns of them, and the bytes
    /// that were read for it.
    pub files_read: u64,
    pub rows_read: u64,
    pub columns_read: u64,
    pub bytes_read: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name_and_kept_by_it() {
        use DifferenceKind as Kind;
        for kind in [
            Kind::FileMissing,
            Kind::ObjectBytes,
            Kind::Diverged,
            Kind::Hint,
            Kind::SecondOpinion,
            Kind::ProofOfUse,
        ] {
            assert_eq!(Kind::of_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(Kind::of_name("OBJECT"), None);
    }
}
