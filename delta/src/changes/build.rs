//! From two states to a change set: files, table, record and markers, each complete when the next
//! begins.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::connections::Side;
use deepclone_common::store::redact::without_credentials;
use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::ids::JobId;
use deepclone_core::ownership::ReplicaOwner;
use deepclone_core::spec::CloneSpec;

use super::difference::{self, FileDifference};
use super::objects::{self, Live, Proven};
use super::sync_plan::SourceFigures;
use super::table::{DescribedTable, TableChanges};
use super::{since, state};
use crate::actions::{Add, Oddity, Txn};
use crate::change_set::{ChangeSet, NewVector};
use crate::commit_adds::CommitAdds;
use crate::copy_objects::CopyObjects;
use crate::error::DeltaError;
use crate::file_key::FileKey;
use crate::hash::hex;
use crate::names::{self, NearNames};
use crate::properties::source_retention;
use crate::replica::synced::SyncedCommit;
use crate::replica::{
    CloneMetrics, LastSync, Marker, RecordBody, SyncRecord, identity, marker_txns,
};
use crate::snapshot::{CommitDigest, Snapshot};
use crate::{dv, log};

/// What the sync is asked to do.
pub(super) struct Request<'a> {
    pub(super) spec: &'a CloneSpec,
    /// The hash of the part of the source that is kept.
    pub(super) scope: String,
    pub(super) sync: JobId,
    /// The replication that the replica belongs to from this sync on.
    pub(super) owner: Option<ReplicaOwner>,
    /// Who asked for it.
    pub(super) submitter: Option<&'a str>,
    /// The source's keys of the objects that have another one at the target.
    pub(super) sources: BTreeMap<String, String>,
    /// True when a path was spelled in another way for the replica.
    pub(super) is_respelled: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) source: &'a TableStore,
    pub(super) target: &'a TableStore,
}

/// The replica at the time of planning.
pub(super) struct Replica {
    pub(super) snapshot: Snapshot,
    pub(super) last: LastSync,
    pub(super) continuity: Continuity,
    pub(super) extent: Extent,
    /// Which of its files are known to hold the source's bytes.
    pub(super) proven: Proven,
    /// Objects of it that are known to be gone.
    pub(super) missing: BTreeSet<String>,
}

/// Which files the two states hold.
pub(super) enum Extent {
    /// All the live files of both.
    Whole {
        /// Paths that were live at the source at the last sync and are not live now.
        absent: BTreeSet<String>,
    },
    /// Those that the source's commits since the last sync name.
    Changed {
        /// The source's figures at the last sync.
        before: SourceFigures,
        /// True when one of these commits changed rows.
        changes_rows: bool,
    },
}

/// Whether the source is the table that was synced before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// The same table: the lineage goes on.
    Same,
    /// Another one, and the policy allows it: a new lineage begins.
    Replaced,
}

/// The files that join, leave and change, and what must be copied for them.
pub(super) struct FileChanges {
    /// Those that leave, with the replica's fields.
    pub(super) leaves: Vec<Add>,
    pub(super) adds: CommitAdds,
    /// Whether the commit changes rows.
    pub(super) data_change: bool,
    /// True when a file in both has two spellings.
    pub(super) is_respelled: bool,
    pub(super) metrics: CloneMetrics,
    pub(super) objects: CopyObjects,
    pub(super) near_names: Vec<NearNames>,
    pub(super) new_vectors: Vec<NewVector>,
}

/// Builds the change set that leads from `replica` to `wanted`.
///
/// # Errors
/// Why one of the two states cannot be synced, each with its reason.
pub(super) async fn change_set(
    tables: Tables<'_>,
    mut wanted: Snapshot,
    replica: Option<&Replica>,
    request: &Request<'_>,
) -> Result<ChangeSet, DeltaError> {
    let files = std::mem::take(&mut wanted.files);
    let files = file_changes(tables, (&wanted, files), replica, request).await?;
    assembled(tables, &wanted, replica, request, files).await
}

