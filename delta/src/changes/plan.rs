//! The plan of one sync: its phases, in order.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::connections::Side;
use deepclone_common::store::redact::without_credentials;
use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, SourcePoint, SourceReplacedPolicy};

use super::difference::{self, Difference};
use super::head::{self, LastSync};
use super::identity::{self, Identity, Marker};
use super::objects::{self, Live, Proven};
use super::record::RecordBody;
use super::target_names::{self, Replicated};
use super::{
    ChangeSet, NewVector, SyncPlan, cleaned, filter, metadata, protocol, since, state, up_to_date,
};
use crate::actions::{Action, Add, Oddity};
use crate::error::DeltaError;
use crate::log::LogSegment;
use crate::publish::{checkpoint_interval, retention_ms};
use crate::snapshot::{self, CommitDigest, Snapshot};
use crate::{commit, features, log};

/// A time with as many digits as the commit's own will have.
const PLANNED_MS: i64 = 1_000_000_000_000;

/// What is asked for.
struct Request<'a> {
    spec: &'a CloneSpec,
    /// The hash of the part of the source that is kept.
    scope: String,
    sync: JobId,
    /// The source's keys of the objects that have another one at the target.
    sources: BTreeMap<String, String>,
}

/// The two sides.
#[derive(Clone, Copy)]
struct Tables<'a> {
    source: &'a TableStore,
    target: &'a TableStore,
}

/// The replica as the plan found it.
struct Replica {
    snapshot: Snapshot,
    last: LastSync,
    continuity: Continuity,
    /// Paths that the source had at the last sync and does not have any more.
    absent: BTreeSet<String>,
    /// Which of its files are known to hold the source's bytes.
    proven: Proven,
}

/// Is the source the one that was synced before?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuity {
    /// The same table: the lineage goes on.
    Same,
    /// Another one, and the policy allows it: a new lineage begins.
    Replaced,
}

pub(super) async fn plan(
    source: &TableStore,
    target: &TableStore,
    spec: &CloneSpec,
    sync: JobId,
    commit_bytes_max: u64,
) -> Result<SyncPlan, DeltaError> {
    let (at_source, at_target) =
        futures::future::join(log::list(source, None), log::list(target, None)).await;
    if let (Ok(at_source), Ok(at_target)) = (&at_source, &at_target) {
        let heads = (at_source.version, at_target.version);
        if let Some(plan) = up_to_date::quick(source, target, spec, sync, heads).await? {
            return Ok(plan);
        }
    }
    let of_source = |error: DeltaError| error.of(Side::Source);
    let wanted = snapshot::read_found(source, &spec.source_point, at_source).await;
    let mut wanted = wanted.map_err(of_source)?;
    features::check(&wanted.protocol, &wanted.metadata, &spec.allowed_features)
        .map_err(of_source)?;
    let replica = read_replica(source, (target, at_target), &wanted, spec).await?;
    if let Some(plan) = replica.as_ref().and_then(|replica| decided(replica, sync)) {
        return Ok(plan);
    }
    refuse_older(replica.as_ref(), &wanted)?;
    let predicate = filter::parse(spec.partition_filter.as_deref(), &wanted)?;
    filter::keep_matching(&mut wanted, predicate.as_ref())?;
    let replicated = target_names::replicated(source, target, wanted.files);
    let Replicated { files, sources } = replicated.map_err(of_source)?;
    wanted.files = files;
    let scope = identity::scope(spec.mode, predicate.as_ref(), !sources.is_empty());
    let tables = Tables { source, target };
    let request = Request { spec, scope, sync, sources };
    let change_set = change_set(tables, &wanted, replica.as_ref(), &request).await?;
    Ok(match &replica {
        Some(replica) if nothing_to_do(replica, &change_set) => nothing(replica, &change_set),
        _ => {
            // Before anything is copied: a commit that cannot be written makes no object visible.
            commit::check_size(commit::size(&change_set, sync, PLANNED_MS), commit_bytes_max)?;
            SyncPlan::Change(Box::new(change_set))
        }
    })
}

