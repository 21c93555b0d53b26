//! The plan of a sync that follows on our last one, from what is newer alone: the source's commits
//! since then, and the replica's files that these name.
//!
//! It is taken when the replica's head is the commit of our last sync and the source's synced
//! commit is still there, and the same part is asked for with the same settings. Whatever it cannot
//! judge makes it give way to the plan from both whole states, which finds the same change or says
//! what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deepclone_common::connections::Side;
use deepclone_common::store::redact::without_credentials;
use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::ids::JobId;
use deepclone_core::spec::{CloneSpec, SourcePoint};

use super::build::{Continuity, Extent, Replica, Request, Tables, change_set};
use super::objects::Proven;
use super::sync_plan::{SourceFigures, SyncPlan};
use super::up_to_date;
use super::within::{Within, check_size, owner_after};
use crate::actions::Add;
use crate::change_set::ChangeSet;
use crate::dv;
use crate::error::DeltaError;
use crate::file_key::{FileKey, LogKey};
use crate::io;
use crate::log::{self, CheckpointFiles, LogEntry, Names};
use crate::names::{Replicated, replicated};
use crate::paths;
use crate::properties::Maintenance;
use crate::protocol;
use crate::replica::synced::Synced;
use crate::replica::{LastSync, SyncRecord, identity, part};
use crate::room;
use crate::snapshot::{self, Onward, Snapshot, TableState};

mod checks;

use checks::{has_figures_of_checksum, is_checkpoint_of, is_counted_alike, is_synced_commit};

/// The most bytes of the source's new commits. Above it both whole states are compared, in one pass
/// and with less memory.
const NEW_BYTES_MAX: u64 = 256 << 20;

/// The most names that are looked for one by one on a disk.
const DISK_NAMES_MAX: usize = 10_000;

/// Live files by the object that they are read from.
type Files = BTreeMap<FileKey, Add>;
/// What commits did to files: the newest `add`, or none after a `remove`.
type Named = BTreeMap<LogKey, Option<Add>>;

/// The newer part of both logs.
struct News {
    synced: Synced,
    /// The source's commits since the last sync, up to the version that is wanted.
    commits: Vec<(u64, LogEntry)>,
    /// The source's newest checkpoint of these versions or the last sync's: the one that a whole
    /// plan reads.
    checkpoint: Option<CheckpointFiles>,
    /// The replica's head: the commit of the last sync.
    head: LogEntry,
}

/// Plans the sync by what is newer than the last one knew; `None` when both tables must be read.
///
/// # Errors
/// As [`super::plan_sync`].
pub(super) async fn plan(
    tables: Tables<'_>,
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
    synced: Option<Synced>,
) -> Result<Option<SyncPlan>, DeltaError> {
    let Some(synced) = synced.filter(|synced| serves(synced, tables, spec, within)) else {
        return whole("no last sync is known that asked for the same");
    };
    let Some(news) = news(tables, spec, synced).await? else { return Ok(None) };
    let record = &news.synced.record;
    let published = up_to_date::published(tables.target, record, (sync, within.claim)).await?;
    if published.is_some() {
        return Ok(published);
    }
    if news.commits.is_empty() {
        let found = up_to_date::up_to_date(record, record.version);
        return Ok(Some(SyncPlan::UpToDate(found)));
    }
    within.take(room::commits(&news.commits)).await;
    let change_set = changes(tables, spec, sync, within, news).await?;
    Ok(change_set.map(|change_set| SyncPlan::Change(Box::new(change_set))))
}

/// Leaves the sync to the plan from both whole tables.
fn whole<T>(why: &'static str) -> Result<Option<T>, DeltaError> {
    tracing::debug!(why, "both tables are read whole");
    Ok(None)
}

