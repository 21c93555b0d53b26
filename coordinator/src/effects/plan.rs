//! Planning: both logs → change set → tasks. What earlier receipts saw marks tasks as present;
//! publishing sees those objects again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, TargetKey};
use deepclone_core::limits::{GRANT_OBJECT_BYTES_MAX, LARGE_OBJECT_BYTES_MIN};
use deepclone_core::machine::{Plan, PlanTask};
use deepclone_core::reason::Reason;
use deepclone_core::shard::{ObjectSize, PlanIdentity, Shard, plan_digest, shard};
use deepclone_delta::changes::{
    ChangeSet, CloneMetrics, CopyObject, SourceFigures, SyncPlan, plan_sync,
};

use super::job_plan::{JobPlan, fits};
use super::{Context, wall_clock_ms};
use crate::state::{JobSpec, PlanNote, StoreError, encode_spec};

/// Evidence is trusted for half of Delta's default retention of seven days.
pub const EVIDENCE_AGE_MAX_MS: i64 = 7 * 24 * 3_600_000 / 2;
/// Bytes of an object's lease besides its two keys.
const OBJECT_OVERHEAD_BYTES: usize = 64;

/// Bytes of a part of a large object, as an estimate is counted.
const COPY_PART_BYTES: u64 = 16 << 20;
/// Requests of publishing: the commit, and `replica.json`.
const PUBLISH_REQUESTS: u64 = 2;

/// How planning ended, unless it failed.
#[derive(Debug)]
pub enum Outcome {
    /// There is nothing to do.
    UpToDate {
        /// The source's version, which the replica has.
        source_version: u64,
        /// The replica's version.
        replica_version: u64,
        /// What people are told.
        note: PlanNote,
    },
    /// This job's own commit is in the replica's log already.
    Published {
        /// Its version.
        version: u64,
        /// What people are told.
        note: PlanNote,
    },
    /// There is something to do.
    Ready {
        /// The arena.
        plan: Box<JobPlan>,
        /// As the machine sees it.
        tasks: Plan,
        /// What people are told.
        note: PlanNote,
    },
}

/// Plans a job that will be worked on: its target is tried, too.
///
/// # Errors
/// As [`plan`]; a target that cannot hold the replica.
pub async fn plan_job(
    context: &Context,
    job: JobId,
    order: Arc<JobSpec>,
    target: TargetKey,
) -> Result<Outcome, Failure> {
    let mut outcome = plan(context, job, order, target).await?;
    if let Outcome::Ready { plan, note, .. } = &mut outcome {
        let notice = super::target::probe(context, &plan.order, &plan.change_set).await?;
        note.notices.extend(notice);
    }
    Ok(outcome)
}

/// Plans a job; nothing is written.
///
/// # Errors
/// Why the sync is refused, or cannot be planned.
pub async fn plan(
    context: &Context,
    job: JobId,
    order: Arc<JobSpec>,
    target: TargetKey,
) -> Result<Outcome, Failure> {
    let _turn = context.turn_to_plan().await;
    let source_table = context.open(Side::Source, &order.source)?;
    let target_table = context.open(Side::Target, &order.target)?;
    let found = plan_sync(&source_table, &target_table, &order.spec, job)
        .await
        .map_err(|error| error.failure())?;
    let change_set = match found {
        SyncPlan::UpToDate(found) => {
            let clone_metrics = found.metrics.map(|figures| figures_map(&figures));
            let (source_version, replica_version) = (found.source_version, found.replica_version);
            let note = note(clone_metrics, Vec::new());
            return Ok(Outcome::UpToDate { source_version, replica_version, note });
        }
        SyncPlan::Published(found) => {
            let note = note(found.metrics.map(|metrics| metrics_map(&metrics)), Vec::new());
            return Ok(Outcome::Published { version: found.replica_version, note });
        }
        SyncPlan::Change(change_set) => *change_set,
    };
    super::target::refuse_enclosed(context, &order, &target_table, &change_set).await?;
    let note = note(Some(metrics_map(&change_set.metrics)), change_set.notices.clone());
    let tasks = pack(&change_set)?;
    let present =
        present(context, target, &change_set, &tasks).await.map_err(|error| error.failure())?;
    let machine_plan = machine_plan(&order, &change_set, &tasks, &present);
    let plan = Box::new(JobPlan::new(order, target, change_set, tasks));
    Ok(Outcome::Ready { plan, tasks: machine_plan, note })
}

