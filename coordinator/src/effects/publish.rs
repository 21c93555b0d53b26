//! Publishing, in this order: new deletion vectors are checked, the ledger is written, objects
//! whose evidence is not fresh are described again (I6), once no vacuum is about to delete them,
//! the commit is written, then checkpoint and hints.

use std::collections::BTreeMap;

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::{Described, Freshness, is_fresh, same_object};
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::machine::PublishOutcome;
use deepclone_core::shard::Shard;
use deepclone_core::task::ObjectCopy;
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::error::DeltaError;
use deepclone_delta::io;
use deepclone_delta::ledger::{LedgerEntry, LedgerWriter};
use deepclone_delta::sync::{self, PublishResult, finish};
use deepclone_delta::vacuum::wait_for_batch;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::Context;
use crate::job_plan::JobPlan;
use crate::state::{EVIDENCE_KEYS_MAX, Evidence};

/// Portions of objects that the database is asked for at the same time.
const PORTIONS_AT_ONCE: usize = 3;
/// Requests in flight while objects are described again.
const HEADS_IN_FLIGHT_MAX: usize = 32;

/// How a publishing effect ended.
#[derive(Debug)]
pub struct PublishEnd {
    pub outcome: PublishOutcome,
    /// When the commit was seen in the replica's log; `None` when it is not there.
    pub committed: Option<UnixTime>,
}

impl From<PublishOutcome> for PublishEnd {
    fn from(outcome: PublishOutcome) -> Self {
        Self { outcome, committed: None }
    }
}

/// Publishes a job's change set.
///
/// # Errors
/// Why the sync is refused, or failed for good.
pub async fn publish(context: &Context, job: JobId, plan: &JobPlan) -> Result<PublishEnd, Failure> {
    let target = context.open(Side::Target, &plan.job_spec.target)?;
    sync::check(&target, &plan.work).await.map_err(|error| error.failure())?;
    let doubts = record_and_doubt(context, job, plan, &target).await?;
    if !doubts.is_empty() {
        // After the ledger, before the look: a vacuum and this sync do not miss each other.
        wait_for_batch(&target, &context.clock).await.map_err(|error| error.failure())?;
    }
    let missing = missing(context, job, plan, &target, &doubts).await?;
    if !missing.is_empty() {
        let keys: Vec<_> = missing.values().cloned().collect();
        context.store.forget(plan.target, &keys).await.map_err(|error| error.failure())?;
        let is_missing = |place: &usize| missing.contains_key(place);
        let is_undone = |task: &&Shard| {
            task.objects.places().take(task.objects_done()).any(|place| is_missing(&place))
        };
        let mut tasks: Vec<_> =
            plan.tasks.iter().filter(is_undone).map(|task| task.fingerprint).collect();
        tasks.sort_unstable();
        return Ok(PublishOutcome::Missing(tasks).into());
    }
    // Durable before the commit: from here on no job replaces what it refers to.
    context.store.intend(job, context.clock.now_ms()).await.map_err(|error| error.failure())?;
    let result = sync::publish(&target, &plan.work, context.clock.now_ms())
        .await
        .map_err(|error| error.failure())?;
    match result {
        PublishResult::Rebase => Ok(PublishOutcome::Rebase.into()),
        PublishResult::Published(committed) => {
            let version = committed.record.version;
            let at = UnixTime(context.clock.now_ms());
            if let Err(error) = finish(&target, &committed, Some(&plan.work)).await {
                // The replica is right already; the next sync writes the checkpoint again.
                tracing::warn!(%job, version, "published without checkpoint or hint: {error}");
            }
            let outcome = PublishOutcome::Published { version };
            Ok(PublishEnd { outcome, committed: Some(at) })
        }
    }
}

