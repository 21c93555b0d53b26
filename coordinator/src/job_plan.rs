//! A job's plan with what the machine does not see of it: the change set, and the objects of each
//! task. Planning makes it, grants and publishing read it; it is dropped when the job ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_common::connections::Resolved;
use deepclone_core::evidence::{Prior, Recorded, prior};
use deepclone_core::group::{GroupStep, PartRange};
use deepclone_core::ids::{JobId, SourceKey, TargetKey, TaskFingerprint, TaskIndex};
use deepclone_core::limits::ENTITY_TAG_BYTES_KEPT;
use deepclone_core::receipt::{ObjectReceipt, PartReceipt, Receipt};
use deepclone_core::shard::Shard;
use deepclone_core::task::{ObjectCopy, TaskSide, TaskSpec, TaskWork};
use deepclone_delta::sync::{CopyObject, Work};

use crate::shared_steps::SharedSteps;
use crate::state::{Evidence, JobSpec};

/// The newest plan of a live job.
#[derive(Debug)]
pub struct JobPlan {
    /// What the client asked for, resolved.
    pub job_spec: Arc<JobSpec>,
    /// Names the target in the state.
    pub target: TargetKey,
    /// Names the source of the objects' bytes: evidence serves it alone.
    pub source: SourceKey,
    /// What the commit says, and the objects, sorted by target path.
    pub work: Work,
    /// Tasks, in plan order.
    pub tasks: Vec<Shard>,
    /// The places of the tasks, in the order of the first bytes of their fingerprints, with these.
    by_fingerprint: Vec<(u64, usize)>,
    /// What is known of earlier copies, by the index of the object.
    priors: BTreeMap<usize, Prior>,
}

impl JobPlan {
    /// The arena of these tasks over the objects of `work`.
    #[must_use]
    pub fn new(
        job_spec: Arc<JobSpec>,
        target: TargetKey,
        source: SourceKey,
        work: Work,
        tasks: Vec<Shard>,
    ) -> Self {
        let places = tasks.iter().enumerate();
        let mut by_fingerprint: Vec<(u64, usize)> =
            places.map(|(place, task)| (first_bytes(task.fingerprint), place)).collect();
        by_fingerprint.sort_unstable();
        Self { job_spec, target, source, work, tasks, by_fingerprint, priors: BTreeMap::new() }
    }

    /// Keeps what an earlier receipt recorded of the object with this index.
    pub fn note_prior(&mut self, place: usize, recorded: Recorded) {
        let in_use = self.work.objects().get(place).in_use;
        self.priors.insert(place, prior(Some(recorded), self.source, in_use));
    }

    /// Returns the objects that a task is about, in the order that its receipts follow.
    pub fn objects<'a>(&'a self, task: &'a Shard) -> impl Iterator<Item = CopyObject<'a>> {
        task.objects.iter().map(|&place| self.work.objects().get(place))
    }

    /// Returns the objects that are at the target once a task is done: each object of the plan with
    /// one task.
    pub fn objects_done<'a>(&'a self, task: &'a Shard) -> impl Iterator<Item = CopyObject<'a>> {
        self.objects(task).take(task.objects_done())
    }

    /// Returns the tasks of the shared object to which this one belongs: the one that opens the
    /// upload first, the one that ends it last. Empty for whole objects.
    #[must_use]
    pub fn group(&self, index: usize) -> &[Shard] {
        let group = |task: &Shard| task.shared.as_ref().map(|shared| shared.place.group);
        let Some(number) = self.tasks.get(index).and_then(group) else { return &[] };
        let is_in = |task: &&Shard| group(task) == Some(number);
        let before = self.tasks[..index].iter().rev().take_while(is_in).count();
        let after = self.tasks[index..].iter().take_while(is_in).count();
        &self.tasks[index - before..index + after]
    }

    /// Returns the key of the target's object to which a task belongs that opens an upload.
    #[must_use]
    pub fn target_key(&self, fingerprint: TaskFingerprint) -> Option<String> {
        let object = self.objects(self.task(fingerprint)?).next()?;
        Some(object.target_path.to_owned())
    }

    /// Returns what a worker gets. `None` when the plan has no such task, or when it is a step of a
    /// shared object and `steps` has not what it needs.
    #[must_use]
    pub fn task_spec(&self, index: TaskIndex, steps: &SharedSteps) -> Option<TaskSpec> {
        Some(TaskSpec {
            source: side(&self.job_spec.source),
            target: side(&self.job_spec.target),
            verification: self.job_spec.spec.verification,
            work: self.work_of(usize::try_from(index.0).ok()?, steps)?,
        })
    }

    fn work_of(&self, index: usize, steps: &SharedSteps) -> Option<TaskWork> {
        let task = self.tasks.get(index)?;
        let mut objects = task.objects.iter().map(|&place| self.object_copy(place));
        let Some(shared) = task.shared.as_deref() else {
            return Some(TaskWork::Objects(objects.collect()));
        };
        let (object, group) = (objects.next()?, self.group(index));
        let upload = || steps.upload(group.first()?.fingerprint).cloned();
        Some(match shared.place.step {
            GroupStep::Open => TaskWork::Open(object),
            GroupStep::Parts => TaskWork::Parts { object, upload: upload()?, parts: shared.parts },
            GroupStep::Finish => {
                let (_, written) = group.split_first()?;
                let (_, written) = written.split_last()?;
                let mut parts = Vec::with_capacity(shared.parts.count());
                for task in written {
                    parts.extend_from_slice(steps.parts(task.fingerprint)?);
                }
                TaskWork::Finish { object, upload: upload()?, parts }
            }
        })
    }

