//! How planning ends.

use crate::change_set::ChangeSet;
use crate::replica::CloneMetrics;

/// What a sync must do.
#[derive(Clone, Debug)]
pub enum SyncPlan {
    /// The replica has this very source commit already.
    UpToDate(UpToDate),
    /// This sync's own commit is in the replica's log: it was published before a crash.
    Published(PublishedAlready),
    /// There is something to do.
    Change(Box<ChangeSet>),
}

/// The replica has the source's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpToDate {
    /// The source's version.
    pub source_version: u64,
    /// The replica's newest version.
    pub replica_version: u64,
    /// The source's figures as our last commit tells them.
    pub metrics: Option<SourceFigures>,
}

/// What our last commit says of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFigures {
    /// Bytes of the live data files.
    pub source_table_size: u64,
    /// Live logical files.
    pub source_num_of_files: u64,
}

/// This sync's own commit was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedAlready {
    /// The source's version.
    pub source_version: u64,
    /// The version of the commit in the replica's log.
    pub replica_version: u64,
    /// The figures that the commit tells.
    pub metrics: Option<CloneMetrics>,
}