async fn read_replica(
    source: &TableStore,
    (target, at_target): (&TableStore, Result<LogSegment, DeltaError>),
    wanted: &Snapshot,
    spec: &CloneSpec,
) -> Result<Option<Replica>, DeltaError> {
    if let Err(DeltaError::NotATable { .. }) = at_target {
        return Ok(None);
    }
    let of_target = |error: DeltaError| error.of(Side::Target);
    let snapshot = snapshot::read_found(target, &SourcePoint::Newest, at_target).await;
    let snapshot = snapshot.map_err(of_target)?;
    let last = head::last_sync(target, &snapshot, spec.divergence_policy).await;
    let mut last = last.map_err(of_target)?;
    features::check(&snapshot.protocol, &snapshot.metadata, &spec.allowed_features)
        .map_err(of_target)?;
    let continuity = match refuse_other_source(source, wanted, &last).await {
        Ok(()) => Continuity::Same,
        Err(DeltaError::Refused(failure))
            if failure.reason == Reason::SourceReplaced
                && spec.source_replaced_policy == SourceReplacedPolicy::Reclone =>
        {
            Continuity::Replaced
        }
        Err(error) => return Err(error.of(Side::Source)),
    };
    cleaned::judge(source, (target, &snapshot), spec, &mut last).await?;
    let (absent, proven) = match continuity {
        Continuity::Replaced => (BTreeSet::new(), Proven::Nothing),
        Continuity::Same if !last.diverged => {
            (since::not_live(target.kind(), &snapshot.files, &wanted.files), Proven::Head)
        }
        // Somebody else's files never were at the source.
        Continuity::Same => match since::synced_files(target, &last).await? {
            Some(mut synced) => {
                let absent = since::not_live(target.kind(), &synced, &wanted.files);
                let since = (last.at.unwrap_or_default(), &snapshot);
                since::keep_unbroken(target, since, &mut synced).await?;
                (absent, Proven::LastSync(synced))
            }
            None => (BTreeSet::new(), Proven::Nothing),
        },
    };
    Ok(Some(Replica { snapshot, last, continuity, absent, proven }))
}

/// Identity is history: the synced commit's JSON is still there and has its hash, whatever the
/// table's id; only when it is gone must the id be the same.
///
/// # Errors
/// SOURCE_REPLACED when `source` is another table than the one synced last.
pub(crate) async fn refuse_other_source(
    source: &TableStore,
    wanted: &Snapshot,
    last: &LastSync,
) -> Result<(), DeltaError> {
    let known_id = match (&last.record, &last.hint) {
        (Some(record), _) => &record.body.source_id,
        (None, Some(hint)) => &hint.source_id,
        (None, None) => &last.lineage,
    };
    let known_hash = match (&last.record, &last.hint) {
        (Some(record), _) => record.body.source_commit_sha256.as_ref(),
        (None, hint) => hint.as_ref().and_then(|hint| hint.source_commit_sha256.as_ref()),
    };
    let commit = log::read_commit(source, last.source_version).await?;
    // A commit without bytes proves nothing: it is filled in later, or has lost them.
    let commit = commit.filter(|commit| !commit.is_empty());
    let is_same = match (known_hash, commit) {
        (Some(known_hash), Some(commit)) => identity::hex(&commit.sha256) == *known_hash,
        _ => {
            wanted.metadata.id == *known_id || had_id(source, last.source_version, known_id).await?
        }
    };
    if is_same { Ok(()) } else { Err(replaced(last, wanted).into()) }
}