/// Adds to the changes of files those of the table.
///
/// # Errors
/// As [`change_set`].
pub(super) async fn assembled(
    tables: Tables<'_>,
    wanted: &Snapshot,
    replica: Option<&Replica>,
    request: &Request<'_>,
    files: FileChanges,
) -> Result<ChangeSet, DeltaError> {
    let head = replica.map(|replica| &replica.snapshot);
    let commit = match wanted.commit {
        Some(commit) => Some(commit),
        None => CommitDigest::read(tables.source, wanted.version).await?,
    };
    let properties = &request.spec.properties;
    let described = DescribedTable::new(wanted, head, properties, request.sync)?;
    let table = described.changes(wanted, head)?;
    let record = record(wanted, commit, replica, request, &table);
    let mut notices = notices(wanted, commit, replica);
    notices.extend(table.notices);
    Ok(ChangeSet {
        source_version: wanted.version,
        replica_version: head.map(|head| head.version),
        objects: files.objects,
        near_names: files.near_names,
        metrics: files.metrics,
        notices,
        retention_ms: table.retention_ms,
        source_retention: source_retention(&wanted.metadata.configuration),
        replica_commit_ms: head.map(|head| head.commit_ms),
        new_vectors: files.new_vectors,
        source_uri: without_credentials(&tables.source.uri),
        txns: transactions(&record, wanted, head),
        record,
        protocol: table.protocol,
        metadata: table.metadata,
        commit_time: table.commit_time,
        domains: table.domains,
        removes: files.leaves,
        adds: files.adds,
        data_change: files.data_change,
        row_tracking: table.row_tracking,
        source_table: wanted.table(),
        source_commit: wanted.commit_file.as_ref().and_then(SyncedCommit::of),
        is_respelled: request.is_respelled || files.is_respelled,
        head_table: head.map(Snapshot::table),
    })
}

async fn file_changes(
    tables: Tables<'_>,
    (wanted, files): (&Snapshot, BTreeMap<FileKey, Add>),
    replica: Option<&Replica>,
    request: &Request<'_>,
) -> Result<FileChanges, DeltaError> {
    let Tables { source, target } = tables;
    let nothing = Default::default();
    let live = replica.map_or(&nothing, |replica| &replica.snapshot.files);
    let objects = objects::new_objects(
        Live { uri: &target.uri, files: live },
        Live { uri: &source.uri, files: &files },
        replica.map_or(&Proven::Head, |replica| &replica.proven),
        replica.map_or(&BTreeSet::new(), |replica| &replica.missing),
    )?;
    let objects = objects::located(target, &request.sources, objects)?;
    let known: BTreeSet<&str> = live.keys().map(|key| key.path.as_str()).collect();
    names::refuse_nested(target, &objects, &known)?;
    let near_names = match target.kind() {
        StoreKind::Local => names::near_names(&objects, known.into_iter()),
        _ => Vec::new(),
    };
    let figures = difference::figures(&files);
    let difference = difference::difference(live, files)?;
    let data_change = data_change(tables, wanted, replica, &request.scope, &difference).await;
    let data_change = data_change.map_err(|error| error.of(Side::Source))?;
    Ok(FileChanges {
        metrics: match replica.map(|replica| &replica.extent) {
            Some(Extent::Changed { before, .. }) => difference::metrics_after(*before, &difference),
            Some(Extent::Whole { .. }) | None => difference::metrics(figures, &difference),
        },
        new_vectors: new_vectors(source, &difference, &objects)?,
        leaves: difference.leaves,
        adds: adds(difference.joins, difference.re_adds, data_change).into(),
        data_change,
        is_respelled: difference.is_respelled,
        objects,
        near_names,
    })
}

/// Lists the vectors of the files that join, except inline ones.
fn new_vectors(
    source: &TableStore,
    difference: &FileDifference,
    objects: &CopyObjects,
) -> Result<Vec<NewVector>, DeltaError> {
    let mut vectors = Vec::new();
    for add in &difference.joins {
        if let Some(vector) = &add.deletion_vector
            && let Some((object, _)) = dv::object_of(&source.uri, add)?
        {
            vectors.push(NewVector {
                file: add.path.clone(),
                vector: vector.as_ref().clone(),
                is_copied: objects.find(&object).is_some(),
                object,
            });
        }
    }
    Ok(vectors)
}

