//! The plan of one sync: its phases, in order.

use std::collections::BTreeSet;

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::ownership::{OwnerClaim, ReplicaOwner};
use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, Repair, SourcePoint, SourceReplacedPolicy};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::build::{Continuity, Extent, Replica, Request, Tables, change_set};
use super::objects::Proven;
use super::repair::SyncedRequest;
use super::sync_plan::{SourceFigures, SyncPlan, UpToDate};
use super::within::{Within, check_size, owner_after};
use super::{cleaned, first, incremental, repair, since, up_to_date};
use crate::change_set::ChangeSet;
use crate::copy_objects::CopyObjects;
use crate::enclosing::refuse_inside_table;
use crate::error::DeltaError;
use crate::io;
use crate::log::{self, LogSegment};
use crate::names::{Replicated, replicated};
use crate::protocol;
use crate::replica::synced::{self, Synced};
use crate::replica::{identity, last_sync, part, refuse_other_source};
use crate::room;
use crate::snapshot::{self, Snapshot};

/// How often the newest version of a source is looked for that goes on, or is cleaned, meanwhile.
const PLANS_MAX: u32 = 3;
/// Objects of a replica that are looked at at the same time.
const LOOKS_AT_ONCE_MAX: usize = 32;

/// Plans the sync of `target` to what `spec` asks of `source`.
///
/// # Errors
/// Why the source, the target or the spec does not allow the sync, each with its reason.
pub async fn plan_sync(
    source: &TableStore,
    target: &TableStore,
    spec: &CloneSpec,
    sync: JobId,
) -> Result<SyncPlan, DeltaError> {
    plan_sync_within(source, target, spec, sync, &Within::default()).await
}

/// Like [`plan_sync`], within these bounds.
///
/// # Errors
/// As [`plan_sync`]; TARGET_UNSUITABLE naming a table that the target lies in; TARGET_OWNED when
/// the replica belongs to another replication than that of the claim.
pub async fn plan_sync_within(
    source: &TableStore,
    target: &TableStore,
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
) -> Result<SyncPlan, DeltaError> {
    for _ in 1..PLANS_MAX {
        match plan_once(source, target, spec, sync, within).await {
            Err(error) if spec.source_point == SourcePoint::Newest && error.is_overtaken() => {
                tracing::info!(%error, "the source went on while it was read: it is read again");
            }
            settled => return settled,
        }
    }
    plan_once(source, target, spec, sync, within).await
}

async fn plan_once(
    source: &TableStore,
    target: &TableStore,
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
) -> Result<SyncPlan, DeltaError> {
    let tables = Tables { source, target };
    if spec.repair != Repair::Nothing {
        return plan_repair(tables, spec, sync, within).await;
    }
    let mut unknown = None;
    if !within.reads_whole {
        let (synced, found) = last_synced(tables, within).await?;
        unknown = found;
        if let Some(plan) = incremental::plan(tables, spec, sync, within, synced).await? {
            return Ok(plan);
        }
    }
    let ((at_source, at_target), enclosed) = match unknown {
        Some(Unknown { listed, enclosed }) => (listed, Some(enclosed)),
        None => {
            let (source, target) = (log::list(source, None), log::list(target, None));
            (futures::future::join(source, target).await, None)
        }
    };
    if let (Ok(at_source), Ok(at_target)) = (&at_source, &at_target) {
        let heads = (at_source.version, at_target.version);
        if let Some(plan) =
            up_to_date::quick((source, target), spec, within.claim, sync, heads).await?
        {
            return Ok(plan);
        }
    }
    if let (Ok(segment), Err(DeltaError::NotATable { .. }), Some(first), Some(Ok(()))) =
        (&at_source, &at_target, within.first_sync, &enclosed)
    {
        first.send_replace(room::read_bytes(segment));
    }
    if let (Ok(segment), Err(DeltaError::NotATable { .. })) = (&at_source, &at_target)
        && !within.reads_whole
    {
        within.take(room::flowing(segment)).await;
        if let Some(plan) = first::plan(tables, segment, spec, sync, within).await {
            refuse_enclosed(target, within, enclosed).await?;
            return Ok(plan);
        }
    }
    plan_whole(tables, ((at_source, at_target), enclosed), spec, sync, within).await
}

/// The newest versions of the source's log and of the target's.
type Listed = (Result<LogSegment, DeltaError>, Result<LogSegment, DeltaError>);

/// What was found where no last sync is known.
struct Unknown {
    listed: Listed,
    /// Whether the target lies inside another table.
    enclosed: Result<(), DeltaError>,
}

/// Reads what the last sync knew. Without one, both logs are listed, and the folders above the
/// target are asked for: most likely it is new.
async fn last_synced(
    Tables { source, target }: Tables<'_>,
    within: &Within<'_>,
) -> Result<(Option<Synced>, Option<Unknown>), DeltaError> {
    if let Some(synced) = synced::read(target).await.map_err(of_target)? {
        return Ok((Some(synced), None));
    }
    let lists = futures::future::join(log::list_first(source), log::list_first(target));
    let enclosed = refuse_inside_table(target, within.above);
    let (listed, enclosed) = futures::future::join(lists, enclosed).await;
    Ok((None, Some(Unknown { listed, enclosed })))
}

