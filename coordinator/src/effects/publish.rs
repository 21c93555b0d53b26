//! Publishing: evidence that is old or another job's is seen again (I6), then the commit, then
//! checkpoint and hints.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::connections::Side;
use deepclone_common::store_errors::{StoreError as AnswerError, StoreErrorKind as AnswerKind};
use deepclone_common::table_store::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::machine::PublishOutcome;
use deepclone_core::reason::Reason;
use deepclone_delta::changes::CopyObject;
use deepclone_delta::publish::{PublishResult, finish, publish as write_commit};
use futures::StreamExt as _;
use futures::stream;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::job_plan::{JobPlan, fits};
use super::{Context, wall_clock_ms};
use crate::state::StoreError;

/// This job's own evidence is seen again when it is older: a VACUUM may have eaten the object.
const OWN_EVIDENCE_AGE_MAX_MS: i64 = 24 * 3_600_000;
/// Requests in flight while objects are seen again.
const HEADS_IN_FLIGHT_MAX: usize = 32;
/// Tries of each of these requests.
const HEAD_ATTEMPTS_MAX: u32 = 4;
/// The pause before the second try, in milliseconds; it doubles.
const HEAD_PAUSE_MS: u64 = 200;

/// Publishes a job's change set.
///
/// # Errors
/// Why it is refused, or failed for good.
pub async fn publish(
    context: &Context,
    job: JobId,
    plan: &JobPlan,
) -> Result<PublishOutcome, Failure> {
    let target = context.open(Side::Target, &plan.order.target)?;
    let missing = missing(context, job, plan, &target).await?;
    if !missing.is_empty() {
        let objects = &plan.change_set.objects;
        let keys: Vec<_> =
            missing.iter().map(|(_, place)| objects[*place].target_path.clone()).collect();
        context.store.forget(plan.target, &keys).await.map_err(|error| error.failure())?;
        let tasks: BTreeSet<_> =
            missing.iter().map(|(task, _)| plan.tasks[*task].fingerprint).collect();
        return Ok(PublishOutcome::Missing(tasks.into_iter().collect()));
    }
    let result = write_commit(&target, &plan.change_set, job, wall_clock_ms())
        .await
        .map_err(|error| error.failure())?;
    match result {
        PublishResult::Rebase => Ok(PublishOutcome::Rebase),
        PublishResult::Published { version } => {
            if let Err(error) = finish(&target, version).await {
                // The replica is right already; the next sync writes the checkpoint again.
                tracing::warn!(%job, version, "published without checkpoint or hint: {error}");
            }
            Ok(PublishOutcome::Published { version })
        }
    }
}

/// The places of tasks and their objects without fresh evidence that are not at the target.
async fn missing(
    context: &Context,
    job: JobId,
    plan: &JobPlan,
    target: &TableStore,
) -> Result<Vec<(usize, usize)>, Failure> {
    let objects = &plan.change_set.objects;
    let unsure = unsure(context, job, plan).await.map_err(|error| error.failure())?;
    let mut heads = stream::iter(unsure)
        .map(|(task, place)| async move {
            Ok::<_, Failure>((task, place, size(target, &objects[place]).await?))
        })
        .buffer_unordered(HEADS_IN_FLIGHT_MAX);
    let mut missing = Vec::new();
    while let Some((task, place, size)) = heads.next().await.transpose()? {
        if !size.is_some_and(|size| fits(&objects[place], size)) {
            missing.push((task, place));
        }
    }
    Ok(missing)
}

/// The places of tasks and their objects without fresh evidence of this job.
async fn unsure(
    context: &Context,
    job: JobId,
    plan: &JobPlan,
) -> Result<Vec<(usize, usize)>, StoreError> {
    let since_ms = wall_clock_ms() - OWN_EVIDENCE_AGE_MAX_MS;
    let objects = &plan.change_set.objects;
    let mut unsure = Vec::new();
    for (at, task) in plan.tasks.iter().enumerate() {
        let (Some(first), Some(last)) = (task.objects.first(), task.objects.last()) else {
            continue;
        };
        let keys = (objects[*first].target_path.as_str(), objects[*last].target_path.as_str());
        let own: BTreeMap<_, _> = context
            .store
            .evidence(plan.target, keys, since_ms)
            .await?
            .into_iter()
            .filter(|evidence| evidence.job == job)
            .map(|evidence| (evidence.key, evidence.size))
            .collect();
        let is_sure = |place: &usize| {
            let object = &objects[*place];
            own.get(&object.target_path).is_some_and(|size| fits(object, *size))
        };
        unsure.extend(task.objects.iter().filter(|o| !is_sure(o)).map(|place| (at, *place)));
    }
    Ok(unsure)
}

/// The size of an object at the target; none: it is not there.
async fn size(target: &TableStore, object: &CopyObject) -> Result<Option<u64>, Failure> {
    let key = format!("{}/{}", target.root, object.target_path);
    let path = Path::parse(key.trim_start_matches('/')).map_err(|error| {
        Failure::new(Reason::Internal, format!("the target cannot hold the key {key}: {error}"))
    })?;
    let mut attempt = 1;
    loop {
        let error = match target.store.head(&path).await {
            Ok(meta) => return Ok(Some(meta.size)),
            Err(error) => AnswerError::from(error),
        };
        match error.kind {
            AnswerKind::NotFound => return Ok(None),
            _ if attempt == HEAD_ATTEMPTS_MAX || !error.is_retryable() => {
                let reason = match error.kind {
                    AnswerKind::Denied => Reason::PermissionDenied,
                    _ => Reason::StorageUnavailable,
                };
                let key = &object.target_path;
                let message = format!("cannot see {key} at the target {}: {error}", target.uri);
                return Err(Failure::new(reason, message).with("key", key.as_str()));
            }
            _ => {
                let pause_ms = HEAD_PAUSE_MS << (attempt - 1);
                tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
                attempt += 1;
            }
        }
    }
}