/// True when a commit up to `version` gave the table this id: it may have had others since.
async fn had_id(source: &TableStore, version: u64, id: &str) -> Result<bool, DeltaError> {
    for version in (0..=version).rev() {
        let Some(commit) = log::read_commit(source, version).await? else { break };
        let has_id = commit.actions.iter().any(|action| match action {
            Action::Metadata(metadata) => metadata.id == id,
            _ => false,
        });
        if has_id {
            return Ok(true);
        }
    }
    match snapshot::read(source, &SourcePoint::Version(version)).await {
        Ok(then) => Ok(then.metadata.id == id),
        Err(error @ (DeltaError::Storage { .. } | DeltaError::Refused(_))) => Err(error),
        // The log does not hold that version any more.
        Err(_) => Ok(false),
    }
}

/// This sync was published before a crash.
fn decided(replica: &Replica, sync: JobId) -> Option<SyncPlan> {
    let record = replica.last.record.as_ref()?;
    (record.sync() == sync).then(|| up_to_date::published(record))
}

fn refuse_older(replica: Option<&Replica>, wanted: &Snapshot) -> Result<(), DeltaError> {
    match replica {
        Some(replica)
            if replica.continuity == Continuity::Same
                && wanted.version < replica.last.source_version =>
        {
            Err(DeltaError::Invalid(format!(
                "the replica has the source's version {} already: it cannot go back to {}",
                replica.last.source_version, wanted.version
            )))
        }
        _ => Ok(()),
    }
}

/// True when the replica has this version of this part of the source, nobody else wrote to it,
/// and no file, domain, transaction or property differs.
fn nothing_to_do(replica: &Replica, change_set: &ChangeSet) -> bool {
    let (last, wanted) = (&replica.last, &change_set.identity.body);
    last.source_version == wanted.source_version
        && replica.continuity == Continuity::Same
        && !last.diverged
        && last.record.as_ref().is_some_and(|record| {
            record.body.scope == wanted.scope && record.body.settings == wanted.settings
        })
        && change_set.changes_nothing()
}

fn nothing(replica: &Replica, change_set: &ChangeSet) -> SyncPlan {
    SyncPlan::UpToDate(super::UpToDate {
        source_version: change_set.source_version,
        replica_version: replica.snapshot.version,
        metrics: Some(super::SourceFigures {
            source_table_size: change_set.metrics.source_table_size,
            source_num_of_files: change_set.metrics.source_num_of_files,
        }),
    })
}

async fn change_set(
    Tables { source, target }: Tables<'_>,
    wanted: &Snapshot,
    replica: Option<&Replica>,
    request: &Request<'_>,
) -> Result<ChangeSet, DeltaError> {
    let nothing = Default::default();
    let head = replica.map(|replica| &replica.snapshot);
    let live = head.map_or(&nothing, |head| &head.files);
    let difference = difference::difference(live, &wanted.files)?;
    let mut objects = objects::new_objects(
        Live { uri: &target.uri, files: live },
        Live { uri: &source.uri, files: &wanted.files },
        replica.map_or(&Proven::Head, |replica| &replica.proven),
    )?;
    target_names::locate(target, &request.sources, &mut objects)?;
    let new_vectors = new_vectors(source, &difference)?;
    let metrics = difference::metrics(&wanted.files, &difference);
    let tables = Tables { source, target };
    let data_change = data_change(tables, wanted, replica, &request.scope, &difference).await;
    let data_change = data_change.map_err(|error| error.of(Side::Source))?;
    let commit = match wanted.commit {
        Some(commit) => Some(commit),
        None => log::read_commit(source, wanted.version).await?.as_ref().map(CommitDigest::of),
    };
    let identity = identity_of(source, wanted, commit, replica, request);

    let near_names = match target.kind() {
        StoreKind::Local => {
            super::near_names::near_names(&objects, live.keys().map(|key| key.path.as_str()))
        }
        _ => Vec::new(),
    };
    let mut change_set = ChangeSet {
        source_version: wanted.version,
        replica_version: head.map(|head| head.version),
        objects,
        near_names,
        metrics,
        notices: notices(wanted, commit, replica),
        retention_ms: 0,
        replica_commit_ms: head.map(|head| head.commit_ms),
        new_vectors,
        txns: transactions(&identity, wanted, head),
        identity,
        protocol: None,
        metadata: None,
        commit_time: super::CommitTime::FileTime,
        domains: Vec::new(),
        removes: difference.leaves,
        adds: adds(difference.joins, difference.re_adds, data_change),
        data_change,
        row_tracking: false,
    };
    describe(&mut change_set, wanted, head, request)?;
    Ok(change_set)
}

