//! What a client asks for: the first step of the ladder.

use std::collections::BTreeMap;

use crate::job_limits::JobLimits;

/// A request to bring a replica to one version of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneSpec {
    /// The table to copy from.
    pub source: TableRef,
    /// Where the replica is, or is to be.
    pub target: TableRef,
    pub mode: Mode,
    pub source_point: SourcePoint,
    /// A predicate over partition columns; `None` for all files.
    pub partition_filter: Option<String>,
    /// Table properties to set on the replica, over the source's.
    pub properties: BTreeMap<String, String>,
    pub verification: Verification,
    pub divergence_policy: DivergencePolicy,
    /// Unknown table features that may be carried all the same.
    pub allowed_features: Vec<String>,
    pub source_replaced_policy: SourceReplacedPolicy,
    /// Whether damaged objects of the replica are brought back instead of a newer version.
    pub repair: Repair,
    /// How fast its workers may copy: no part of what is copied.
    pub limits: JobLimits,
}

/// A table by its URI and, where the URI alone does not tell it, its connection's name.
/// Never a storage option, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRef {
    /// Such as `s3://bucket/path` or `file:///path`.
    pub uri: String,
    /// The connection's name; `None` for the one with the longest root above the URI.
    pub connection: Option<String>,
}

/// What the replica's log is: its own history, or the source's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One `CLONE` commit for each sync.
    #[default]
    Clone,
}

impl Mode {
    /// The mode as the command line and the replica's log write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clone => "clone",
        }
    }
}

/// Which version of the source is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourcePoint {
    /// The newest version when the sync is planned.
    #[default]
    Newest,
    /// The version with this number.
    Version(u64),
    /// The newest version at or before this time, in milliseconds since 1970 (UTC).
    Timestamp(i64),
}

/// How copied bytes are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// By their number alone.
    Size,
    /// By CRC-64/NVME of the bytes read, which the target checks where it can.
    #[default]
    Digest,
    /// By the digest, and by reading the object back at the target.
    ReadBack,
}

/// What happens when another writer changed the replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DivergencePolicy {
    /// The sync is refused.
    #[default]
    Fail,
    /// The sync restores the source's state.
    Overwrite,
}

/// What happens when the source is another table than at the last sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceReplacedPolicy {
    /// The sync is refused.
    #[default]
    Fail,
    /// The sync starts a new lineage on the same replica.
    Reclone,
}

/// Which damage of the replica a sync looks for and mends. It keeps the version that it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// None: an ordinary sync.
    #[default]
    Nothing,
    /// Objects that are missing, or of another length.
    Sizes,
    /// Also those of other bytes, by the digests of all.
    Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_written_by_its_name() {
        assert_eq!(Mode::Clone.name(), "clone");
    }
}
