//! What a client asks for: the first rung of the ladder.

use std::collections::BTreeMap;

/// A request to bring a replica to one version of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneSpec {
    /// The table copied from.
    pub source: TableRef,
    /// Where to.
    pub target: TableRef,
    /// Own history or the source's log.
    pub mode: Mode,
    /// Which version of the source.
    pub source_point: SourcePoint,
    /// A predicate over partition columns; none: all files.
    pub partition_filter: Option<String>,
    /// Table properties to set on the replica over the source's.
    pub properties: BTreeMap<String, String>,
    /// How copied bytes are proved.
    pub verification: Verification,
    /// What to do when somebody else wrote to the replica.
    pub divergence_policy: DivergencePolicy,
    /// Unknown table features that may be carried all the same.
    pub allowed_features: Vec<String>,
    /// What to do when the source is another table than before.
    pub source_replaced_policy: SourceReplacedPolicy,
}

/// A table by its URI and, where it is not found by the URI alone, its connection's name.
/// Never a storage option, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRef {
    /// `s3://bucket/path`, `file:///path`, …
    pub uri: String,
    /// The connection's name; none: the one with the longest root above the URI.
    pub connection: Option<String>,
}

/// Own history or the source's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One `CLONE` commit a sync.
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

/// Which version of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourcePoint {
    /// The newest one.
    #[default]
    Newest,
    /// This one.
    Version(u64),
    /// The newest one at or before this time, in milliseconds since 1970 (UTC).
    Timestamp(i64),
}

/// How copied bytes are proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// The length.
    Size,
    /// CRC-64/NVME of the bytes read, checked by the target where it can.
    #[default]
    Digest,
    /// Also read back at the target.
    ReadBack,
}

/// What to do when somebody else wrote to the replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DivergencePolicy {
    /// Refuse.
    #[default]
    Fail,
    /// Make it the source's state again.
    Overwrite,
}

/// What to do when the source is another table than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceReplacedPolicy {
    /// Refuse.
    #[default]
    Fail,
    /// Start a new lineage on the same replica.
    Reclone,
}