/// What an operator should know of the source's log, whose newest commit is `commit`, and of the
/// replica's.
fn notices(
    wanted: &Snapshot,
    commit: Option<CommitDigest>,
    replica: Option<&Replica>,
) -> Vec<String> {
    let mut notices = wanted.notices.clone();
    // Beside its checkpoint the commit was not needed for the state.
    if !wanted.has_empty_commit && commit.is_some_and(|commit| commit.is_empty) {
        notices.push(format!("{} {}", log::commit_path(wanted.version), Oddity::EmptyCommit));
    }
    let source = notices.into_iter().map(|notice| format!("the source's log: {notice}"));
    let replica = replica.map(|replica| replica.last.notices.clone()).unwrap_or_default();
    source.chain(replica).collect()
}

/// The vectors of the files that join, as far as they lie in objects.
fn new_vectors(source: &TableStore, difference: &Difference) -> Result<Vec<NewVector>, DeltaError> {
    let mut vectors = Vec::new();
    for (_, add) in &difference.joins {
        if let Some(vector) = &add.deletion_vector
            && let Some((object, _)) = objects::vector_object(&source.uri, add)?
        {
            vectors.push(NewVector { object, file: add.path.clone(), vector: vector.clone() });
        }
    }
    Ok(vectors)
}

/// Protocol, metadata and domains: each only where it differs from the replica's.
fn describe(
    change_set: &mut ChangeSet,
    wanted: &Snapshot,
    head: Option<&Snapshot>,
    request: &Request<'_>,
) -> Result<(), DeltaError> {
    let properties = &request.spec.properties;
    let mut configuration = metadata::configuration(&wanted.metadata, properties)?;
    let head_protocol = head.map(|head| &head.protocol);
    let schema = &wanted.metadata.schema_string;
    let merged = protocol::merge(&wanted.protocol, head_protocol, schema);
    change_set.notices.extend(protocol::notice(&wanted.protocol));
    let inert = metadata::leave_out_inert(&mut configuration, wanted, &merged);
    change_set.notices.extend(inert);
    metadata::suspend_row_tracking(&mut configuration, &wanted.protocol, &merged);
    change_set.commit_time = metadata::commit_time(&mut configuration, &merged, head);
    let head_metadata = head.map(|head| &head.metadata);
    let described = metadata::build(&wanted.metadata, configuration, head_metadata, request.sync);
    change_set.notices.extend(metadata::feed_notice(&described, &merged, head));
    change_set.identity.body.table_id = described.id.clone();
    change_set.identity.body.checkpoint_interval = checkpoint_interval(&described);
    let retention = [Some(&described), head_metadata].into_iter().flatten().map(retention_ms);
    change_set.retention_ms = retention.min().unwrap_or_default();
    let features = features::supported(&merged).writer;
    if features.contains("domainMetadata") {
        let known = head.map(|head| head.domains.clone()).unwrap_or_default();
        change_set.domains = state::domains(&wanted.domains, &known)?;
    }
    change_set.row_tracking = features.contains("rowTracking");
    change_set.metadata =
        head_metadata.is_none_or(|known| !metadata::same(known, &described)).then_some(described);
    change_set.protocol =
        head_protocol.is_none_or(|known| !protocol::same(known, &merged)).then_some(merged);
    Ok(())
}

