//! The record of changes and refusals: who, from where, what, with what result; in the database,
//! and as lines of the log.
//!
//! A change is on record before its caller is answered. Refusals are written beside the calls, and
//! only so many of a minute one by one: somebody who floods the coordinator must not fill its disk.

use std::sync::Arc;

use deepclone_common::clock::Clock;
use deepclone_core::limits::AUDIT_REFUSALS_PER_MINUTE;
use tokio::sync::mpsc;

use crate::metrics::CoordinatorMetrics;
use crate::state::{AuditRow, Store};

/// Refusals that wait to be written.
const WAITING_MAX: usize = 256;
const MINUTE_MS: i64 = 60_000;
/// The outcome of what was done.
pub const DONE: &str = "OK";
/// The outcome of a row that stands for refusals which are counted alone.
const COUNTED: &str = "COUNTED";

/// Writes the record; cheap to clone.
#[derive(Clone)]
pub struct Auditor {
    store: Arc<dyn Store>,
    clock: Clock,
    refusals: mpsc::Sender<AuditRow>,
    metrics: Arc<CoordinatorMetrics>,
}

impl std::fmt::Debug for Auditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auditor")
    }
}

impl Auditor {
    /// Returns what writes to this store. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock, metrics: Arc<CoordinatorMetrics>) -> Self {
        let (refusals, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write_refusals(Arc::clone(&store), waiting, Arc::clone(&metrics)));
        Self { store, clock, refusals, metrics }
    }

    /// Puts a change, or an attempt at one, on record.
    pub async fn record(&self, row: AuditRow) {
        let row = AuditRow { at_ms: self.clock.now_ms(), ..row };
        self.tell(&row);
        if let Err(error) = self.store.audit(std::slice::from_ref(&row)).await {
            self.metrics.state.audit_failures.inc();
            tracing::error!("a change is not on record: {error}");
        }
    }

    /// Puts a refusal on record, soon.
    pub fn refused(&self, row: AuditRow) {
        let row = AuditRow { at_ms: self.clock.now_ms(), ..row };
        self.tell(&row);
        if self.refusals.try_send(row).is_err() {
            tracing::debug!("a refusal is in the log alone: too many at once");
        }
    }

    /// Counts a row, and writes it to the log.
    fn tell(&self, row: &AuditRow) {
        let AuditRow { principal, address, call, resource, outcome, message, request_id, .. } = row;
        self.metrics.state.audit_entries.with(&[outcome]).inc();
        tracing::info!(
            target: "audit",
            principal,
            address,
            call,
            resource,
            outcome,
            request_id,
            "{message}"
        );
    }
}

/// Writes refusals until there is nobody left to send one.
async fn write_refusals(
    store: Arc<dyn Store>,
    mut waiting: mpsc::Receiver<AuditRow>,
    metrics: Arc<CoordinatorMetrics>,
) {
    let mut minute = Minute::default();
    while let Some(row) = waiting.recv().await {
        let rows = minute.pass(row);
        if let Err(error) = store.audit(&rows).await {
            metrics.state.audit_failures.inc();
            tracing::error!("a refusal is not on record: {error}");
        }
    }
}

/// The refusals of a minute.
#[derive(Debug, Default)]
struct Minute {
    since_ms: i64,
    written: u32,
    counted: u64,
}

impl Minute {
    /// Returns what is to be written when there is one more refusal.
    fn pass(&mut self, row: AuditRow) -> Vec<AuditRow> {
        let mut rows = Vec::new();
        if row.at_ms >= self.since_ms + MINUTE_MS || row.at_ms < self.since_ms {
            if self.counted > 0 {
                let message = format!("{} more refusals in the minute before", self.counted);
                let (at_ms, outcome) = (row.at_ms, COUNTED.to_owned());
                rows.push(AuditRow { at_ms, outcome, message, ..AuditRow::default() });
            }
            *self = Self { since_ms: row.at_ms, ..Self::default() };
        }
        if self.written < AUDIT_REFUSALS_PER_MINUTE {
            self.written += 1;
            rows.push(row);
        } else {
            self.counted += 1;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_counted() {
        let mut minute = Minute::default();
        let at = |at_ms: i64| AuditRow { at_ms, call: "x".to_owned(), ..AuditRow::default() };
        let most = AUDIT_REFUSALS_PER_MINUTE as usize;
        let start = 10 * MINUTE_MS;
        let written: usize = (0..most + 7).map(|_| minute.pass(at(start)).len()).sum();
        assert_eq!(written, most);
        let rows = minute.pass(at(start + MINUTE_MS));
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].outcome.as_str(), rows[0].call.as_str()), (COUNTED, ""));
        assert!(rows[0].message.starts_with("7 more refusals"), "{rows:?}");
        assert_eq!(minute.pass(at(start + MINUTE_MS + 1)).len(), 1);
        // A clock that was put back begins a new minute.
        assert_eq!(minute.pass(at(0)).len(), 1);
        assert_eq!(minute.since_ms, 0);
    }
}
