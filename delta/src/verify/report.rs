//! What `verify` finds, as values.

/// What `verify` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The source's version that the replica claims to be.
    pub source_version: u64,
    /// The replica's newest version.
    pub replica_version: u64,
    /// Logical files compared.
    pub files: u64,
    /// Objects whose presence and size were checked at the target.
    pub objects: u64,
    /// Bytes of the checked data objects.
    pub bytes: u64,
    /// Everything that is not as it should be; empty: the replica is right.
    pub differences: Vec<Difference>,
    /// What delta-rs says of the replica.
    pub second_opinion: SecondOpinion,
    /// What comparing bytes took; none when it was not asked for.
    pub deep: Option<DeepReport>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// The key, field or feature.
    pub subject: String,
    /// One line: what the source has, what the replica has.
    pub detail: String,
}

/// The kinds of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The source's object is gone, and nothing tells what its bytes were.
    ObjectUnproven,
    /// The protocol lacks something that the source's has.
    Protocol,
    /// Schema, partitioning or properties differ.
    Metadata,
    /// Readers begin with a checkpoint that is not there, or that cannot be read.
    Checkpoint,
    /// Somebody else wrote to the replica after the last sync.
    Diverged,
    /// delta-rs sees another set of files.
    SecondOpinion,
}

/// What delta-rs says of the replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondOpinion {
    /// It sees the same live files.
    Agrees,
    /// It sees others: see the differences.
    Disagrees,
    /// It cannot read this table.
    Skipped {
        /// Why, in one line.
        reason: String,
    },
}

/// What the comparison of bytes took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeepReport {
    /// Objects whose bytes were compared.
    pub objects: u64,
    /// Bytes that were read from the source.
    pub source_bytes_read: u64,
    /// Bytes that were read from the target.
    pub target_bytes_read: u64,
}