    fn object_copy(&self, place: usize) -> ObjectCopy {
        let object = self.work.objects().get(place);
        let noted = self.priors.get(&place).cloned();
        ObjectCopy {
            source_path: object.source_path().to_owned(),
            target_path: object.target_path.to_owned(),
            size: object.size,
            size_is_minimum: object.size_is_minimum,
            prior: noted.unwrap_or_else(|| prior(None, self.source, object.in_use)),
        }
    }

    /// Returns the source key of one object of a task, or of all its objects when none is named.
    #[must_use]
    pub fn source_keys(&self, index: TaskIndex, object: Option<u32>) -> Vec<String> {
        let task = usize::try_from(index.0).ok().and_then(|at| self.tasks.get(at));
        let keys: Vec<_> = task
            .map(|task| self.objects(task).map(|object| object.source_path().to_owned()).collect())
            .unwrap_or_default();
        match object.and_then(|at| keys.get(usize::try_from(at).ok()?)) {
            Some(key) => vec![key.clone()],
            None => keys,
        }
    }

    /// Tells whether a receipt has the shape of a task: one object for each of its objects, of a
    /// size that it can have, or what the step of a shared object records. `None` when the plan has
    /// no such task.
    #[must_use]
    pub fn receipt_fits(&self, fingerprint: TaskFingerprint, receipt: &Receipt) -> Option<bool> {
        let task = self.task(fingerprint)?;
        let (has_upload, parts) = (receipt.upload.is_some(), &receipt.parts[..]);
        let shows_objects = || self.shows(task, &receipt.objects) && parts.is_empty();
        let shows_none = receipt.objects.is_empty();
        Some(match task.shared.as_deref() {
            None => shows_objects() && !has_upload,
            Some(shared) => match shared.place.step {
                GroupStep::Open if shows_none => has_upload && parts.is_empty(),
                // The target has it, or it is made: an upload that was seen is told.
                GroupStep::Open => shows_objects() && !has_upload,
                GroupStep::Finish => shows_objects() && has_upload,
                GroupStep::Parts => shows_none && has_upload && are_written(shared.parts, parts),
            },
        })
    }

    fn shows(&self, task: &Shard, seen: &[ObjectReceipt]) -> bool {
        let mut pairs = self.objects(task).zip(seen);
        task.objects.len() == seen.len() && pairs.all(|(object, seen)| fits(&object, seen.size))
    }

    /// Returns what a receipt saw. Empty when the plan has no such task, or the receipt does not
    /// fit it.
    #[must_use]
    pub fn evidence(
        &self,
        job: JobId,
        fingerprint: TaskFingerprint,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Vec<Evidence> {
        let fits = self.receipt_fits(fingerprint, receipt) == Some(true);
        // A step that makes no object is evidence of none: its receipt shows none.
        let Some(task) = self.task(fingerprint).filter(|_| fits) else { return Vec::new() };
        let recorded_ms = now_ms.saturating_sub_unsigned(receipt.elapsed_ms);
        self.objects(task)
            .zip(&receipt.objects)
            .map(|(object, seen)| Evidence {
                key: object.target_path.to_owned(),
                source: self.source,
                size: seen.size,
                crc64nvme: seen.crc64nvme,
                source_etag: bounded(&seen.source_etag),
                target_etag: bounded(&seen.target_etag),
                existed: seen.existed,
                worker: receipt.worker.clone(),
                job,
                recorded_ms,
            })
            .collect()
    }

    fn task(&self, fingerprint: TaskFingerprint) -> Option<&Shard> {
        let wanted = first_bytes(fingerprint);
        let from = self.by_fingerprint.partition_point(|(first, _)| *first < wanted);
        let alike = self.by_fingerprint[from..].iter().take_while(|(first, _)| *first == wanted);
        let mut tasks = alike.map(|(_, place)| &self.tasks[*place]);
        tasks.find(|task| task.fingerprint == fingerprint)
    }
}

/// Returns the first bytes of a fingerprint as a number.
fn first_bytes(TaskFingerprint(bytes): TaskFingerprint) -> u64 {
    bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// True when these are the parts of the range, each of its length.
fn are_written(range: PartRange, parts: &[PartReceipt]) -> bool {
    let expected = range.parts().map(|(number, bytes)| (number, bytes.end - bytes.start));
    parts.iter().map(|part| (part.number, part.size)).eq(expected)
}

/// Returns an entity tag as it is kept: one that is too long counts as none.
fn bounded(etag: &str) -> String {
    if etag.len() <= ENTITY_TAG_BYTES_KEPT { etag.to_owned() } else { String::new() }
}

/// True when an object of this size can be the planned one.
#[must_use]
pub fn fits(object: &CopyObject<'_>, size: u64) -> bool {
    if object.size_is_minimum { size >= object.size } else { size == object.size }
}

fn side(table: &Resolved) -> TaskSide {
    TaskSide {
        connection: table.connection.clone(),
        fingerprint: table.fingerprint,
        root: table.root.clone(),
    }
}
