//! Table properties: one parser for each kind of value, and what the values mean for a replica.
//!
//! The parsers take what Spark takes, for Spark cannot read a table that keeps a value which it
//! cannot parse. A value that cannot be parsed counts as not set.
//!
//! <https://docs.delta.io/latest/table-properties.html>

use std::time::Duration;

use deepclone_core::readiness::retention::SourceRetention;

use crate::actions::{Configuration, Remove, Txn};

/// The form of checkpoints: `classic` or `v2`.
pub(crate) const CHECKPOINT_POLICY: &str = "delta.checkpointPolicy";
/// The column mapping mode: `none`, `id` or `name`.
pub(crate) const COLUMN_MAPPING_MODE: &str = "delta.columnMapping.mode";
/// The version in which in-commit timestamps were turned on.
pub(crate) const ENABLEMENT_VERSION: &str = "delta.inCommitTimestampEnablementVersion";
/// The in-commit timestamp of that version.
pub(crate) const ENABLEMENT_TIMESTAMP: &str = "delta.inCommitTimestampEnablementTimestamp";
const CHECKPOINT_INTERVAL: &str = "delta.checkpointInterval";
const TOMBSTONE_RETENTION: &str = "delta.deletedFileRetentionDuration";
const LOG_RETENTION: &str = "delta.logRetentionDuration";
const CHECKPOINT_PROTECTION: &str = "delta.requireCheckpointProtectionBeforeVersion";
const TRANSACTION_RETENTION: &str = "delta.setTransactionRetentionDuration";

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;
const DAY_MS: i64 = DAY / 1000;

/// The checkpoint interval and the retention of deleted files where a table sets none.
const CHECKPOINT_INTERVAL_DEFAULT: u64 = 10;
const TOMBSTONE_MS_DEFAULT: i64 = 7 * DAY_MS;
/// How long commits are kept where a table sets nothing.
const LOG_MS_DEFAULT: i64 = 30 * DAY_MS;

/// Units of a fixed length, in microseconds.
const FIXED_UNITS: &[(&str, i64)] = &[
    ("microsecond", 1),
    ("millisecond", 1000),
    ("second", SECOND),
    ("minute", 60 * SECOND),
    ("hour", 60 * 60 * SECOND),
    ("day", DAY),
    ("week", 7 * DAY),
];

/// Which form of checkpoint a table asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointPolicy {
    Classic,
    V2,
}

/// How a table is maintained: when a checkpoint is due, and what it may drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Maintenance {
    /// Versions from one checkpoint to the next.
    pub(crate) checkpoint_interval: u64,
    /// How long tombstones, and objects that no commit refers to, are kept, in milliseconds.
    pub(crate) tombstone_ms: i64,
    /// How long transactions with a time are kept, in milliseconds; `None` keeps them for ever.
    transaction_ms: Option<i64>,
}

impl Maintenance {
    /// Reads the table's properties, with Delta's defaults for those that are not set.
    pub(crate) fn of(configuration: &Configuration) -> Self {
        let property = |name| configuration.get(name).map(String::as_str);
        Self {
            checkpoint_interval: property(CHECKPOINT_INTERVAL)
                .and_then(|value| u64::try_from(number(value)?).ok())
                .filter(|interval| *interval > 0)
                .unwrap_or(CHECKPOINT_INTERVAL_DEFAULT),
            tombstone_ms: property(TOMBSTONE_RETENTION)
                .and_then(duration_ms)
                .unwrap_or(TOMBSTONE_MS_DEFAULT),
            transaction_ms: property(TRANSACTION_RETENTION).and_then(duration_ms),
        }
    }

    /// Returns whether transactions are kept for ever.
    pub(crate) fn keeps_transactions(&self) -> bool {
        self.transaction_ms.is_none()
    }

    /// Returns whether the tombstone is still needed at `now_ms`.
    pub(crate) fn keeps_remove(&self, remove: &Remove, now_ms: i64) -> bool {
        remove.deletion_timestamp.unwrap_or(0) > now_ms.saturating_sub(self.tombstone_ms)
    }

    /// Returns whether the transaction is still needed at `now_ms`.
    pub(crate) fn keeps_txn(&self, txn: &Txn, now_ms: i64) -> bool {
        match (self.transaction_ms, txn.last_updated) {
            (Some(kept_ms), Some(updated)) => updated > now_ms.saturating_sub(kept_ms),
            _ => true,
        }
    }
}

