//! What is known of the audits of a replication, counted: what pages, metrics and alerts show of
//! them.

use deepclone_core::unix_time::UnixTime;
use deepclone_delta::verify::UseProof;

use super::view::{ReplicationView, TableView};

/// Tables with a replica, counted by what is known of their audits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditSummary {
    /// All of them, where audits are declared: the sum of the next three.
    pub tables: u64,
    /// Their newest audit found nothing.
    pub clean: u64,
    /// Their newest audit found differences.
    pub differing: u64,
    /// No audit of them has ended yet.
    pub never: u64,
    /// Differences that the newest audits found, all together.
    pub differences: u64,
    /// Tables whose newest try could not be made, whatever is known of before.
    pub failing: u64,
    /// When the newest audit of a table ended, of that where it is longest ago.
    pub oldest: Option<UnixTime>,
    /// An independent reader read what the log says, or something else, or does not know the table.
    pub proven: u64,
    pub refuted: u64,
    pub not_provable: u64,
    /// When it last read a table what the log says, of that where it is longest ago.
    pub oldest_proof: Option<UnixTime>,
}

impl AuditSummary {
    /// Counts the tables of a replication; nothing where no audits are declared.
    #[must_use]
    pub fn of(view: &ReplicationView) -> Self {
        let mut sum = Self::default();
        if view.spec.audit.is_none() {
            return sum;
        }
        for table in view.tables.iter().filter(|table| table.synced.is_some()) {
            sum = sum.plus(&Self::of_table(table));
        }
        sum
    }

    fn of_table(table: &TableView) -> Self {
        let audit = table.audit.as_ref();
        let verdict = audit.and_then(|audit| audit.verdict.as_ref());
        let proof = audit.and_then(|audit| audit.proof());
        let is = |answer: bool| u64::from(answer);
        let answer = proof.map(|(_, answer)| answer);
        let proven = matches!(answer, Some(UseProof::Proven(_)));
        Self {
            tables: 1,
            clean: is(verdict.is_some_and(|verdict| verdict.differences == 0)),
            differing: is(verdict.is_some_and(|verdict| verdict.differences > 0)),
            never: is(verdict.is_none()),
            differences: verdict.map_or(0, |verdict| verdict.differences),
            failing: is(audit.is_some_and(|audit| audit.failure.is_some())),
            oldest: verdict.map(|verdict| UnixTime(verdict.time_ms)),
            proven: is(proven),
            refuted: is(matches!(answer, Some(UseProof::Refuted(_)))),
            not_provable: is(matches!(answer, Some(UseProof::NotProvable { .. }))),
            oldest_proof: proof.map(|(at, _)| at).filter(|_| proven),
        }
    }

    /// Returns the count of both together.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        let earlier = |one: Option<UnixTime>, other: Option<UnixTime>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self {
            tables: self.tables + other.tables,
            clean: self.clean + other.clean,
            differing: self.differing + other.differing,
            never: self.never + other.never,
            differences: self.differences.saturating_add(other.differences),
            failing: self.failing + other.failing,
            oldest: earlier(self.oldest, other.oldest),
            proven: self.proven + other.proven,
            refuted: self.refuted + other.refuted,
            not_provable: self.not_provable + other.not_provable,
            oldest_proof: earlier(self.oldest_proof, other.oldest_proof),
        }
    }
}