/// Returns whether the sync that is asked for follows on the last one with nothing else changed,
/// and no checkpoint can have dropped a transaction of the replica.
fn serves(synced: &Synced, tables: Tables<'_>, spec: &CloneSpec, within: &Within<'_>) -> bool {
    let body = &synced.record.body;
    synced.record.source_uri == without_credentials(&tables.source.uri)
        && up_to_date::same_request(&synced.record, spec)
        && within.claim.is_none_or(|claim| claim.has(body.owner.as_ref()))
        && synced.record.metrics.is_some()
        && Maintenance::of(&synced.replica.metadata.configuration).keeps_transactions()
        && synced.source.metadata.id == body.source_id
}

/// Lists what is newer in both logs; `None` when one of them is not what the last sync left.
async fn news(
    Tables { source, target }: Tables<'_>,
    spec: &CloneSpec,
    synced: Synced,
) -> Result<Option<News>, DeltaError> {
    let base = synced.record.body.source_version;
    let (at_source, at_target) =
        (log::since(source, base), log::since(target, synced.record.version));
    let (at_source, at_target) = futures::future::join(at_source, at_target).await;
    let at_source = at_source.map_err(|error| error.of(Side::Source))?;
    let at_target = at_target.map_err(|error| error.of(Side::Target))?;
    let Some((mut at_source, at_target)) = at_source.zip(at_target) else {
        return whole("a log does not show the last sync's commit and all newer ones");
    };
    let is_ours = at_target.newer.is_empty() && synced.is_commit(&at_target.known);
    if !is_ours || !synced.is_source_commit(&at_source.known) {
        return whole("a log is not as the last sync left it");
    }
    match spec.source_point {
        SourcePoint::Newest => {}
        SourcePoint::Version(version) => {
            let newest = at_source.newer.last().map_or(base, |(version, _)| *version);
            if !(base..=newest).contains(&version) {
                return whole("the version is not newer than the last sync's");
            }
            at_source.newer.retain(|(newer, _)| *newer <= version);
        }
        SourcePoint::Timestamp(_) => return whole("a time is asked for"),
    }
    let bytes: u64 = at_source.newer.iter().map(|(_, entry)| entry.size).sum();
    let (commits, head) = (at_source.newer, at_target.known);
    let wanted = commits.last().map_or(base, |(version, _)| *version);
    let checkpoint = at_source.checkpoints.into_iter().find(|found| found.version <= wanted);
    if bytes > NEW_BYTES_MAX {
        return whole("the newer commits are large");
    }
    Ok(Some(News { synced, commits, checkpoint, head }))
}

