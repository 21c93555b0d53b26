//! What a vacuum reads of the log: the newest state, and what is named since the oldest version
//! that is kept. What commits and syncs add meanwhile is read before each batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::limits::EVIDENCE_FRESH_MAX;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{DivergencePolicy, SourcePoint};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::references::References;
use crate::error::DeltaError;
use crate::ledger::{self, LedgerFile};
use crate::log::{self, COMMITS_AT_ONCE_MAX, Commit};
use crate::replica::{LastSync, last_sync, record_of};
use crate::snapshot::{self, WithTombstones};
use crate::{io, protocol};

/// A sync without a commit whose ledger is older does not run any more, or writes it again.
const LEDGER_COUNTS: Duration = EVIDENCE_FRESH_MAX;

/// A replica as a vacuum finds it.
#[derive(Debug)]
pub(crate) struct FoundReplica {
    pub(crate) state: WithTombstones,
    pub(crate) last: LastSync,
}

/// Reads the replica's newest state, and refuses what is none of ours, or holds what we do not
/// know.
///
/// # Errors
/// NOT_A_DELTA_TABLE, a damaged log, TARGET_NOT_OURS, UNSUPPORTED_FEATURE, a storage error.
pub(crate) async fn find(
    target: &TableStore,
    allowed: &[String],
) -> Result<FoundReplica, DeltaError> {
    let state = snapshot::read_with_tombstones(target, &SourcePoint::Newest).await?;
    let snapshot = &state.snapshot;
    protocol::check(&snapshot.protocol, &snapshot.metadata, allowed)?;
    let last =
        last_sync(target, snapshot, DivergencePolicy::Overwrite).await.map_err(
            |error| match error.failure() {
                Failure { reason: Reason::TargetNotOurs, .. } => no_replica(target).into(),
                _ => error,
            },
        )?;
    Ok(FoundReplica { state, last })
}

fn no_replica(target: &TableStore) -> Failure {
    let message = format!(
        "{} is no replica of deepclone's: no sync of ours is recorded in its log or beside it",
        target.uri
    );
    Failure::new(Reason::TargetNotOurs, message)
}

/// What a log names, as far as it was read.
#[derive(Debug)]
pub(crate) struct NamedSince {
    pub(crate) references: References,
    /// The newest version that was read.
    pub(crate) version: u64,
    /// When each sync of the last time committed, by the name of its ledger's folder.
    committed: BTreeMap<String, i64>,
    /// The newest version is there as a commit, not in a checkpoint alone.
    has_commit: bool,
    /// The ledgers that were read.
    ledgers: BTreeSet<(String, i64)>,
}

impl NamedSince {
    /// Reads what the versions from `oldest` on need, and the tombstones of after `since_ms`.
    ///
    /// # Errors
    /// A damaged log, or a storage error.
    pub(crate) async fn read(
        target: &TableStore,
        state: &WithTombstones,
        (oldest, since_ms): (u64, i64),
        now_ms: i64,
    ) -> Result<Self, DeltaError> {
        let newest = state.snapshot.version;
        let mut references = References::default();
        references.note_state(&target.uri, state, since_ms);
        let has_commit = state.snapshot.commit_file.is_some();
        let (committed, ledgers) = Default::default();
        let mut named = Self { references, version: newest, committed, has_commit, ledgers };
        let segment = log::list_whole(target, Some(newest)).await?;
        let young_ms = before(now_ms, LEDGER_COUNTS);
        let listed: BTreeMap<u64, i64> =
            segment.commits.iter().map(|(version, entry)| (*version, entry.modified_ms)).collect();
        let is_wanted = |version: u64| {
            version > oldest || listed.get(&version).is_some_and(|written| *written > young_ms)
        };
        let first = listed.keys().next().copied().unwrap_or(newest).min(oldest + 1);
        let wanted: Vec<u64> = (first..=newest).filter(|version| is_wanted(*version)).collect();
        let mut reads = stream::iter(wanted)
            .map(|version| async move {
                Ok::<_, DeltaError>((version, log::read_commit(target, version).await?))
            })
            .buffered(COMMITS_AT_ONCE_MAX);
        let mut has_gap = false;
        while let Some((version, commit)) = reads.try_next().await? {
            match commit {
                Some(commit) => named.note(target, &commit, version > oldest),
                None => has_gap |= version > oldest,
            }
        }
        drop(reads);
        if has_gap {
            named.note_checkpoints(target, oldest, &segment.checkpoints).await?;
        }
        Ok(named)
    }

    fn note(&mut self, target: &TableStore, commit: &Commit, is_kept: bool) {
        if is_kept {
            self.references.note_commit(&target.uri, &commit.actions);
        }
        if let Some(record) = record_of(commit) {
            let job = JobId(record.body.sync_id).to_string();
            let at_ms = self.committed.entry(job).or_insert(commit.modified_ms);
            *at_ms = commit.modified_ms.max(*at_ms);
        }
    }

    /// Notes the states of the checkpoints from `oldest` on, where a commit between them is gone:
    /// what such a commit removed is live in one of them, or in no version that can be read.
    async fn note_checkpoints(
        &mut self,
        target: &TableStore,
        oldest: u64,
        checkpoints: &[log::CheckpointFiles],
    ) -> Result<(), DeltaError> {
        for checkpoint in checkpoints.iter().filter(|found| found.version >= oldest) {
            let point = SourcePoint::Version(checkpoint.version);
            match snapshot::read_with_tombstones(target, &point).await {
                Ok(state) => self.references.note_state(&target.uri, &state, i64::MAX),
                Err(DeltaError::Damaged { .. } | DeltaError::NotHeld(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Notes what commits and ledgers have named since.
    ///
    /// # Errors
    /// A commit that cannot be read yet, a log that ends before the version that was read, or a
    /// storage error.
    pub(crate) async fn catch_up(
        &mut self,
        target: &TableStore,
        now_ms: i64,
    ) -> Result<(), DeltaError> {
        let young_ms = before(now_ms, LEDGER_COUNTS);
        for file in ledger::files(target).await? {
            let LedgerFile { path, job, modified_ms } = file;
            // A sync writes its ledger before its commit; one of its name that is younger than that
            // belongs to another sync.
            let is_done = self.committed.get(&job).is_some_and(|at_ms| modified_ms <= *at_ms);
            let is_new = !is_done && modified_ms > young_ms;
            if is_new && self.ledgers.insert((path.clone(), modified_ms)) {
                for entry in ledger::entries(target, &path).await? {
                    self.references.need(&entry.key, false);
                }
            }
        }
        if self.has_commit && !io::exists(target, &log::commit_path(self.version)).await? {
            let message = format!(
                "version {} of {} is gone: somebody else rewrites its log, and nothing more of it \
                 is deleted",
                self.version, target.uri
            );
            return Err(Failure::new(Reason::TargetDiverged, message).into());
        }
        while let Some(commit) = log::read_commit(target, self.version + 1).await? {
            if commit.is_empty() {
                let file = log::commit_path(commit.version);
                return Err(DeltaError::damaged(file, "it has no bytes yet: try again later"));
            }
            self.note(target, &commit, true);
            self.version = commit.version;
            self.has_commit = true;
        }
        Ok(())
    }
}

fn before(now_ms: i64, age: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