fn adds(
    joins: Vec<(crate::paths::FileKey, Add)>,
    re_adds: Vec<Add>,
    data_change: bool,
) -> Vec<Add> {
    let joins = joins.into_iter().map(|(_, add)| Add { data_change, ..add });
    joins.chain(re_adds).collect()
}

fn transactions(
    identity: &Identity,
    wanted: &Snapshot,
    head: Option<&Snapshot>,
) -> Vec<crate::actions::Txn> {
    let known = head.map(|head| head.txns.clone()).unwrap_or_default();
    let marker = Marker {
        lineage: identity.body.lineage.clone(),
        scope: identity.body.scope.clone(),
        source_version: wanted.version,
        at: head.map_or(0, |head| head.version + 1),
    };
    let mut txns = identity::marker_txns(&marker, &known);
    txns.extend(state::transactions(&wanted.txns, &known));
    txns
}

/// False when the source only rearranged rows since the last sync: streams on the replica must
/// not see them twice. Only known when the replica is exactly that state of the same part.
///
/// # Errors
/// DAMAGED_LOG when a file left the source without a `remove`.
async fn data_change(
    Tables { source, target }: Tables<'_>,
    wanted: &Snapshot,
    replica: Option<&Replica>,
    scope: &str,
    difference: &Difference,
) -> Result<bool, DeltaError> {
    let Some(Replica { last, absent, continuity, .. }) = replica else { return Ok(true) };
    let follows = *continuity == Continuity::Same && !last.diverged && last.scope == scope;
    // Rows can leave unseen (a file whose rows were all deleted before), not join.
    let may_be_quiet = follows && !difference.leaves.is_empty();
    if !may_be_quiet && absent.is_empty() {
        return Ok(true);
    }
    let interval = (last.source_version, wanted.version);
    let sides = (source, target.kind());
    let since = since::read(sides, interval, absent.clone(), last.is_settled()).await?;
    match since.lost {
        Some(lost) => Err(lost.error(wanted, last)),
        None => Ok(!may_be_quiet || since.data_change),
    }
}

fn identity_of(
    source: &TableStore,
    wanted: &Snapshot,
    commit: Option<CommitDigest>,
    replica: Option<&Replica>,
    Request { spec, scope, .. }: &Request<'_>,
) -> Identity {
    // Where a commit has no bytes yet, the same version may come to say more: without a hash the
    // next sync looks at all of it again.
    let source_commit_sha256 = commit
        .filter(|commit| !wanted.has_empty_commit && !commit.is_empty)
        .map(|commit| identity::hex(&commit.sha256));
    let lineage = match replica {
        Some(replica) if replica.continuity == Continuity::Same => replica.last.lineage.clone(),
        _ => wanted.metadata.id.clone(),
    };
    Identity {
        source_uri: without_credentials(&source.uri),
        body: RecordBody {
            sync_id: uuid::Uuid::nil(),
            mode: spec.mode.name().to_owned(),
            // Both are known once the metadata is described.
            table_id: String::new(),
            checkpoint_interval: 0,
            lineage,
            scope: scope.clone(),
            settings: identity::settings(&spec.properties),
            source_id: wanted.metadata.id.clone(),
            source_version: wanted.version,
            source_commit_sha256,
            source_commit_time: wanted.commit_ms,
            partition_filter: spec.partition_filter.clone(),
        },
    }
}

fn replaced(last: &LastSync, wanted: &Snapshot) -> Failure {
    Failure::new(
        Reason::SourceReplaced,
        format!(
            "the target is a replica of another table than this source (lineage {}, synced at \
             version {}; the source's id is {}): use --on-source-replaced reclone to start anew, \
             or choose another target folder",
            last.lineage, last.source_version, wanted.metadata.id
        ),
    )
    .with("lineage", last.lineage.as_str())
    .with("source_id", wanted.metadata.id.as_str())
}
