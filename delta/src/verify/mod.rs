//! Is the replica what its last sync says: log state, objects, and delta-rs's opinion.
//!
//! Flow: the replica's head tells which source version it claims to be; the source is read at
//! that version with the same filter; live keys, sizes, protocol and metadata are compared; the
//! target's objects are listed once and their sizes compared; delta-rs reads the replica too.

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
    /// The protocol lacks something that the source's has.
    Protocol,
    /// Schema, partitioning or properties differ.
    Metadata,
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
