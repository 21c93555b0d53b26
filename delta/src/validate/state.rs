//! The state after some commits of a log, as far as the rules need it.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{Add, Metadata, Protocol};
use crate::error::DeltaError;
use crate::file_key::{FileKey, LogKey};
use crate::row_ids::{ROW_TRACKING_DOMAIN, row_id_mark};
use crate::snapshot::Snapshot;

/// The state after the commits so far.
#[derive(Clone, Debug, Default)]
pub struct LogState {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    /// Live files by the log's spelling, each with its decoded key.
    pub(crate) live: BTreeMap<LogKey, (FileKey, Add)>,
    /// Live objects, each with its spellings and deletion vectors.
    pub(crate) objects: BTreeMap<String, BTreeSet<LogKey>>,
    pub(crate) row_id_mark: Option<i64>,
    pub(crate) domains: BTreeSet<String>,
    pub(crate) in_commit_ms: Option<i64>,
}

impl LogState {
    /// Converts a snapshot to the state of its version.
    pub(super) fn of(snapshot: Snapshot) -> Result<Self, DeltaError> {
        let mark = snapshot.domains.get(ROW_TRACKING_DOMAIN).map(row_id_mark).transpose()?;
        let mut state = Self {
            protocol: Some(snapshot.protocol),
            metadata: Some(snapshot.metadata),
            row_id_mark: mark,
            domains: snapshot.domains.into_keys().collect(),
            in_commit_ms: snapshot.ict,
            ..Self::default()
        };
        for (file, add) in snapshot.files {
            let key = LogKey::of_add(&add);
            state.objects.entry(file.path.clone()).or_default().insert(key.clone());
            state.live.insert(key, (file, add));
        }
        Ok(state)
    }
}
