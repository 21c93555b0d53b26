//! What is found of a deletion, and what that means.

use std::ops::Bound;

use super::arrival::{DeletionArrival, RecordedSync};
use crate::file_key::FileKey;
use crate::snapshot::Snapshot;
use crate::vacuum::ListedObject;

/// The most keys that are told of one kind.
const KEYS_TOLD_MAX: usize = 1_000;

/// What is known of a deletion in one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletionProof {
    /// The replica's newest version.
    pub version: u64,
    /// The newest sync that the log records.
    pub newest: Option<RecordedSync>,
    /// `None` when no version is known to hold it.
    pub arrived: Option<DeletionArrival>,
    /// Objects of versions before, which no version since needs.
    pub removed: KeysLeft,
    /// Objects that no commit names any more, or none has named: they may hold anything.
    pub unreferenced: KeysLeft,
    /// Rows that deletion vectors hide, whose bytes are there.
    pub hidden: HiddenRows,
    /// The versions before that can be read.
    pub readable: Option<ReadableBefore>,
    /// Another writer changed the replica since the last sync.
    pub is_diverged: bool,
    /// Remarks, one line each.
    pub notices: Vec<String>,
}

/// Objects that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysLeft {
    pub objects: u64,
    pub bytes: u64,
    /// The first thousand of them.
    pub keys: Vec<String>,
}

/// Rows in files that are live, hidden by deletion vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HiddenRows {
    pub rows: u64,
    /// The files that hold them.
    pub files: KeysLeft,
}

/// Versions that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadableBefore {
    pub first: u64,
    pub last: u64,
    /// How many of them.
    pub versions: u64,
    /// Until when the replica's retention keeps the last of them, in milliseconds since 1970: a
    /// vacuum after that deletes what only they need. `None` while the deleted rows lie in files
    /// that are live, of which no vacuum deletes any.
    pub until_ms: Option<i64>,
}

/// What a proof says of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionVerdict {
    /// No version of the replica is known to hold it.
    NotArrived,
    /// Another writer changed the replica: what it holds is not known.
    Diverged,
    /// It arrived, and versions before it can be read.
    Readable,
    /// It arrived, and bytes are left that no version shows.
    BytesLeft,
    /// It arrived, and nothing is left.
    Gone,
}

impl DeletionProof {
    /// Returns what the proof says.
    #[must_use]
    pub fn verdict(&self) -> DeletionVerdict {
        let is_empty = |left: &KeysLeft| left.objects == 0;
        match self {
            Self { arrived: None, .. } => DeletionVerdict::NotArrived,
            Self { is_diverged: true, .. } => DeletionVerdict::Diverged,
            // A version without objects of its own shows nothing that a later one does not.
            Self { readable: Some(_), removed, .. } if !is_empty(removed) => {
                DeletionVerdict::Readable
            }
            Self { readable: Some(_), hidden, .. } if hidden.rows > 0 => DeletionVerdict::Readable,
            Self { removed, unreferenced, hidden, .. } => {
                let files = [removed, unreferenced, &hidden.files];
                match files.into_iter().all(is_empty) {
                    true => DeletionVerdict::Gone,
                    false => DeletionVerdict::BytesLeft,
                }
            }
        }
    }
}

impl KeysLeft {
    pub(super) fn count(&mut self, object: &ListedObject) {
        self.objects += 1;
        self.bytes += object.size;
        if self.keys.len() < KEYS_TOLD_MAX {
            self.keys.push(object.key.clone());
        }
    }
}

impl HiddenRows {
    /// Counts the object, if it is a data file of which the version hides rows.
    pub(super) fn count(&mut self, object: &ListedObject, version: &Snapshot) {
        let from = FileKey { path: object.key.clone(), dv: None };
        let mut files = version.files.range((Bound::Included(&from), Bound::Unbounded));
        let Some((key, add)) = files.next().filter(|(key, _)| key.path == object.key) else {
            return;
        };
        let Some(vector) = add.deletion_vector.as_deref().filter(|_| key.dv.is_some()) else {
            return;
        };
        self.files.count(object);
        self.rows += u64::try_from(vector.cardinality).unwrap_or_default();
    }
}
