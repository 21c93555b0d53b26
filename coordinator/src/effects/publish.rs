//! Publishing, in this order: new deletion vectors are checked, the ledger is written, objects
//! whose evidence is not fresh are described again (I6), once no vacuum is about to delete them,
//! the commit is written, then checkpoint and hints.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::{Described, Freshness, is_fresh, same_object};
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::machine::PublishOutcome;
use deepclone_core::shard::Shard;
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::error::DeltaError;
use deepclone_delta::io;
use deepclone_delta::ledger::{LedgerEntry, LedgerWriter};
use deepclone_delta::sync::{self, CopyObject, PublishResult, finish};
use deepclone_delta::vacuum::wait_for_batch;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::Context;
use crate::job_plan::{JobPlan, fits};
use crate::state::{EVIDENCE_KEYS_MAX, Evidence};

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

/// An object that must be described before the commit.
struct Doubt<'a> {
    task: &'a Shard,
    object: CopyObject<'a>,
    /// What a receipt of this job recorded. `None` when it recorded nothing that fits.
    evidence: Option<Evidence>,
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
    let missing = missing(&target, doubts).await?;
    if !missing.is_empty() {
        let keys: Vec<_> =
            missing.iter().map(|doubt| doubt.object.target_path.to_owned()).collect();
        context.store.forget(plan.target, &keys).await.map_err(|error| error.failure())?;
        let tasks: BTreeSet<_> = missing.iter().map(|doubt| doubt.task.fingerprint).collect();
        return Ok(PublishOutcome::Missing(tasks.into_iter().collect()).into());
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

/// Writes the ledger of the plan's objects. Returns those whose evidence is not fresh.
async fn record_and_doubt<'a>(
    context: &Context,
    job: JobId,
    plan: &'a JobPlan,
    target: &TableStore,
) -> Result<Vec<Doubt<'a>>, Failure> {
    let mut ledger = LedgerWriter::new(target, job);
    let mut doubts = Vec::new();
    let mut waiting = Vec::new();
    let mut tasks = plan.tasks.iter();
    loop {
        while waiting.len() < EVIDENCE_KEYS_MAX
            && let Some(task) = tasks.next()
        {
            waiting.extend(plan.objects_done(task).map(|object| (task, object)));
        }
        let rest = waiting.split_off(waiting.len().min(EVIDENCE_KEYS_MAX));
        let objects = std::mem::replace(&mut waiting, rest);
        if objects.is_empty() {
            break;
        }
        let keys: Vec<&str> = objects.iter().map(|(_, object)| object.target_path).collect();
        let found = context.store.evidence(plan.target, &keys, i64::MIN).await;
        let mut own: BTreeMap<String, Evidence> = found
            .map_err(|error| error.failure())?
            .into_iter()
            .map(|known| known.evidence)
            .filter(|evidence| evidence.job == job && evidence.source == plan.source)
            .map(|evidence| (evidence.key.clone(), evidence))
            .collect();
        ledger.append(own.values().map(entry)).await.map_err(|error| error.failure())?;
        for (task, object) in objects {
            let evidence =
                own.remove(object.target_path).filter(|evidence| fits(&object, evidence.size));
            let is_sure = evidence.as_ref().is_some_and(|evidence| {
                let freshness = Freshness {
                    source: evidence.source,
                    is_own: true,
                    existed: evidence.existed,
                    age_ms: context.clock.now_ms() - evidence.recorded_ms,
                };
                is_fresh(&freshness, plan.source, plan.work.retention_ms())
            });
            if !is_sure {
                doubts.push(Doubt { task, object, evidence });
            }
        }
    }
    ledger.finish().await.map_err(|error| error.failure())?;
    Ok(doubts)
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

/// Returns the objects that have no evidence, or are not at the target as it says.
async fn missing<'a>(
    target: &TableStore,
    doubts: Vec<Doubt<'a>>,
) -> Result<Vec<Doubt<'a>>, Failure> {
    let looks: Vec<_> = doubts.into_iter().map(|doubt| look(target, doubt).boxed()).collect();
    let looks = stream::iter(looks).buffer_unordered(HEADS_IN_FLIGHT_MAX);
    let missing = looks.try_filter_map(async |doubt| Ok(doubt)).try_collect().await;
    missing.map_err(|error: DeltaError| error.failure())
}

/// Returns the doubt, unless the object is at the target as its evidence says.
async fn look<'a>(target: &TableStore, doubt: Doubt<'a>) -> Result<Option<Doubt<'a>>, DeltaError> {
    let Some(evidence) = &doubt.evidence else { return Ok(Some(doubt)) };
    let described = io::describe(target, doubt.object.target_path).await?;
    let is_there = described.is_some_and(|described| is_the_same(evidence, &described));
    Ok((!is_there).then_some(doubt))
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
