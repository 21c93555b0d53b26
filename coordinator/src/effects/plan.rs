//! Planning: both logs → change set → tasks, and their objects, which are kept.

use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::ahead::Ahead;
use super::turn::Turn;
use super::{Context, in_time, source_key};
use crate::job_plan::JobPlan;
use crate::state::{JobSpec, PlanNote, encode_options};
use deepclone_common::connections::Side;
use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::copy_plan::{CopyPlan, CopyRequests, CopyTarget};
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, TargetKey};
use deepclone_core::limits::{ENTITY_TAG_BYTES_KEPT, GRANT_OBJECT_BYTES_MAX};
use deepclone_core::machine::{Plan, PlanTask};
use deepclone_core::reason::Reason;
use deepclone_core::shard::{
    ObjectSize, Packing, PlanIdentity, Shard, SortedObjects, plan_digest, shard_by,
};
use deepclone_core::spec::{Repair, SourcePoint};
use deepclone_delta::sync::{
    self, CloneMetrics, CopyObjects, Planned, SourceFigures, Within, Work,
};

/// Bytes of an object in a grant besides its two keys: numbers, and the tags of an earlier copy.
const OBJECT_OVERHEAD_BYTES: usize = 96 + 2 * ENTITY_TAG_BYTES_KEPT;

/// Requests of publishing: the commit, and `replica.json`.
const PUBLISH_REQUESTS: u64 = 2;

/// What planning found, unless it failed.
#[derive(Debug)]
pub enum PlanOutcome {
    /// There is nothing to do.
    UpToDate {
        /// The source's version, which the replica has.
        source_version: u64,
        replica_version: u64,
        note: PlanNote,
    },
    /// The commit of this job is in the replica's log already.
    Published {
        source_version: u64,
        version: u64,
        /// False when another sync was published after it.
        is_newest: bool,
        note: PlanNote,
    },
    /// There is something to do.
    Ready {
        plan: Box<JobPlan>,
        /// The plan as the machine sees it.
        tasks: Plan,
        note: PlanNote,
    },
}

/// Plans a job, and tries its target if there is something to do; a repair that finds nothing else
/// restores the hint beside the replica's log. Each repair restores ledgers that are lost.
///
/// # Errors
/// As [`plan`]; and why the target cannot hold the replica.
pub async fn plan_job(
    context: &Context,
    job: JobId,
    job_spec: Arc<JobSpec>,
    target: TargetKey,
) -> Result<PlanOutcome, Failure> {
    let ahead = Ahead::new(context, &job_spec);
    let planned = plan(context, job, Arc::clone(&job_spec), (target, &ahead)).await;
    let mut outcome = match planned {
        Ok(outcome) => outcome,
        Err(failure) => {
            ahead.undo(context, &job_spec).await;
            return Err(failure);
        }
    };
    match &mut outcome {
        PlanOutcome::Ready { plan, note, .. } => {
            let probe = async {
                ahead.tried().await?;
                super::target::probe(context, &plan.job_spec, &plan.work).await
            };
            let notice = in_time(context.plan_time_max, "trying the target", probe).await?;
            note.notices.extend(notice);
            if job_spec.spec.repair != Repair::Nothing {
                note.notices.extend(super::ledgers::restore(context, job, &job_spec).await?);
            }
        }
        // With a commit it is written anyway.
        PlanOutcome::UpToDate { note, .. } if job_spec.spec.repair != Repair::Nothing => {
            let target = context.open(Side::Target, &job_spec.target)?;
            if sync::restore_hint(&target).await.map_err(|error| error.failure())? {
                note.notices.push("repair: _deepclone/replica.json is written again".to_owned());
            }
            note.notices.extend(super::ledgers::restore(context, job, &job_spec).await?);
        }
        PlanOutcome::UpToDate { .. } | PlanOutcome::Published { .. } => {}
    }
    Ok(outcome)
}

/// Plans a job. Writes nothing by itself: that is for the steps ahead.
async fn plan(
    context: &Context,
    job: JobId,
    job_spec: Arc<JobSpec>,
    (target, ahead): (TargetKey, &Ahead),
) -> Result<PlanOutcome, Failure> {
    let turn = context.turn_to_plan().await;
    let plan = async {
        match read(context, job, &job_spec, (Some(ahead), &turn)).await? {
            Found::UpToDate(Nothing { source_version, replica_version, note }) => {
                Ok(PlanOutcome::UpToDate { source_version, replica_version, note })
            }
            Found::Published { nothing, is_newest } => {
                let Nothing { source_version, replica_version: version, note } = nothing;
                Ok(PlanOutcome::Published { source_version, version, is_newest, note })
            }
            Found::Work(to_do) => ready(context, job, job_spec, target, *to_do).await,
        }
    };
    // The time that it waits for other plans does not count.
    turn.in_time(context.plan_time_max, "reading both logs", plan).await
}