/// Builds the change set; `None` when both tables must be read.
async fn changes(
    tables: Tables<'_>,
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
    News { synced, commits, checkpoint, head }: News,
) -> Result<Option<ChangeSet>, DeltaError> {
    let of_source = |error: DeltaError| error.of(Side::Source);
    let (before, before_ms) = (synced.source.clone(), synced.record.body.source_commit_time);
    let stop = checkpoint.as_ref().map(|found| found.version);
    let found = snapshot::go_on(tables.source, before, before_ms, &commits, stop);
    let (found, is_same) = futures::future::join(found, is_synced_commit(tables, &synced)).await;
    let Some(onward) = found.map_err(of_source)? else {
        return whole("a newer commit is gone, or odd");
    };
    // What a checkpoint holds of a part alone cannot be counted.
    let may_differ = checkpoint.is_some() || !is_described_alike(&onward.table, &synced.source);
    if !is_same.map_err(of_source)? || (spec.partition_filter.is_some() && may_differ) {
        return whole(
            "the source's history, or what its partitions mean, is not known to be the same",
        );
    }
    let (changes_rows, named) = (onward.changes_rows, onward.files.clone());
    let live_at = onward.live_at.clone();
    let mut wanted = wanted(&commits, onward);
    let (known, allowed) = (&synced.replica, &spec.allowed_features);
    protocol::check(&wanted.protocol, &wanted.metadata, allowed).map_err(of_source)?;
    protocol::check(&known.protocol, &known.metadata, allowed)
        .map_err(|error| error.of(Side::Target))?;
    let predicate = part::parse(spec.partition_filter.as_deref(), &wanted)?;
    let scope = identity::scope(spec.mode, predicate.as_ref(), false);
    if scope != synced.record.body.scope {
        return whole("another part is asked for");
    }
    let Some(live) = live_in_replica(tables, &synced.record, &named).await? else {
        return whole("the replica's files of these names cannot be told alone");
    };
    let Some(files) = after(&tables.source.uri, &live, named) else {
        return whole("a path has another spelling, or two deletion vectors");
    };
    wanted.files = files;
    part::keep_matching(&mut wanted, predicate.as_ref())?;
    let replicated = replicated(tables.source, tables.target, wanted.files);
    let Replicated { files, sources, is_respelled, .. } = replicated.map_err(of_source)?;
    wanted.files = files;
    if is_respelled {
        return whole("a path is spelled in another way at the replica");
    }
    let Some(extent) = extent(&synced, changes_rows) else {
        return whole("the last sync's figures are not known");
    };
    let is_whole =
        is_counted_alike(tables.source, &extent, (&live, &live_at), checkpoint.as_ref()).await;
    if !is_whole.map_err(of_source)? {
        return whole("a checkpoint of the source counts other files");
    }
    let replica = replica(synced, &head, live, extent);
    let owner = owner_after(Some(&replica), within.claim);
    let submitter = within.submitter;
    let request = Request { spec, scope, sync, owner, submitter, sources, is_respelled };
    let change_set = change_set(tables, wanted, Some(&replica), &request).await?;
    if spec.partition_filter.is_none() {
        let is_right = has_figures_of_checksum(tables.source, &change_set).await;
        if !is_right.map_err(of_source)? {
            return whole("a checksum of the source counts other files");
        }
    }
    check_size(&change_set, within)?;
    Ok(Some(change_set))
}

/// Returns whether a predicate over the partitions means the same in both.
fn is_described_alike(left: &TableState, right: &TableState) -> bool {
    let is_mapped = |table: &TableState| {
        protocol::has_column_mapping(&table.protocol, &table.metadata.configuration)
    };
    let same_mapping = is_mapped(left) == is_mapped(right);
    let (left, right) = (&left.metadata, &right.metadata);
    same_mapping
        && left.partition_columns == right.partition_columns
        && left.schema_string == right.schema_string
        && left.configuration == right.configuration
}

/// Reads the replica's live files that the source's commits name, or that lie in the objects of
/// their deletion vectors; `None` when only the whole replica can tell.
async fn live_in_replica(
    Tables { source, target }: Tables<'_>,
    last: &SyncRecord,
    named: &Named,
) -> Result<Option<Files>, DeltaError> {
    let Some(mut names) = names(&source.uri, named) else { return Ok(None) };
    if target.kind() == StoreKind::Local && !fits_disk(target, &mut names).await? {
        return Ok(None);
    }
    let segment = match log::list(target, None).await {
        Err(DeltaError::Damaged { .. }) => return Ok(None),
        settled => settled.map_err(|error| error.of(Side::Target))?,
    };
    let live = snapshot::live_in(target, &segment, &Arc::new(names)).await;
    let live = live.map_err(|error| error.of(Side::Target))?;
    if live.as_ref().is_some_and(|live| !is_checkpoint_of(live, last)) {
        return whole("a checkpoint of the replica is not as the last sync left it");
    }
    Ok(live.map(|live| live.files))
}

/// Collects the objects of the files that the commits name; `None` for one outside of the table.
fn names(source_uri: &str, named: &Named) -> Option<Names> {
    let mut names = Names::default();
    for (key, add) in named {
        names.data.insert(paths::decode(source_uri, &key.path).ok()?.key);
        if let Some(add) = add
            && let Some((object, _)) = dv::object_of(source_uri, add).ok()?
        {
            names.vectors.insert(object);
        }
    }
    Some(names)
}

