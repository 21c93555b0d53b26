//! Decides what a vacuum deletes, and why: a function of what the log says of an object, of what
//! the listing says, and of a few times.
//!
//! The log's word counts for an object that is not younger than that word. An object that was
//! written after its removal is another one under the same key: a sync that runs may have put it
//! there, and it is kept as long as one that no commit ever named.

use std::time::Duration;

use deepclone_core::evidence::prior_age_max_ms;
use deepclone_core::limits::EVIDENCE_FRESH_MAX;

use super::references::Referenced;
use crate::paths::LOG_FOLDER;

/// The folder of the change data feed.
const CHANGE_FOLDER: &str = "_change_data";
/// A folder at a table's root where engines keep Iceberg's metadata of the table.
const ICEBERG_FOLDER: &str = "metadata";

/// How long an object that no commit names is kept at the least. Up to half of this time a
/// publication relies on an object that it does not look at again; the other half is for the
/// publication itself and for clocks that differ.
pub const UNREFERENCED_KEPT_MIN: Duration = EVIDENCE_FRESH_MAX.saturating_mul(2);

/// How long a vacuum keeps what, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VacuumAges {
    /// What was removed, from its removal on.
    pub removed_ms: i64,
    /// What was removed, from its writing on: a sync that wrote it may rely on it for half of that,
    /// though others have committed and removed it meanwhile.
    pub written_ms: i64,
    /// What no commit names, from its writing on.
    pub unreferenced_ms: i64,
}

impl VacuumAges {
    /// Returns the ages of a table that keeps removed files for `table_ms`, of which those of the
    /// last `kept_ms` are wanted, and `unreferenced_min` of objects that no commit names. For half
    /// of the first a sync may still rely on what an earlier one left.
    #[must_use]
    pub fn of(table_ms: i64, kept_ms: i64, unreferenced_min: Duration) -> Self {
        let ms = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let unreferenced_ms = kept_ms.max(prior_age_max_ms(table_ms)).max(ms(unreferenced_min));
        let written_ms = table_ms.min(ms(UNREFERENCED_KEPT_MIN));
        Self { removed_ms: kept_ms, written_ms, unreferenced_ms }
    }
}

/// An object in the listing of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key, relative to the table's folder.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Why an object is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptBecause {
    /// A version within the retention, or a newer commit, names it.
    Needed,
    /// It is a file of the log, of `_deepclone`, or hidden.
    NotData,
    /// No commit names it, and a sync may still be about to.
    Young,
}

/// What kind of object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeletedKind {
    /// A data file that a commit removed longer ago than the retention.
    DataFile,
    /// An object of deletion vectors that no version within the retention needs.
    DeletionVector,
    /// A file of the change data feed.
    ChangeData,
    /// An object that no commit names: a sync that failed left it.
    Unreferenced,
    /// A temporary file of a copy or of a check.
    Temporary,
    /// A ledger none of whose digests is needed.
    Ledger,
    /// A file of the log that no version within the retention needs.
    Log,
}

impl DeletedKind {
    const NAMES: [(Self, &str); 7] = [
        (Self::DataFile, "DATA_FILE"),
        (Self::DeletionVector, "DELETION_VECTOR"),
        (Self::ChangeData, "CHANGE_DATA"),
        (Self::Unreferenced, "UNREFERENCED"),
        (Self::Temporary, "TEMPORARY"),
        (Self::Ledger, "LEDGER"),
        (Self::Log, "LOG"),
    ];

    /// Returns the kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }

    /// Returns its name in answers, such as `DATA_FILE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = Self::NAMES.into_iter().find(|(kind, _)| *kind == self);
        known.map_or("", |(_, name)| name)
    }
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFate {
    Kept(KeptBecause),
    Deleted(DeletedKind),
}

/// The times and names by which a vacuum decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VacuumRules {
    /// What was removed at or before this time is beyond the retention.
    pub removed_before_ms: i64,
    /// What was removed, and was written at or before this time, belongs to no sync that runs.
    pub written_before_ms: i64,
    /// What no commit names, and was written at or before this time, belongs to no sync that runs.
    pub unreferenced_before_ms: i64,
    /// The partition columns, whose folders are not hidden.
    pub partition_columns: Vec<String>,
}

impl VacuumRules {
    /// Returns the rules at `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64, ages: VacuumAges, partition_columns: &[String]) -> Self {
        Self {
            removed_before_ms: now_ms.saturating_sub(ages.removed_ms),
            written_before_ms: now_ms.saturating_sub(ages.written_ms),
            unreferenced_before_ms: now_ms.saturating_sub(ages.unreferenced_ms),
            partition_columns: partition_columns.to_vec(),
        }
    }

    /// Decides about an object of which the log says `said`.
    #[must_use]
    pub fn fate(&self, object: &ListedObject, said: Option<Referenced>) -> ObjectFate {
        use ObjectFate::{Deleted, Kept};
        let kind = match said {
            Some(Referenced { removed_ms: None, .. }) => return Kept(KeptBecause::Needed),
            _ if self.is_hidden(&object.key) => return Kept(KeptBecause::NotData),
            _ if is_change_data(&object.key) => {
                return match object.modified_ms <= self.removed_before_ms {
                    true => Deleted(DeletedKind::ChangeData),
                    false => Kept(KeptBecause::Young),
                };
            }
            Some(Referenced { removed_ms: Some(removed_ms), is_vector }) => {
                let kind = match is_vector {
                    true => DeletedKind::DeletionVector,
                    false => DeletedKind::DataFile,
                };
                let before_ms = removed_ms.min(self.written_before_ms);
                (object.modified_ms <= before_ms).then_some(kind)
            }
            None => None,
        };
        match kind {
            Some(kind) => Deleted(kind),
            None if self.is_abandoned(object) => Deleted(DeletedKind::Unreferenced),
            None => Kept(KeptBecause::Young),
        }
    }

    /// Returns whether an object that no commit names is too old for a sync that runs.
    #[must_use]
    pub fn is_abandoned(&self, object: &ListedObject) -> bool {
        object.modified_ms <= self.unreferenced_before_ms
    }

    /// Returns whether the key is that of no data: a part of it begins with `_` or `.`, and is
    /// neither the change data feed nor the folder of a partition. As VACUUM in Spark has it.
    fn is_hidden(&self, key: &str) -> bool {
        if is_change_data(key) {
            return false;
        }
        let first = key.split('/').next().unwrap_or_default();
        let is_partition = |segment: &str| {
            let name = segment.split_once('=').map(|(name, _)| name);
            name.is_some_and(|name| self.partition_columns.iter().any(|column| column == name))
        };
        (first == ICEBERG_FOLDER && key != first)
            || key
                .split('/')
                .any(|segment| segment.starts_with(['_', '.']) && !is_partition(segment))
    }
}

fn is_change_data(key: &str) -> bool {
    key.split_once('/').is_some_and(|(first, _)| first == CHANGE_FOLDER)
}

/// Returns the folder of the other table, below this one, whose log `key` belongs to.
#[must_use]
pub(crate) fn nested_table(key: &str) -> Option<&str> {
    let (folder, _) = key.split_once(&format!("/{LOG_FOLDER}/"))?;
    Some(folder)
}

#[cfg(test)]
mod tests;