fn pack(change_set: &ChangeSet) -> Result<Vec<Shard>, Failure> {
    for object in &change_set.objects {
        let keys = object.source_path.len() + object.target_path.len();
        if keys + OBJECT_OVERHEAD_BYTES > GRANT_OBJECT_BYTES_MAX {
            let message = format!("the key {} is too long to be copied", object.source_path);
            return Err(Failure::new(Reason::InvalidArgument, message)
                .with("key", object.source_path.clone()));
        }
    }
    let sizes: Vec<_> = change_set
        .objects
        .iter()
        .map(|object| ObjectSize {
            key: object.target_path.as_bytes(),
            size: object.size,
            size_is_minimum: object.size_is_minimum,
        })
        .collect();
    shard(&sizes).map_err(|error| Failure::new(Reason::Internal, error.to_string()))
}

/// Places of the objects that evidence says are at the target, whole.
async fn present(
    context: &Context,
    target: TargetKey,
    change_set: &ChangeSet,
    tasks: &[Shard],
) -> Result<BTreeSet<usize>, StoreError> {
    let since_ms = wall_clock_ms() - EVIDENCE_AGE_MAX_MS;
    let mut present = BTreeSet::new();
    for (at, task) in tasks.iter().enumerate() {
        let objects: Vec<&CopyObject> =
            task.objects.iter().map(|&place| &change_set.objects[place]).collect();
        let (Some(first), Some(last)) = (objects.first(), objects.last()) else { continue };
        let keys = (first.target_path.as_str(), last.target_path.as_str());
        let seen: BTreeMap<_, _> = context
            .store
            .evidence(target, keys, since_ms)
            .await?
            .into_iter()
            .map(|evidence| (evidence.key, evidence.size))
            .collect();
        let is_seen = |object: &&CopyObject| {
            seen.get(&object.target_path).is_some_and(|size| fits(object, *size))
        };
        if objects.iter().all(is_seen) {
            present.insert(at);
        }
    }
    Ok(present)
}

fn machine_plan(
    order: &JobSpec,
    change_set: &ChangeSet,
    tasks: &[Shard],
    present: &BTreeSet<usize>,
) -> Plan {
    let identity = PlanIdentity {
        source_version: change_set.source_version,
        replica_version: change_set.replica_version,
        options: &encode_spec(order),
    };
    let task = |(at, task): (usize, &Shard)| PlanTask {
        fingerprint: task.fingerprint,
        bytes: task.bytes,
        objects: u32::try_from(task.objects.len()).unwrap_or(u32::MAX),
        present: present.contains(&at),
    };
    Plan {
        digest: plan_digest(&identity, tasks),
        source_version: change_set.source_version,
        replica_version: change_set.replica_version,
        tasks: tasks.iter().enumerate().map(task).collect(),
    }
}

fn note(clone_metrics: Option<BTreeMap<String, i64>>, notices: Vec<String>) -> PlanNote {
    PlanNote { clone_metrics: clone_metrics.unwrap_or_default(), notices }
}

fn figures_map(figures: &SourceFigures) -> BTreeMap<String, i64> {
    named([
        ("source_table_size", figures.source_table_size),
        ("source_num_of_files", figures.source_num_of_files),
    ])
}

fn metrics_map(metrics: &CloneMetrics) -> BTreeMap<String, i64> {
    named([
        ("source_table_size", metrics.source_table_size),
        ("source_num_of_files", metrics.source_num_of_files),
        ("num_removed_files", metrics.num_removed_files),
        ("num_copied_files", metrics.num_copied_files),
        ("removed_files_size", metrics.removed_files_size),
        ("copied_files_size", metrics.copied_files_size),
    ])
}

fn named<const N: usize>(figures: [(&str, u64); N]) -> BTreeMap<String, i64> {
    figures
        .into_iter()
        .map(|(name, figure)| (name.to_owned(), i64::try_from(figure).unwrap_or(i64::MAX)))
        .collect()
}

/// Requests to source and target that copying these objects and publishing takes, without
/// retries: a small object is one GET and one PUT; a large one a GET and a PUT for each part, and
/// two more at the target to open and complete the upload.
#[must_use]
pub fn requests(objects: &[CopyObject]) -> (u64, u64) {
    objects.iter().fold((0, PUBLISH_REQUESTS), |(source, target), object| {
        if object.size < LARGE_OBJECT_BYTES_MIN {
            return (source + 1, target + 1);
        }
        let parts = object.size.div_ceil(COPY_PART_BYTES);
        (source + parts, target + parts + 2)
    })
}