fn record(
    wanted: &Snapshot,
    commit: Option<CommitDigest>,
    replica: Option<&Replica>,
    Request { spec, scope, sync, owner, submitter, .. }: &Request<'_>,
    table: &TableChanges,
) -> RecordBody {
    // A commit without bytes may be filled in later. Without a hash the next sync compares
    // everything again.
    let source_commit_sha256 = commit
        .filter(|commit| !wanted.has_empty_commit && !commit.is_empty)
        .map(|commit| hex(&commit.sha256));
    let last = replica.and_then(|replica| replica.last.record.as_ref());
    let lineage = match replica {
        Some(replica) if replica.continuity == Continuity::Same => replica.last.lineage.clone(),
        _ => wanted.metadata.id.clone(),
    };
    RecordBody {
        sync_id: sync.0,
        mode: spec.mode.name().to_owned(),
        table_id: table.table_id.clone(),
        checkpoint_interval: table.checkpoint_interval,
        lineage,
        scope: scope.clone(),
        settings: identity::settings(&spec.properties),
        source_id: wanted.metadata.id.clone(),
        source_version: wanted.version,
        source_commit_sha256,
        source_commit_time: wanted.commit_ms,
        owner: owner.clone(),
        submitter: submitter.map(ToOwned::to_owned),
        partition_filter: spec.partition_filter.clone(),
        earlier: last.map(SyncRecord::earlier_of_next).unwrap_or_default(),
    }
}

/// Collects the notices about the source's log, whose newest commit is `commit`, and the replica's.
fn notices(
    wanted: &Snapshot,
    commit: Option<CommitDigest>,
    replica: Option<&Replica>,
) -> Vec<String> {
    let mut notices = wanted.notices.clone();
    // With a checkpoint of its version the commit was not read.
    if !wanted.has_empty_commit && commit.is_some_and(|commit| commit.is_empty) {
        notices.push(format!("{} {}", log::commit_path(wanted.version), Oddity::EmptyCommit));
    }
    let source = notices.into_iter().map(|notice| format!("the source's log: {notice}"));
    let replica = replica.map(|replica| replica.last.notices.clone()).unwrap_or_default();
    source.chain(replica).collect()
}

fn adds(mut joins: Vec<Add>, re_adds: Vec<Add>, data_change: bool) -> Vec<Add> {
    joins.iter_mut().for_each(|add| add.data_change = data_change);
    joins.extend(re_adds);
    joins
}

fn transactions(record: &RecordBody, wanted: &Snapshot, head: Option<&Snapshot>) -> Vec<Txn> {
    let nothing = Default::default();
    let known = head.map_or(&nothing, |head| &head.txns);
    let marker = Marker {
        lineage: record.lineage.clone(),
        scope: record.scope.clone(),
        source_version: wanted.version,
        at: head.map_or(0, |head| head.version + 1),
    };
    let mut txns = marker_txns(&marker, known);
    txns.extend(state::transactions(&wanted.txns, known));
    txns
}

/// Returns false when the source only rearranged rows since the last sync, so that streams on the
/// replica do not see them twice. That is known only if the replica is in exactly that state of the
/// same part.
///
/// # Errors
/// DAMAGED_LOG when a file left the source without a `remove`.
async fn data_change(
    Tables { source, target }: Tables<'_>,
    wanted: &Snapshot,
    replica: Option<&Replica>,
    scope: &str,
    difference: &FileDifference,
) -> Result<bool, DeltaError> {
    let Some(Replica { snapshot, last, extent, continuity, .. }) = replica else { return Ok(true) };
    let follows = *continuity == Continuity::Same && !last.diverged && last.scope == scope;
    // A file whose rows were all deleted before may leave without a change of rows; none can join
    // without one.
    let may_be_quiet = follows && !difference.leaves.is_empty();
    let absent = match extent {
        Extent::Whole { absent } => absent,
        Extent::Changed { changes_rows, .. } => return Ok(!may_be_quiet || *changes_rows),
    };
    if !may_be_quiet && absent.is_empty() {
        return Ok(true);
    }
    let interval = (last.source_version, wanted.version);
    let sides = (source, target.kind());
    let absent = (&*snapshot.metadata.id, absent.clone());
    let since = since::read(sides, interval, absent, last.is_settled()).await?;
    match since.lost {
        Some(lost) => Err(lost.error(wanted, last)),
        None => Ok(!may_be_quiet || since.data_change),
    }
}