/// Reads how long a table keeps commits and removed files, with Delta's defaults.
pub(crate) fn source_retention(configuration: &Configuration) -> SourceRetention {
    let kept = |name, default| {
        let written = configuration.get(name).and_then(|value| duration_ms(value));
        let ms = written.unwrap_or(default);
        Duration::from_millis(u64::try_from(ms).unwrap_or_default())
    };
    SourceRetention {
        commits: kept(LOG_RETENTION, LOG_MS_DEFAULT),
        removed_files: kept(TOMBSTONE_RETENTION, TOMBSTONE_MS_DEFAULT),
    }
}

/// Returns how long a table keeps the files of its log, in milliseconds; `None` for one whose
/// checkpoints are protected, which no other writer may clean up.
pub(crate) fn log_retention_ms(configuration: &Configuration) -> Option<i64> {
    if configuration.contains_key(CHECKPOINT_PROTECTION) {
        return None;
    }
    let written = configuration.get(LOG_RETENTION).and_then(|value| duration_ms(value));
    Some(written.unwrap_or(LOG_MS_DEFAULT))
}

/// Returns the version that turned in-commit timestamps on, and its timestamp; `None` when the
/// table has had them from version 0 on.
pub(crate) fn in_commit_enablement(configuration: &Configuration) -> Option<(u64, i64)> {
    let property = |name| number(configuration.get(name)?);
    let version = u64::try_from(property(ENABLEMENT_VERSION)?).ok()?;
    Some((version, property(ENABLEMENT_TIMESTAMP)?))
}

/// Checks a value that a user sets.
///
/// # Errors
/// What the value should be.
pub(crate) fn check(name: &str, value: &str) -> Result<(), &'static str> {
    let at_least = |min: i64| number(value).is_some_and(|number| number >= min);
    let (fits, expected) = match name {
        CHECKPOINT_INTERVAL | "delta.randomPrefixLength" => (at_least(1), "a number of at least 1"),
        "delta.dataSkippingNumIndexedCols" => (at_least(-1), "a number of at least -1"),
        TOMBSTONE_RETENTION | TRANSACTION_RETENTION | LOG_RETENTION => {
            (duration_ms(value).is_some(), "a duration such as \"interval 7 days\"")
        }
        CHECKPOINT_POLICY => (checkpoint_policy(value).is_some(), "classic or v2"),
        "delta.appendOnly"
        | "delta.checkpoint.writeStatsAsJson"
        | "delta.checkpoint.writeStatsAsStruct"
        | "delta.randomizeFilePrefixes" => (boolean(value).is_some(), "true or false"),
        _ if name.starts_with("delta.enable") => (boolean(value).is_some(), "true or false"),
        _ => (true, ""),
    };
    if fits { Ok(()) } else { Err(expected) }
}

/// Parses `true` or `false` in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Parses a whole number, with nothing around it.
pub(crate) fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Parses a form of checkpoint, in any case: Spark refuses `V2`, and no table may get it.
pub(crate) fn checkpoint_policy(text: &str) -> Option<CheckpointPolicy> {
    match text {
        _ if text.eq_ignore_ascii_case("classic") => Some(CheckpointPolicy::Classic),
        _ if text.eq_ignore_ascii_case("v2") => Some(CheckpointPolicy::V2),
        _ => None,
    }
}

/// Returns whether a column mapping mode gives columns physical names; an unknown mode may.
pub(crate) fn maps_columns(mode: &str) -> bool {
    !mode.eq_ignore_ascii_case("none")
}

/// Parses a calendar interval such as `interval 1 week -2 hours` or `1.5 seconds` to milliseconds.
/// Delta takes none below zero, and no months or years, whose length varies.
///
/// <https://spark.apache.org/docs/latest/sql-ref-literals.html#interval-literal>
pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split_whitespace().peekable();
    words.next_if_eq(&"interval");
    words.peek()?;
    let mut total: i64 = 0;
    while let Some(word) = words.next() {
        let (sign, digits) = match word.strip_prefix(['+', '-']) {
            Some(digits) => (if word.starts_with('-') { -1 } else { 1 }, digits),
            None => (1, word),
        };
        let digits = if digits.is_empty() { words.next()? } else { digits };
        total = total.checked_add(sign * term(digits, words.next()?)?)?;
    }
    (total >= 0).then_some(total / 1000)
}

/// Parses one quantity without its sign, in microseconds; only seconds have a fraction.
fn term(digits: &str, unit: &str) -> Option<i64> {
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let (_, length) = FIXED_UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let has_fraction = whole.len() < digits.len();
    let is_number = (whole.len() + fraction.len() > 0)
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number || (has_fraction && *length != SECOND) || fraction.len() > 9 {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    whole.checked_mul(*length)?.checked_add(nanos / 1000)
}

#[cfg(test)]
mod tests;
