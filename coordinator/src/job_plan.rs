//! A job's plan with what the machine does not see of it: the change set, and the objects of each
//! task. Planning makes it, grants and publishing read it; it is dropped when the job ends.

use std::sync::Arc;

use deepclone_common::connections::Resolved;
use deepclone_core::failure::Failure;
use deepclone_core::group::{GroupStep, PartRange};
use deepclone_core::ids::{JobId, SourceKey, TargetKey, TaskFingerprint, TaskIndex};
use deepclone_core::limits::ENTITY_TAG_BYTES_KEPT;
use deepclone_core::receipt::{ObjectReceipt, PartReceipt, Receipt};
use deepclone_core::shard::Shard;
use deepclone_core::task::{ObjectCopy, TaskSide, TaskSpec, TaskWork};
use deepclone_delta::sync::Work;

use crate::kept_objects::KeptObjects;
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
    /// What the commit says.
    pub work: Work,
    /// Tasks, in plan order.
    pub tasks: Vec<Shard>,
    /// What they copy, sorted by target path.
    pub objects: KeptObjects,
    /// The places of the tasks, in the order of the first bytes of their fingerprints, with these.
    by_fingerprint: Vec<(u64, usize)>,
}

impl JobPlan {
    /// The plan of these tasks over `objects`.
    #[must_use]
    pub fn new(
        job_spec: Arc<JobSpec>,
        target: TargetKey,
        source: SourceKey,
        work: Work,
        (tasks, objects): (Vec<Shard>, KeptObjects),
    ) -> Self {
        let places = tasks.iter().enumerate();
        let mut by_fingerprint: Vec<(u64, usize)> =
            places.map(|(place, task)| (first_bytes(task.fingerprint), place)).collect();
        by_fingerprint.sort_unstable();
        Self { job_spec, target, source, work, tasks, objects, by_fingerprint }
    }

    /// Reads the objects that a task is about, in the order that its receipts follow.
    fn objects_of(&self, task: &Shard) -> Result<Vec<ObjectCopy>, Failure> {
        self.objects.read(&task.objects.places().collect::<Vec<_>>())
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

    /// Returns whether the plan has a task with this fingerprint.
    #[must_use]
    pub fn has(&self, fingerprint: TaskFingerprint) -> bool {
        self.task(fingerprint).is_some()
    }

    /// Returns the key of the target's object to which a task belongs that opens an upload.
    #[must_use]
    pub fn target_key(&self, fingerprint: TaskFingerprint) -> Option<String> {
        let objects = told(self.objects_of(self.task(fingerprint)?))?;
        Some(objects.into_iter().next()?.target_path)
    }

    /// Returns what a worker gets. `None` when the plan has no such task, or when it is a step of a
    /// shared object and `steps` has not what it needs.
    ///
    /// # Errors
    /// What is kept of its objects cannot be read.
    pub fn task_spec(
        &self,
        index: TaskIndex,
        steps: &SharedSteps,
    ) -> Result<Option<TaskSpec>, Failure> {
        let Some(index) = usize::try_from(index.0).ok() else { return Ok(None) };
        let Some(task) = self.tasks.get(index) else { return Ok(None) };
        let work = self.work_of(index, self.objects_of(task)?, steps);
        Ok(work.map(|work| TaskSpec {
            source: side(&self.job_spec.source),
            target: side(&self.job_spec.target),
            verification: self.job_spec.spec.verification,
            work,
        }))
    }

    fn work_of(
        &self,
        index: usize,
        objects: Vec<ObjectCopy>,
        steps: &SharedSteps,
    ) -> Option<TaskWork> {
        let Some(shared) = self.tasks.get(index)?.shared.as_deref() else {
            return Some(TaskWork::Objects(objects));
        };
        let (object, group) = (objects.into_iter().next()?, self.group(index));
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

    /// Returns the source key of one object of a task, or of all its objects when none is named.
    #[must_use]
    pub fn source_keys(&self, index: TaskIndex, object: Option<u32>) -> Vec<String> {
        let task = usize::try_from(index.0).ok().and_then(|at| self.tasks.get(at));
        let objects = task.and_then(|task| told(self.objects_of(task))).unwrap_or_default();
        let keys: Vec<_> = objects.into_iter().map(|object| object.source_path).collect();
        match object.and_then(|at| keys.get(usize::try_from(at).ok()?)) {
            Some(key) => vec![key.clone()],
            None => keys,
        }
    }

    /// Tells whether a receipt has the shape of a task: one object for each of its objects, of a
    /// size that it can have, or what the step of a shared object records. `None` when the plan has
    /// no such task, or its objects cannot be read.
    #[must_use]
    pub fn receipt_fits(&self, fingerprint: TaskFingerprint, receipt: &Receipt) -> Option<bool> {
        let task = self.task(fingerprint)?;
        Some(fits(task, &told(self.objects_of(task))?, receipt))
    }

    /// Returns what a receipt saw. Empty when the plan has no such task, its objects cannot be
    /// read, or the receipt does not fit them.
    #[must_use]
    pub fn evidence(
        &self,
        job: JobId,
        fingerprint: TaskFingerprint,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Vec<Evidence> {
        let Some(task) = self.task(fingerprint) else { return Vec::new() };
        let objects = told(self.objects_of(task)).unwrap_or_default();
        // A step that makes no object is evidence of none: its receipt shows none.
        if !fits(task, &objects, receipt) {
            return Vec::new();
        }
        let recorded_ms = now_ms.saturating_sub_unsigned(receipt.elapsed_ms);
        objects
            .into_iter()
            .zip(&receipt.objects)
            .map(|(object, seen)| Evidence {
                key: object.target_path,
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

/// True when a receipt has the shape of a task with these objects.
fn fits(task: &Shard, objects: &[ObjectCopy], receipt: &Receipt) -> bool {
    let (has_upload, parts) = (receipt.upload.is_some(), &receipt.parts[..]);
    let shows_objects = || shows(objects, &receipt.objects) && parts.is_empty();
    let shows_none = receipt.objects.is_empty();
    let Some(shared) = task.shared.as_deref() else { return shows_objects() && !has_upload };
    match shared.place.step {
        GroupStep::Open if shows_none => has_upload && parts.is_empty(),
        // The target has it, or it is made: an upload that was seen is told.
        GroupStep::Open => shows_objects() && !has_upload,
        GroupStep::Finish => shows_objects() && has_upload,
        GroupStep::Parts => shows_none && has_upload && are_written(shared.parts, parts),
    }
}

fn shows(objects: &[ObjectCopy], seen: &[ObjectReceipt]) -> bool {
    let mut pairs = objects.iter().zip(seen);
    objects.len() == seen.len() && pairs.all(|(object, seen)| object.fits(seen.size))
}

/// Returns objects that were read, and writes to the log why they cannot be: what comes of that is
/// that nothing is known of them.
fn told(read: Result<Vec<ObjectCopy>, Failure>) -> Option<Vec<ObjectCopy>> {
    read.inspect_err(|failure| tracing::error!("{}", failure.message)).ok()
}

fn side(table: &Resolved) -> TaskSide {
    TaskSide {
        connection: table.connection.clone(),
        fingerprint: table.fingerprint,
        root: table.root.clone(),
    }
}