/// What reading both logs found.
pub(super) enum Found {
    /// The replica has the source's version.
    UpToDate(Nothing),
    /// The commit of this job is in the replica's log already.
    Published {
        nothing: Nothing,
        /// False when others followed on it.
        is_newest: bool,
    },
    Work(Box<ToDo>),
}

/// What there is to say of a sync that has nothing to do.
pub(super) struct Nothing {
    pub(super) source_version: u64,
    pub(super) replica_version: u64,
    pub(super) note: PlanNote,
}

/// What there is to do, before it is packed into tasks.
pub(super) struct ToDo {
    pub(super) work: Work,
    pub(super) note: PlanNote,
    pub(super) packing: Packing,
}

/// Reads both logs, with the memory of this turn. Without `ahead` it is a preview, which writes
/// nothing and keeps nothing for a commit.
///
/// # Errors
/// Why the sync is refused, or cannot be planned.
pub(super) async fn read(
    context: &Context,
    job: JobId,
    job_spec: &JobSpec,
    (ahead, turn): (Option<&Ahead>, &Turn),
) -> Result<Found, Failure> {
    // The rules may have changed since the job was accepted.
    context.connections.refuse_pair(&job_spec.source, &job_spec.target)?;
    let source_table = context.open(Side::Source, &job_spec.source)?;
    let target_table = context.open(Side::Target, &job_spec.target)?;
    let above = context.connections.above(&job_spec.target).map_err(|error| error.failure())?;
    let within = Within {
        above: &above,
        claim: job_spec.claim.as_ref(),
        submitter: job_spec.submitter.as_deref(),
        publishes: ahead.is_some(),
        room: Some(turn),
        first_sync: ahead.map(Ahead::first_sync),
        ..Within::default()
    };
    let found = sync::plan(&source_table, &target_table, &within, &job_spec.spec, job)
        .await
        .map_err(|error| error.failure())?;
    let lost = super::ledgers::notices(&target_table, job_spec.spec.repair).await?;
    let work = match found {
        Planned::UpToDate(found) => {
            let clone_metrics = found.metrics.map(|figures| figures_map(&figures));
            let (source_version, replica_version) = (found.source_version, found.replica_version);
            let note = note(clone_metrics, lost);
            return Ok(Found::UpToDate(Nothing { source_version, replica_version, note }));
        }
        Planned::Published(found) => {
            let note = note(found.metrics.map(|metrics| metrics_map(&metrics)), Vec::new());
            let (source_version, replica_version) = (found.source_version, found.replica_version);
            let is_newest = found.is_newest;
            let nothing = Nothing { source_version, replica_version, note };
            return Ok(Found::Published { nothing, is_newest });
        }
        Planned::Work(work) => work,
    };
    let note = PlanNote {
        kept: Some(work.source_retention()),
        requests: requests(work.objects(), target_table.kind()),
        ..note(Some(metrics_map(&work.metrics())), [work.notices(), &lost].concat())
    };
    let packing = packing(context, job_spec, &source_table, &target_table);
    refuse_long_keys(work.objects())?;
    Ok(Found::Work(Box::new(ToDo { work, note, packing })))
}

async fn ready(
    context: &Context,
    job: JobId,
    job_spec: Arc<JobSpec>,
    target: TargetKey,
    to_do: ToDo,
) -> Result<PlanOutcome, Failure> {
    let ToDo { mut work, note, packing } = to_do;
    let source = source_key(&job_spec.source, work.lineage());
    let objects = Arc::new(work.take_objects());
    let (packed, spec) = (Arc::clone(&objects), Arc::clone(&job_spec));
    let named = sync::compute(move || {
        let tasks = shard_by(source, &PlanObjects(&packed), packing, |tasks, name| {
            tasks.par_iter_mut().for_each(name);
        });
        let tasks = tasks.map_err(|error| Failure::new(Reason::Internal, error.to_string()))?;
        Ok((machine_plan(&spec, &work, &tasks, packing), work, tasks))
    });
    let (machine_plan, work, tasks) = named.await.map_err(|error| error.failure())?;
    let kept = super::keep::objects(context, (job, target, source), &work, objects).await?;
    let plan = move || Ok(JobPlan::new(job_spec, target, source, work, (tasks, kept)));
    let plan = sync::compute(plan).await.map_err(|error| error.failure())?;
    Ok(PlanOutcome::Ready { plan: Box::new(plan), tasks: machine_plan, note })
}

