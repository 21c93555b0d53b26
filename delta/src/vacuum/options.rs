//! What is asked of a vacuum, and what it answers.

use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::rules::{DeletedKind, UNREFERENCED_KEPT_MIN};

/// What is asked of a vacuum.
#[derive(Clone, Debug)]
pub struct VacuumOptions {
    /// How long replaced versions stay readable, instead of as long as the table says.
    pub retain: Option<Duration>,
    /// `retain` may be shorter than what the table says.
    pub may_break_time_travel: bool,
    /// Features that are carried though we do not know them.
    pub allowed_features: Vec<String>,
    /// Files of the log go, too, once they are older than the table's `delta.logRetentionDuration`.
    pub with_log: bool,
    /// What would be deleted is only listed.
    pub dry_run: bool,
    /// How long an object that no commit names is kept at the least. Syncs rely on the default.
    pub unreferenced_kept_min: Duration,
}

impl Default for VacuumOptions {
    fn default() -> Self {
        Self {
            retain: None,
            may_break_time_travel: false,
            allowed_features: Vec::new(),
            with_log: false,
            dry_run: false,
            unreferenced_kept_min: UNREFERENCED_KEPT_MIN,
        }
    }
}

/// An object that was deleted, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VacuumedObject {
    /// Its key, relative to the table's folder.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
    pub kind: DeletedKind,
}

/// What a vacuum did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VacuumReport {
    /// The replica's newest version.
    pub version: u64,
    /// The oldest version that stays readable by the vacuum's word.
    pub oldest_kept: u64,
    /// How long replaced versions stay readable, in milliseconds.
    pub retention_ms: i64,
    /// What no commit names, and is not younger than this time, belongs to no sync that runs.
    pub unreferenced_before_ms: i64,
    /// What was deleted, or would be: by key, files of the log last.
    pub objects: Vec<VacuumedObject>,
}

impl VacuumOptions {
    /// Returns for how many milliseconds replaced versions are kept of a table that says
    /// `table_ms`.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when fewer are asked for without saying that it breaks time travel.
    pub(super) fn kept_ms(&self, table_ms: i64) -> Result<i64, Failure> {
        let Some(asked) = self.retain else { return Ok(table_ms) };
        let asked_ms = i64::try_from(asked.as_millis()).unwrap_or(i64::MAX);
        if asked_ms < table_ms && !self.may_break_time_travel {
            let (table, asked) = (table_ms / 1_000, asked_ms / 1_000);
            let message = format!(
                "the replica keeps versions for {table} seconds \
                 (delta.deletedFileRetentionDuration), and {asked} seconds are less: readers that \
                 travel back would fail; say --break-time-travel if that is meant"
            );
            return Err(Failure::new(Reason::InvalidArgument, message));
        }
        Ok(asked_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_tables_own_retention_must_be_said_twice() {
        let options = |seconds: Option<u64>, may_break_time_travel| VacuumOptions {
            retain: seconds.map(Duration::from_secs),
            may_break_time_travel,
            ..VacuumOptions::default()
        };
        for (asked, may_break, expect) in [
            (None, false, Some(60_000)),
            (Some(60), false, Some(60_000)),
            (Some(61), false, Some(61_000)),
            (Some(59), false, None),
            (Some(59), true, Some(59_000)),
            (Some(0), true, Some(0)),
        ] {
            let found = options(asked, may_break).kept_ms(60_000);
            assert_eq!(found.as_ref().ok(), expect.as_ref(), "{asked:?} {may_break}");
            if let Err(failure) = found {
                assert!(failure.message.contains("--break-time-travel"), "{failure}");
            }
        }
    }
}
