//! When a deletion arrived in a replica.

use uuid::Uuid;

use crate::history::SyncRecord;

/// What a proof needs of a sync that a replica's log records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSync {
    /// The version of the replica, and when it was committed in milliseconds since 1970.
    pub version: u64,
    pub timestamp_ms: i64,
    /// The source's URI, without credentials, its version, and when that was committed.
    pub source_uri: String,
    pub source_version: u64,
    pub source_commit_ms: i64,
    /// The id of the job.
    pub sync_id: Uuid,
}

impl From<&SyncRecord> for RecordedSync {
    fn from(record: &SyncRecord) -> Self {
        Self {
            version: record.version,
            timestamp_ms: record.timestamp_ms,
            source_uri: record.source_uri.clone(),
            source_version: record.body.source_version,
            source_commit_ms: record.body.source_commit_time,
            sync_id: record.body.sync_id,
        }
    }
}

/// The first version of a replica that holds what its source deleted up to a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionArrival {
    /// The sync that brought it.
    pub record: RecordedSync,
    /// False when an earlier version may have held it: the log records no older sync any more.
    pub is_first: bool,
}

/// Which versions of a source surely hold what it deleted up to a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldFrom {
    /// Those that were committed at this time or later, in milliseconds since 1970.
    Time(i64),
    /// This one and later ones, as the source's own log tells.
    Version(u64),
}

impl HeldFrom {
    fn has(self, record: &SyncRecord) -> bool {
        match self {
            Self::Time(from_ms) => record.body.source_commit_time >= from_ms,
            Self::Version(from) => record.body.source_version >= from,
        }
    }
}

/// Finds the sync that brought a deletion among a replica's records, the newest first: the first
/// one of a source version that holds it, and after which each one did, too. `None` when the newest
/// sync is of an older version.
#[must_use]
pub fn arrival(records: &[SyncRecord], held: HeldFrom) -> Option<DeletionArrival> {
    let holds = |record: &&SyncRecord| held.has(record);
    let count = records.iter().take_while(holds).count();
    let record = RecordedSync::from(records[..count].last()?);
    // Version 0 is the first of all.
    let is_first = count < records.len() || record.version == 0;
    Some(DeletionArrival { record, is_first })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(version: u64, source_ms: i64) -> SyncRecord {
        let info = json!({"timestamp": 5, "operationParameters": {"source": "s3://b/t"},
            "deepclone": {"syncId": "00000000-0000-0000-0000-000000000001", "mode": "clone",
                "tableId": "i", "checkpointInterval": 10, "lineage": "l", "scope": "s",
                "settings": "e", "sourceId": "a", "sourceVersion": version,
                "sourceCommitTime": source_ms}});
        SyncRecord::parse(version, &info.to_string()).unwrap()
    }

    #[test]
    fn a_source_that_committed_nothing_since_is_told_by_its_version() {
        let records = [record(1, 20), record(0, 10)];
        for (held, expect) in [
            (HeldFrom::Time(25), None),
            (HeldFrom::Version(1), Some(1)),
            (HeldFrom::Version(0), Some(0)),
            (HeldFrom::Version(2), None),
        ] {
            let found = arrival(&records, held).map(|found| found.record.version);
            assert_eq!(found, expect, "{held:?}");
        }
    }

    #[test]
    fn the_oldest_sync_of_the_date_or_later_brought_the_deletion() {
        for (syncs, before_ms, expect) in [
            (&[(0, 10), (1, 20), (2, 30)][..], 20, Some((1, true))),
            (&[(0, 10), (1, 20), (2, 30)], 21, Some((2, true))),
            (&[(0, 10), (1, 20), (2, 30)], 31, None),
            (&[(0, 10), (1, 20)], 5, Some((0, true))),
            // The log was cleaned up.
            (&[(7, 20), (8, 30)], 15, Some((7, false))),
            (&[(7, 20), (8, 30)], 25, Some((8, true))),
            // A version of an older time came after it.
            (&[(0, 30), (1, 10), (2, 40)], 25, Some((2, true))),
            (&[(0, 30), (1, 10)], 25, None),
            (&[], 0, None),
        ] {
            let records: Vec<_> = syncs.iter().rev().map(|(at, ms)| record(*at, *ms)).collect();
            let found = arrival(&records, HeldFrom::Time(before_ms));
            let found = found.map(|found| (found.record.version, found.is_first));
            assert_eq!(found, expect, "{syncs:?} {before_ms}");
        }
    }
}
