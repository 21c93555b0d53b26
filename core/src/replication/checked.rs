//! A replication without mistakes.

use std::time::Duration;

use super::bandwidth::BandwidthTimetable;
use super::selection::TableSelection;
use super::spec::ReplicationSpec;
use crate::calendar::schedule::Schedule;
use crate::calendar::windows::Windows;
use crate::calendar::zone::Zone;

/// What [`ReplicationSpec::check`] makes of a declaration: its texts have become what they mean.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CheckedReplication {
    /// As it was written.
    pub spec: ReplicationSpec,
    pub tables: TableSelection,
    pub zone: Zone,
    pub trigger: ReplicationTrigger,
    pub windows: Windows,
    pub bandwidth: BandwidthTimetable,
    /// When the replicas are audited, and when they are vacuumed.
    pub audit: Option<Schedule>,
    pub vacuum: Option<Schedule>,
}

/// What makes a replication due.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplicationTrigger {
    Slots(Schedule),
    /// A commit of the source, which is asked for it at these intervals.
    Commits {
        poll_min: Duration,
        poll_max: Duration,
    },
}
