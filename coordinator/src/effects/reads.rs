//! What effects read of the tables of a job: logs, and the objects beside them.

use std::sync::Arc;

use deepclone_common::connections::Side;
use deepclone_common::store::counted::{StoreCounts, counted};
use deepclone_common::store::table::TableStore;
use deepclone_core::price::Traffic;

/// Counts what is asked of the stores of both sides.
#[derive(Clone, Debug, Default)]
pub struct LogReads {
    source: Arc<StoreCounts>,
    target: Arc<StoreCounts>,
}

impl LogReads {
    /// What was asked so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic {
            bytes: self.source.bytes_read(),
            // A source is never written to.
            source_reads: self.source.reads().saturating_add(self.source.writes()),
            source_lists: self.source.lists(),
            target_reads: self.target.reads(),
            target_lists: self.target.lists(),
            target_writes: self.target.writes(),
        }
    }

    /// The table over a store that is counted.
    pub(super) fn count(&self, side: Side, table: TableStore) -> TableStore {
        let counts = match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        counted(table, Arc::clone(counts))
    }
}