/// Returns whether the named keys can meet no other name on the disk, as far as can be told without
/// all names of the replica. The folders above them are named too, for they may be files.
async fn fits_disk(target: &TableStore, names: &mut Names) -> Result<bool, DeltaError> {
    let keys = names.data.iter().chain(&names.vectors);
    if keys.clone().count() > DISK_NAMES_MAX || keys.clone().any(|key| !key.is_ascii()) {
        return Ok(false);
    }
    // A disk that folds case finds the log's folder in any case.
    let upper = log::LAST_CHECKPOINT.to_uppercase();
    let log_folder = paths::LOG_FOLDER.to_uppercase();
    let folds = io::exists(target, &format!("{log_folder}/{upper}")).await?
        || !io::list(target, &log_folder, None).await?.is_empty();
    if folds {
        return Ok(false);
    }
    let mut folders = BTreeSet::new();
    for key in keys {
        folders.extend(key.match_indices('/').map(|(end, _)| key[..end].to_owned()));
        if !io::list(target, key, None).await?.is_empty() {
            return Ok(false);
        }
    }
    names.data.extend(folders);
    Ok(true)
}

/// Applies what the source's commits did to the replica's files that they name. `None` where the
/// two do not fit together: another spelling, or one path with two deletion vectors.
fn after(source_uri: &str, live: &Files, named: Named) -> Option<Files> {
    let mut files = live.clone();
    let mut adds = Vec::new();
    for (key, add) in named {
        let path = paths::decode(source_uri, &key.path).ok()?.key;
        let file = FileKey { path, dv: key.dv };
        if let Some(known) = files.remove(&file)
            && known.path != key.path
        {
            return None;
        }
        adds.extend(add.map(|add| (file, add)));
    }
    for (file, add) in adds {
        // A new file with two spellings.
        if files.insert(file, add).is_some() {
            return None;
        }
    }
    let twice = files.keys().zip(files.keys().skip(1)).any(|(a, b)| a.path == b.path);
    (!twice).then_some(files)
}

/// Builds the source's state at the version of the last commit, without files.
fn wanted(commits: &[(u64, LogEntry)], onward: Onward) -> Snapshot {
    let TableState { protocol, metadata, txns, domains } = onward.table;
    Snapshot {
        version: commits.last().map_or(0, |(version, _)| *version),
        protocol,
        metadata,
        txns,
        domains,
        files: BTreeMap::new(),
        commit_ms: onward.commit_ms,
        ict: onward.ict,
        commit: Some(onward.commit),
        commit_file: commits.last().map(|(_, entry)| entry.clone()),
        notices: Vec::new(),
        has_empty_commit: false,
        checkpoint: None,
    }
}

fn extent(synced: &Synced, changes_rows: bool) -> Option<Extent> {
    let metrics = synced.record.metrics?;
    let before = SourceFigures {
        source_table_size: metrics.source_table_size,
        source_num_of_files: metrics.source_num_of_files,
    };
    Some(Extent::Changed { before, changes_rows })
}

/// Builds the replica as the last sync left it, with these of its files.
fn replica(synced: Synced, head: &LogEntry, files: Files, extent: Extent) -> Replica {
    let Synced { record, ict, replica, .. } = synced;
    let TableState { protocol, metadata, txns, domains } = replica;
    let snapshot = Snapshot {
        version: record.version,
        protocol,
        metadata,
        txns,
        domains,
        files,
        commit_ms: ict.unwrap_or(head.modified_ms),
        ict,
        commit: None,
        commit_file: None,
        notices: Vec::new(),
        has_empty_commit: false,
        checkpoint: None,
    };
    let last = LastSync {
        lineage: record.body.lineage.clone(),
        scope: record.body.scope.clone(),
        source_version: record.body.source_version,
        at: Some(record.version),
        record: Some(record),
        hint: None,
        diverged: false,
        gone: None,
        notices: Vec::new(),
    };
    let (continuity, proven, missing) = (Continuity::Same, Proven::Head, BTreeSet::new());
    Replica { snapshot, last, continuity, extent, proven, missing }
}
