//! The result of planning.

use crate::change_set::ChangeSet;
use crate::replica::CloneMetrics;

/// The result of planning a CLONE commit.
#[derive(Clone, Debug)]
pub enum SyncPlan {
    /// The replica has this very source commit already.
    UpToDate(UpToDate),
    /// This sync's own commit is in the replica's log: it was published before a crash.
    Published(PublishedAlready),
    /// The replica must change.
    Change(Box<ChangeSet>),
}

/// The replica has the source's state already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpToDate {
    /// The version of the source.
    pub source_version: u64,
    /// The newest version of the replica.
    pub replica_version: u64,
    /// The source's figures in our last commit.
    pub metrics: Option<SourceFigures>,
}

/// The source's figures in a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceFigures {
    /// Bytes of the live data files.
    pub source_table_size: u64,
    /// The number of live logical files.
    pub source_num_of_files: u64,
}

/// The commit of this sync that was found in the replica's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedAlready {
    /// The version of the source.
    pub source_version: u64,
    /// The version of the commit in the replica's log.
    pub replica_version: u64,
    /// False when another sync was published after it.
    pub is_newest: bool,
    /// The figures in the commit.
    pub metrics: Option<CloneMetrics>,
}
