//! How long a source still keeps what the next sync of its replica, or one under way, needs.
//!
//! Commits that are older than the table's `delta.logRetentionDuration` are cleaned up. A sync that
//! does not find them compares the whole tables instead: that takes more requests, and loses
//! nothing. VACUUM deletes files that left the table longer ago than its
//! `delta.deletedFileRetentionDuration`: a sync that still has to copy one is planned again, at a
//! newer version.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lag::Lag;
use crate::unix_time::UnixTime;

/// How long a table keeps what it does not need itself any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRetention {
    /// Commits below its newest checkpoint.
    pub commits: Duration,
    /// Files that left it.
    pub removed_files: Duration,
}

/// What is known of a source and a replica, beside how far it is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionFacts {
    /// As the source's newest plan found it; `None` before there was one.
    pub kept: Option<SourceRetention>,
    /// The source has cleaned up commits that the replica lacks.
    pub is_cleaned: bool,
    /// When the plan of the sync under way was made; `None` when there is none.
    pub planned: Option<UnixTime>,
}

impl RetentionFacts {
    /// Returns how long the source still keeps it; zero when it need not keep it any more, and
    /// `None` when that is not known. A replica that lacks nothing has the whole time.
    #[must_use]
    pub fn headroom(&self, lag: Lag, now: UnixTime) -> Option<Duration> {
        let kept = self.kept?;
        let commits = match lag {
            Lag::InitialCopy => None,
            Lag::Unknown { .. } => return None,
            Lag::Current { .. } => Some(kept.commits),
            Lag::Behind { .. } if self.is_cleaned => Some(Duration::ZERO),
            Lag::Behind { since, .. } => Some(since.after(kept.commits).since(now)),
        };
        let files = self.planned.map(|planned| planned.after(kept.removed_files).since(now));
        commits.into_iter().chain(files).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_the_shortest_counts_and_unknown_is_no_number() {
        const NOW: UnixTime = UnixTime(1_000_000);
        let (commits, removed_files) = (Duration::from_secs(100), Duration::from_secs(50));
        let kept = Some(SourceRetention { commits, removed_files });
        let checked = UnixTime(990_000);
        let behind = |since| Lag::Behind { since: UnixTime(since), checked };
        let (current, unknown) = (Lag::Current { checked }, Lag::Unknown { checked: None });
        for (kept, is_cleaned, planned, lag, seconds) in [
            (None, false, None, current, None),
            (kept, false, None, unknown, None),
            (kept, false, Some(990_000), unknown, None),
            (kept, false, None, Lag::InitialCopy, None),
            // A first copy may outlast what VACUUM leaves.
            (kept, false, Some(970_000), Lag::InitialCopy, Some(20)),
            (kept, false, Some(950_000), Lag::InitialCopy, Some(0)),
            (kept, false, None, current, Some(100)),
            (kept, false, Some(990_000), current, Some(40)),
            (kept, false, None, behind(930_000), Some(30)),
            (kept, false, Some(990_000), behind(930_000), Some(30)),
            (kept, false, Some(955_000), behind(930_000), Some(5)),
            (kept, false, None, behind(899_000), Some(0)),
            (kept, true, None, behind(999_000), Some(0)),
        ] {
            let facts = RetentionFacts { kept, is_cleaned, planned: planned.map(UnixTime) };
            let expect = seconds.map(Duration::from_secs);
            assert_eq!(facts.headroom(lag, NOW), expect, "{facts:?} {lag:?}");
        }
    }
}
