//! What it takes to ask the sources for news: counted for each replication beside its jobs, and
//! made durable once a minute. A coordinator that is killed loses the last minute of it.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::{JobId, ReplicationId};
use deepclone_core::price::Traffic;
use deepclone_core::unix_time::UnixTime;

use super::entry::ReplicationEntry;
use crate::costs::book::{Book, Subject, by_regions};
use crate::effects::Context;
use crate::state::{JobOrigin, StateError, UsageRow};

/// What asking took since the coordinator started.
#[derive(Debug, Default)]
pub(super) struct ProbeCosts {
    book: Book,
    told: BTreeMap<ReplicationId, Traffic>,
    /// Those whose figures are not durable yet.
    due: BTreeSet<ReplicationId>,
}

impl ProbeCosts {
    /// Reads what asking took before.
    pub(super) async fn load(context: &Context, now: UnixTime) -> Result<Self, StateError> {
        let rows = context.store.live_usage().await?;
        let month = context.store.usage(&by_regions(now)).await?;
        // Nothing of it is told again.
        let told = rows.iter().map(|row| (row.job, Traffic::default())).collect();
        let book = Book::recover(context.pricing.clone(), now, &month, rows, &told);
        Ok(Self { book, ..Self::default() })
    }

    /// Counts what one answer took.
    pub(super) fn add(&mut self, id: ReplicationId, reads: Traffic) {
        let told = self.told.entry(id).or_default();
        *told = *told + reads;
        self.due.insert(id);
    }

    /// Notes that these rows could not be made durable.
    pub(super) fn failed(&mut self, rows: &[UsageRow]) {
        self.due.extend(rows.iter().map(|row| ReplicationId(row.job.0)));
    }

    /// The rows that are not durable yet.
    pub(super) fn rows(
        &mut self,
        entries: &BTreeMap<ReplicationId, ReplicationEntry>,
        now: UnixTime,
    ) -> Vec<UsageRow> {
        self.book.set_now(now);
        let Self { book, told, due } = self;
        let row = |id: ReplicationId| {
            let (entry, total) = (entries.get(&id)?, told.get(&id)?);
            let origin = origin(entry);
            let (source, target) = (&entry.spec.source, &entry.spec.target);
            let subject = Subject { source, target, path: "", origin: Some(&origin) };
            // The id of a replication is that of no job.
            book.note_for(JobId(id.0), &subject, *total)
        };
        std::mem::take(due).into_iter().filter_map(row).collect()
    }
}

/// Whose jobs and requests those of a replication are.
pub(super) fn origin(entry: &ReplicationEntry) -> JobOrigin {
    JobOrigin {
        replication: entry.spec.name.to_string(),
        id: Some(entry.id),
        owner: entry.spec.owner.clone().unwrap_or_default(),
        time_zone: entry.checked.zone.name().to_owned(),
        round: None,
    }
}