/// Returns how the objects of a job are packed. Several workers share an object where the target
/// has uploads and the source's tags are the same to each of them: those of a file follow from its
/// inode and time, which two machines may see differently. A store that copies by itself, and says
/// the digests of its copies, is asked by one worker.
fn packing(
    context: &Context,
    job_spec: &JobSpec,
    source: &TableStore,
    target: &TableStore,
) -> Packing {
    let has_disk = [source, target].iter().any(|side| side.kind() == StoreKind::Local);
    let (from, to) = (&job_spec.source.connection, &job_spec.target.connection);
    let one_store = context.connections.one_store(from, to);
    if has_disk || one_store.is_some_and(|store| store.says_digests()) {
        return Packing { group_bytes_min: None, ..context.packing };
    }
    context.packing
}

/// Refuses a key that no grant has room for.
fn refuse_long_keys(objects: &CopyObjects) -> Result<(), Failure> {
    let is_too_long =
        |&place: &usize| objects.key_bytes(place) + OBJECT_OVERHEAD_BYTES > GRANT_OBJECT_BYTES_MAX;
    match (0..objects.len()).find(is_too_long) {
        None => Ok(()),
        Some(place) => {
            let key = objects.get(place).source_path();
            let message = format!("the key {key} is too long to be copied");
            Err(Failure::new(Reason::InvalidArgument, message).with("key", key))
        }
    }
}

/// The objects of a plan, as sharding sees them.
pub(super) struct PlanObjects<'a>(pub(super) &'a CopyObjects);

impl SortedObjects for PlanObjects<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn size(&self, place: usize) -> (u64, bool) {
        self.0.size(place)
    }

    fn object(&self, place: usize) -> ObjectSize<'_> {
        let object = self.0.get(place);
        ObjectSize {
            key: object.target_path.as_bytes(),
            size: object.size,
            size_is_minimum: object.size_is_minimum,
            modified_ms: object.modified_ms,
        }
    }
}

fn machine_plan(job_spec: &JobSpec, work: &Work, tasks: &[Shard], packing: Packing) -> Plan {
    let identity = PlanIdentity {
        source_version: work.source_version(),
        replica_version: work.replica_version(),
        options: &encode_options(job_spec),
        group_bytes_min: packing.group_bytes_min,
    };
    let task = |task: &Shard| PlanTask {
        fingerprint: task.fingerprint,
        bytes: task.bytes,
        objects: u32::try_from(task.objects_done()).unwrap_or(u32::MAX),
        group: task.shared.as_ref().map(|shared| shared.place),
    };
    Plan {
        digest: plan_digest(&identity, tasks),
        source_version: work.source_version(),
        replica_version: work.replica_version(),
        source_is_newest: job_spec.spec.source_point == SourcePoint::Newest,
        tasks: tasks.iter().map(task).collect(),
    }
}

fn note(clone_metrics: Option<BTreeMap<String, i64>>, notices: Vec<String>) -> PlanNote {
    let clone_metrics = clone_metrics.unwrap_or_default();
    PlanNote { clone_metrics, notices, ..PlanNote::default() }
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

/// Returns how many requests it takes to copy these objects and to publish, without those that only
/// the copy shows (see [`deepclone_core::copy_plan`]), the trial of the target, and a checkpoint.
#[must_use]
pub fn requests(objects: &CopyObjects, target: StoreKind) -> CopyRequests {
    let target = match target {
        StoreKind::Local => CopyTarget::Disk,
        StoreKind::S3 | StoreKind::Azure | StoreKind::Gcs | StoreKind::Other => CopyTarget::Store,
    };
    let publishing = CopyRequests { source: 0, target: PUBLISH_REQUESTS };
    objects.sizes().fold(publishing, |sum, size| {
        let one = CopyPlan::of(size).requests(target);
        CopyRequests {
            source: sum.source.saturating_add(one.source),
            target: sum.target.saturating_add(one.target),
        }
    })
}
