//! What one receiver was told, and what it is to be told next.
//!
//! A cause is told once it has lasted for the policy's `hold`, counted from when it was first seen,
//! and is over once it has been gone for that long: one that comes and goes is one alert. What ends
//! before it was told is never told. Quiet hours delay: what still lasts at their end is told then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cause::{AlertCause, AlertKind, Sightings};
use super::notice::AlertNotice;
use super::record::{AlertPhase, AlertRecord};
use crate::calendar::windows::Windows;
use crate::limits::ALERTS_PER_RECEIVER_MAX;
use crate::unix_time::UnixTime;

/// What a receiver wants to be told, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPolicy {
    pub kinds: BTreeSet<AlertKind>,
    /// Whether the end of what was told is told.
    pub tells_recovery: bool,
    /// How long a cause lasts before it is told, and is gone before it is over.
    pub hold: Duration,
    /// Nothing is told while these are closed.
    pub open: Windows,
}

/// What becomes of a book by what is seen, for whoever keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookChanges {
    /// Causes that were told and are not seen any more, or are again.
    pub kept: Vec<AlertRecord>,
    /// Causes that are forgotten without a word.
    pub forgotten: Vec<AlertCause>,
    /// How many causes there are no places for.
    pub dropped: usize,
}

/// The causes that one receiver is, or is to be, told of.
#[derive(Clone, Debug)]
pub struct AlertBook {
    policy: AlertPolicy,
    records: BTreeMap<AlertCause, AlertRecord>,
}

impl AlertBook {
    /// Goes on with what was kept; kinds that are not wanted any more are left out.
    #[must_use]
    pub fn new(policy: AlertPolicy, kept: impl IntoIterator<Item = AlertRecord>) -> Self {
        let wanted = kept.into_iter().filter(|record| policy.kinds.contains(&record.cause.kind));
        let records = wanted.map(|record| (record.cause.clone(), record)).collect();
        Self { policy, records }
    }

    /// Takes what is so now.
    pub fn observe(&mut self, now: UnixTime, seen: &Sightings) -> BookChanges {
        let mut changes = BookChanges::default();
        for record in self.records.values_mut() {
            record.not_after(now);
        }
        for (cause, detail) in &seen.present {
            if !self.policy.kinds.contains(&cause.kind) {
                continue;
            }
            if let Some(record) = self.records.get_mut(cause) {
                record.detail = detail.clone();
            } else if self.records.len() < ALERTS_PER_RECEIVER_MAX {
                let (cause, detail) = (cause.clone(), detail.clone());
                let record =
                    AlertRecord { cause, detail, since: now, is_told: false, gone_since: None };
                self.records.insert(record.cause.clone(), record);
            } else {
                changes.dropped += 1;
            }
        }
        for record in self.records.values_mut() {
            let lasts = seen.present.contains_key(&record.cause) || seen.may_last(&record.cause);
            if lasts == record.gone_since.is_some() {
                record.gone_since = (!lasts).then_some(now);
                changes.kept.extend(record.is_told.then(|| record.clone()));
            }
        }
        let (hold, tells) = (self.policy.hold, self.policy.tells_recovery);
        let is_forgotten =
            |record: &AlertRecord| record.is_over(now, hold) && !(record.is_told && tells);
        let over = self.records.values().filter(|record| is_forgotten(record));
        changes.forgotten = over.map(|record| record.cause.clone()).collect();
        for cause in &changes.forgotten {
            self.records.remove(cause);
        }
        changes
    }

    /// Returns what the receiver is to be told now; of several, what began first.
    #[must_use]
    pub fn next(&self, now: UnixTime) -> Option<AlertNotice> {
        let phase = |record: &AlertRecord| record.phase_due(now, self.policy.hold);
        let due = self.records.values().filter_map(|record| Some((phase(record)?, record)));
        let (phase, record) = due.min_by_key(|(_, record)| record.since)?;
        let is_open = self.policy.open.at(now).is_open;
        is_open.then(|| AlertNotice { phase, record: record.clone() })
    }

    /// Notes that a notice was told, or is given up. Returns what is to be kept of its cause, if
    /// anything.
    pub fn told(&mut self, notice: &AlertNotice) -> Option<&AlertRecord> {
        let cause = &notice.record.cause;
        match notice.phase {
            AlertPhase::Raised => {
                let record = self.records.get_mut(cause)?;
                record.is_told = true;
                Some(record)
            }
            AlertPhase::Recovered => {
                self.records.remove(cause);
                None
            }
        }
    }
}