/// Writes the ledger of the plan's objects. Returns the places of those whose evidence is not
/// fresh.
async fn record_and_doubt(
    context: &Context,
    job: JobId,
    plan: &JobPlan,
    target: &TableStore,
) -> Result<Vec<usize>, Failure> {
    let mut ledger = LedgerWriter::new(target, job);
    let mut doubts = Vec::new();
    let known = |places: Vec<usize>| async move {
        let objects = plan.objects.read(&places)?;
        let own = own_evidence(context, job, plan, &objects).await?;
        Ok::<_, Failure>((places, objects, own))
    };
    let known = plan.objects.places().map(|places| known(places).boxed());
    let mut known = stream::iter(known).buffered(PORTIONS_AT_ONCE);
    while let Some((places, objects, own)) = known.try_next().await? {
        ledger.append(own.values().map(entry)).await.map_err(|error| error.failure())?;
        let is_sure = |object: &ObjectCopy| {
            let evidence = own.get(&object.target_path);
            evidence.filter(|evidence| object.fits(evidence.size)).is_some_and(|evidence| {
                let freshness = Freshness {
                    source: evidence.source,
                    is_own: true,
                    existed: evidence.existed,
                    age_ms: context.clock.now_ms() - evidence.recorded_ms,
                };
                is_fresh(&freshness, plan.source, plan.work.retention_ms())
            })
        };
        let pairs = places.iter().zip(&objects);
        doubts.extend(pairs.filter(|(_, object)| !is_sure(object)).map(|(place, _)| place));
    }
    ledger.finish().await.map_err(|error| error.failure())?;
    Ok(doubts)
}

/// Returns what receipts of this job recorded of these objects, by their keys.
async fn own_evidence(
    context: &Context,
    job: JobId,
    plan: &JobPlan,
    objects: &[ObjectCopy],
) -> Result<BTreeMap<String, Evidence>, Failure> {
    let keys: Vec<&str> = objects.iter().map(|object| object.target_path.as_str()).collect();
    let found = context.store.evidence(plan.target, &keys, i64::MIN).await;
    Ok(found
        .map_err(|error| error.failure())?
        .into_iter()
        .map(|known| known.evidence)
        .filter(|evidence| evidence.job == job && evidence.source == plan.source)
        .map(|evidence| (evidence.key.clone(), evidence))
        .collect())
}

fn entry(evidence: &Evidence) -> LedgerEntry {
    LedgerEntry {
        key: evidence.key.clone(),
        size: evidence.size,
        crc64nvme: evidence.crc64nvme,
        source_etag: evidence.source_etag.clone(),
        worker: evidence.worker.clone(),
        seen_ms: evidence.recorded_ms,
    }
}

/// Returns the keys of the objects in doubt, by their places, that have no evidence or are not at
/// the target as it says.
async fn missing(
    context: &Context,
    job: JobId,
    plan: &JobPlan,
    target: &TableStore,
    doubts: &[usize],
) -> Result<BTreeMap<usize, String>, Failure> {
    let mut missing = BTreeMap::new();
    for places in doubts.chunks(EVIDENCE_KEYS_MAX) {
        let objects = plan.objects.read(places)?;
        let own = own_evidence(context, job, plan, &objects).await?;
        let looks = places.iter().zip(objects).map(|(&place, object)| {
            let evidence = own.get(&object.target_path).filter(|own| object.fits(own.size));
            async move {
                let is_there = is_there(target, &object, evidence).await?;
                Ok((!is_there).then_some((place, object.target_path)))
            }
        });
        let looks: Vec<_> = looks.map(|look| look.boxed()).collect();
        let looks = stream::iter(looks).buffer_unordered(HEADS_IN_FLIGHT_MAX);
        let gone: Vec<_> = looks
            .try_filter_map(async |gone| Ok(gone))
            .try_collect()
            .await
            .map_err(|error: DeltaError| error.failure())?;
        missing.extend(gone);
    }
    Ok(missing)
}

/// Returns whether the object is at the target as its evidence says.
async fn is_there(
    target: &TableStore,
    object: &ObjectCopy,
    evidence: Option<&Evidence>,
) -> Result<bool, DeltaError> {
    let Some(evidence) = evidence else { return Ok(false) };
    let described = io::describe(target, &object.target_path).await?;
    Ok(described.is_some_and(|described| is_the_same(evidence, &described)))
}

/// True when nothing that the store says of the target's object contradicts its evidence.
fn is_the_same(evidence: &Evidence, described: &Described) -> bool {
    let known_tags = !evidence.target_etag.is_empty() && !described.etag.is_empty();
    evidence.size == described.size
        && described.crc64nvme.is_none_or(|crc64nvme| crc64nvme == evidence.crc64nvme)
        && (!known_tags
            || described.crc64nvme.is_some()
            || same_object(&evidence.target_etag, &described.etag))
}