/// Refuses a new replica inside another table, which is asked for unless that is known.
async fn refuse_enclosed(
    target: &TableStore,
    within: &Within<'_>,
    known: Option<Result<(), DeltaError>>,
) -> Result<(), DeltaError> {
    match known {
        Some(known) => known,
        None => refuse_inside_table(target, within.above).await,
    }
}

/// Plans from both whole tables what a repair asks for, at the version that the replica has.
async fn plan_repair(
    tables: Tables<'_>,
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
) -> Result<SyncPlan, DeltaError> {
    let Tables { source, target } = tables;
    let at_target = log::list(target, None).await.map_err(|error| error.of(Side::Target))?;
    let record = up_to_date::head_record(target, at_target.version).await;
    let record = record.map_err(|error| error.of(Side::Target))?;
    if let Some(record) = &record
        && let Some(plan) = up_to_date::published(target, record, (sync, within.claim)).await?
    {
        return Ok(plan);
    }
    let synced = match &record {
        Some(record) => Some(SyncedRequest::of_record(record, spec)),
        None => repair::overwritten(target, spec).await?,
    };
    let spec = repair::request(target, synced.as_ref(), spec)?;
    let at_source = log::list(source, None).await;
    plan_whole(tables, ((at_source, Ok(at_target)), None), &spec, sync, within).await
}

/// Plans from both whole tables, of which the newest versions were listed.
async fn plan_whole(
    tables: Tables<'_>,
    ((at_source, at_target), enclosed): (Listed, Option<Result<(), DeltaError>>),
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
) -> Result<SyncPlan, DeltaError> {
    let Tables { source, target } = tables;
    let states = [&at_source, &at_target].map(|side| side.as_ref().map_or(0, room::state));
    within.take(states[0].saturating_add(states[1])).await;
    let of_source = |error: DeltaError| error.of(Side::Source);
    // A replica that exists was looked at when it was new.
    let enclosed = async {
        match &at_target {
            Err(DeltaError::NotATable { .. }) => refuse_enclosed(target, within, enclosed).await,
            Ok(_) | Err(_) => Ok(()),
        }
    };
    let wanted = snapshot::read_found(source, &spec.source_point, at_source);
    let (wanted, enclosed) = futures::future::join(wanted, enclosed).await;
    let mut wanted = wanted.map_err(of_source)?;
    enclosed?;
    protocol::check(&wanted.protocol, &wanted.metadata, &spec.allowed_features)
        .map_err(of_source)?;
    let claim = within.claim;
    let mut replica = read_replica(source, (target, at_target), &wanted, spec, claim).await?;
    if let Some(record) = replica.as_ref().and_then(|replica| replica.last.record.as_ref())
        && let Some(plan) = up_to_date::published(target, record, (sync, claim)).await?
    {
        return Ok(plan);
    }
    refuse_older(replica.as_ref(), &wanted)?;
    let predicate = part::parse(spec.partition_filter.as_deref(), &wanted)?;
    part::keep_matching(&mut wanted, predicate.as_ref())?;
    let mut replicated = replicated(source, target, std::mem::take(&mut wanted.files));
    let mut notices = Vec::new();
    if let Some(replica) = &mut replica {
        let known = replicated.and_then(|known| known.with_repaired(target, &replica.snapshot));
        let mut known = known.map_err(of_source)?;
        (replica.missing, notices) =
            repairs(tables, &mut wanted, &mut known, replica, spec).await?;
        replicated = Ok(known);
    }
    let replicated = replicated.map_err(of_source)?;
    let Replicated { files, sources, is_respelled, is_rewritten } = replicated;
    wanted.files = files;
    let scope = identity::scope(spec.mode, predicate.as_ref(), is_rewritten);
    let owner = owner_after(replica.as_ref(), claim);
    let submitter = within.submitter;
    let request = Request { spec, scope, sync, owner, submitter, sources, is_respelled };
    let mut change_set = change_set(tables, wanted, replica.as_ref(), &request).await?;
    change_set.notices.extend(notices);
    if replica.as_ref().is_some_and(|replica| replica.continuity == Continuity::Replaced) {
        refuse_gone(target, &change_set.objects).await?;
    }
    Ok(match &replica {
        Some(replica) if nothing_to_do(replica, &change_set) => nothing(replica, &change_set),
        _ => {
            check_size(&change_set, within)?;
            SyncPlan::Change(Box::new(change_set))
        }
    })
}

