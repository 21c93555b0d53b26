//! How much the first round of a declaration would send, as far as plans that are made in a bounded
//! time tell it.

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::price::Traffic;
use futures::{StreamExt as _, stream};
use tokio::time::Instant;
use uuid::Uuid;

use super::look::{SurveyOrder, in_time};
use super::table_job::table_job;
use crate::effects::preview::{Preview, ToCopy, preview};
use crate::effects::{Context, guarded};

/// Tables of one replication that are planned.
const TABLES_MAX: usize = 64;
/// Tables of one replication whose plans are asked for at once; fewer are made at once.
const TABLES_AT_ONCE_MAX: usize = 4;
/// Refusals that are named one by one.
const REFUSALS_NAMED_MAX: usize = 5;

/// What is to be sent, of the tables that were planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyEstimate {
    /// Bytes of the objects that are to be copied.
    pub bytes: u64,
    /// These and their requests, and what is read of logs, as their plans read it.
    pub traffic: Traffic,
    /// Tables that these are of.
    pub planned: usize,
    /// Tables whose replica lacks something.
    pub tables: usize,
}

impl CopyEstimate {
    /// True when some tables are not counted.
    #[must_use]
    pub fn is_at_least(&self) -> bool {
        self.planned < self.tables
    }

    /// The bytes; `None` when no table is counted, and some are to be copied.
    #[must_use]
    pub fn known_bytes(&self) -> Option<u64> {
        self.is_known().then_some(self.bytes)
    }

    /// All that is to be sent; `None` as for [`CopyEstimate::known_bytes`].
    #[must_use]
    pub fn known_traffic(&self) -> Option<Traffic> {
        self.is_known().then_some(self.traffic)
    }

    fn is_known(&self) -> bool {
        self.planned > 0 || self.tables == 0
    }
}

/// Plans these tables, and says why some would be refused.
pub(super) async fn estimate(
    context: &Context,
    order: &SurveyOrder,
    paths: Vec<String>,
    until: Instant,
) -> (CopyEstimate, Vec<String>) {
    let mut found = CopyEstimate { tables: paths.len(), ..CopyEstimate::default() };
    let plans = stream::iter(paths.into_iter().take(TABLES_MAX)).map(|path| async move {
        let (context, reads) = context.counted();
        let planned = in_time(until, guarded(traffic_of(&context, order, &path))).await;
        (path, planned.map(|copied| (copied, reads.traffic())))
    });
    let mut refused = Vec::new();
    let mut plans = plans.buffered(TABLES_AT_ONCE_MAX);
    while let Some((path, planned)) = plans.next().await {
        match planned {
            Ok((copied, logs)) => {
                found.bytes = found.bytes.saturating_add(copied.bytes);
                found.traffic = found.traffic + copied + logs;
                found.planned += 1;
            }
            // What took too long says nothing of the table.
            Err(_) if Instant::now() >= until => break,
            Err(failure) => refused.push(format!("{path}: {}", failure.message)),
        }
    }
    let more = refused.len().saturating_sub(REFUSALS_NAMED_MAX);
    refused.truncate(REFUSALS_NAMED_MAX);
    refused.extend((more > 0).then(|| format!("{more} more tables would fail")));
    (found, refused)
}

/// What copying a table sends, without the logs.
async fn traffic_of(
    context: &Context,
    order: &SurveyOrder,
    path: &str,
) -> Result<Traffic, Failure> {
    let limits = JobLimits::default();
    let job = table_job(context, &order.spec, path, order.claim.clone(), limits)?;
    Ok(match preview(context, JobId(Uuid::new_v4()), &job).await? {
        Preview::UpToDate { .. } => Traffic::default(),
        Preview::Change(ToCopy { bytes, note, .. }) => Traffic {
            bytes,
            source_reads: note.requests.source,
            target_writes: note.requests.target,
            ..Traffic::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_known_of_what_was_planned() {
        for (planned, tables, known, is_at_least) in [
            (0, 0, Some(7), false),
            (0, 2, None, true),
            (1, 2, Some(7), true),
            (2, 2, Some(7), false),
        ] {
            let traffic = Traffic { bytes: 9, source_reads: 2, ..Traffic::default() };
            let found = CopyEstimate { bytes: 7, traffic, planned, tables };
            assert_eq!((found.known_bytes(), found.is_at_least()), (known, is_at_least));
            assert_eq!(found.known_traffic(), known.map(|_| traffic));
        }
    }
}