/// Finds what a repair brings back, and gives what is swapped its new keys. Returns the keys of
/// objects that are gone, and what is told of all.
async fn repairs(
    tables: Tables<'_>,
    wanted: &mut Snapshot,
    replicated: &mut Replicated,
    replica: &Replica,
    spec: &CloneSpec,
) -> Result<(BTreeSet<String>, Vec<String>), DeltaError> {
    if spec.repair == Repair::Nothing {
        return Ok(Default::default());
    }
    wanted.files = std::mem::take(&mut replicated.files);
    let found = repair::find(tables, (wanted, &replicated.sources), replica, spec.repair).await?;
    replicated.files = std::mem::take(&mut wanted.files);
    found.swap(tables.target, replicated)?;
    Ok((found.missing, found.notices))
}

async fn read_replica(
    source: &TableStore,
    (target, at_target): (&TableStore, Result<LogSegment, DeltaError>),
    wanted: &Snapshot,
    spec: &CloneSpec,
    claim: Option<&OwnerClaim>,
) -> Result<Option<Replica>, DeltaError> {
    if let Err(DeltaError::NotATable { .. }) = at_target {
        return Ok(None);
    }
    let snapshot = snapshot::read_found(target, &SourcePoint::Newest, at_target).await;
    let snapshot = snapshot.map_err(of_target)?;
    let last = last_sync(target, &snapshot, spec.divergence_policy).await;
    let mut last = last.map_err(of_target)?;
    if let Some(claim) = claim {
        claim.check(&target.uri, last.owner())?;
    }
    protocol::check(&snapshot.protocol, &snapshot.metadata, &spec.allowed_features)
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
        Continuity::Same if !last.diverged => (
            since::not_live(target.kind(), (&snapshot.metadata.id, &snapshot.files), &wanted.files),
            Proven::Head,
        ),
        // Files of another writer never were at the source.
        Continuity::Same => match since::synced_files(target, &last).await? {
            Some(mut synced) => {
                let absent =
                    since::not_live(target.kind(), (&snapshot.metadata.id, &synced), &wanted.files);
                let since = (last.at.unwrap_or_default(), &snapshot);
                since::keep_unbroken(target, since, &mut synced).await?;
                (absent, Proven::LastSync(synced))
            }
            None => (BTreeSet::new(), Proven::Nothing),
        },
    };
    let extent = Extent::Whole { absent };
    Ok(Some(Replica { snapshot, last, continuity, extent, proven, missing: BTreeSet::new() }))
}

fn refuse_older(replica: Option<&Replica>, wanted: &Snapshot) -> Result<(), DeltaError> {
    match replica {
        Some(replica)
            if replica.continuity == Continuity::Same
                && wanted.version < replica.last.source_version =>
        {
            Err(DeltaError::NotHeld(format!(
                "the replica has the source's version {} already: it cannot go back to {}",
                replica.last.source_version, wanted.version
            )))
        }
        _ => Ok(()),
    }
}

/// Refuses to write another source's object where the replica's head refers to one that is gone:
/// until the commit its readers would take it for theirs, and so would a sync of the old source if
/// that commit never came. One that is there is compared by the worker.
async fn refuse_gone(target: &TableStore, objects: &CopyObjects) -> Result<(), DeltaError> {
    let keys = objects.iter().filter(|object| object.in_use).map(|object| object.target_path);
    let looks = keys.map(|key| async move { Ok((key, io::describe(target, key).await?)) });
    let looks: Vec<_> = looks.map(|look| look.boxed()).collect();
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE_MAX);
    while let Some((key, found)) = looks.try_next().await.map_err(of_target)? {
        if found.is_none() {
            let message = format!(
                "the object {key}, to which the replica of another table in {} refers, is gone: \
                 repair that replica with its own source first, or choose another target folder",
                target.uri
            );
            return Err(Failure::new(Reason::TargetConflict, message).with("key", key).into());
        }
    }
    Ok(())
}

fn of_target(error: DeltaError) -> DeltaError {
    error.of(Side::Target)
}

/// Returns whether the replica has this version of this part of the source, no other writer changed
/// it, no file, domain, transaction or property differs, and it keeps its owner.
fn nothing_to_do(replica: &Replica, change_set: &ChangeSet) -> bool {
    let (last, wanted) = (&replica.last, &change_set.record);
    last.source_version == wanted.source_version
        && replica.continuity == Continuity::Same
        && !last.diverged
        && id_of(last.owner()) == id_of(wanted.owner.as_ref())
        && last.record.as_ref().is_some_and(|record| {
            record.body.scope == wanted.scope && record.body.settings == wanted.settings
        })
        && change_set.changes_nothing()
        && replica.missing.is_empty()
}

fn id_of(owner: Option<&ReplicaOwner>) -> Option<Uuid> {
    owner.map(|owner| owner.id)
}

fn nothing(replica: &Replica, change_set: &ChangeSet) -> SyncPlan {
    SyncPlan::UpToDate(UpToDate {
        source_version: change_set.source_version,
        replica_version: replica.snapshot.version,
        metrics: Some(SourceFigures {
            source_table_size: change_set.metrics.source_table_size,
            source_num_of_files: change_set.metrics.source_num_of_files,
        }),
    })
}
