//! A job's plan with what the machine does not see of it: the change set, and the objects of each
//! task. Planning makes it, grants and publishing read it; it is dropped when the job ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_common::connections::Resolved;
use deepclone_core::evidence::{Prior, Recorded, prior};
use deepclone_core::ids::{JobId, SourceKey, TargetKey, TaskFingerprint, TaskIndex};
use deepclone_core::limits::ENTITY_TAG_BYTES_KEPT;
use deepclone_core::receipt::Receipt;
use deepclone_core::shard::Shard;
use deepclone_core::task::{ObjectCopy, TaskSide, TaskSpec};
use deepclone_delta::sync::{CopyObject, Work};

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
    places: BTreeMap<TaskFingerprint, usize>,
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
        let places = tasks.iter().enumerate().map(|(at, task)| (task.fingerprint, at)).collect();
        Self { job_spec, target, source, work, tasks, places, priors: BTreeMap::new() }
    }

    /// Keeps what an earlier receipt recorded of the object with this index.
    pub fn note_prior(&mut self, place: usize, recorded: Recorded) {
        let in_use = self.work.objects()[place].in_use;
        self.priors.insert(place, prior(Some(recorded), self.source, in_use));
    }

    /// Returns the objects of a task, in the order that its receipts follow.
    pub fn objects<'a>(&'a self, task: &'a Shard) -> impl Iterator<Item = &'a CopyObject> {
        task.objects.iter().map(|&place| &self.work.objects()[place])
    }

    /// Returns what a worker gets. `None` when the plan has no such task.
    #[must_use]
    pub fn task_spec(&self, index: TaskIndex) -> Option<TaskSpec> {
        let task = self.tasks.get(usize::try_from(index.0).ok()?)?;
        let objects = task.objects.iter().map(|&place| self.object_copy(place));
        Some(TaskSpec {
            source: side(&self.job_spec.source),
            target: side(&self.job_spec.target),
            verification: self.job_spec.spec.verification,
            objects: objects.collect(),
        })
    }

    fn object_copy(&self, place: usize) -> ObjectCopy {
        let object = &self.work.objects()[place];
        let noted = self.priors.get(&place).cloned();
        ObjectCopy {
            source_path: object.source_path.clone(),
            target_path: object.target_path.clone(),
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
            .map(|task| self.objects(task).map(|object| object.source_path.clone()).collect())
            .unwrap_or_default();
        match object.and_then(|at| keys.get(usize::try_from(at).ok()?)) {
            Some(key) => vec![key.clone()],
            None => keys,
        }
    }

    /// Tells whether a receipt has the shape of a task: one object for each of its objects, of a
    /// size that it can have. `None` when the plan has no such task.
    #[must_use]
    pub fn receipt_fits(&self, fingerprint: TaskFingerprint, receipt: &Receipt) -> Option<bool> {
        let task = self.task(fingerprint)?;
        let is_whole = task.objects.len() == receipt.objects.len();
        let mut pairs = self.objects(task).zip(&receipt.objects);
        Some(is_whole && pairs.all(|(object, seen)| fits(object, seen.size)))
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
        let Some(task) = self.task(fingerprint).filter(|_| fits) else { return Vec::new() };
        let recorded_ms = now_ms.saturating_sub_unsigned(receipt.elapsed_ms);
        self.objects(task)
            .zip(&receipt.objects)
            .map(|(object, seen)| Evidence {
                key: object.target_path.clone(),
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
        self.tasks.get(*self.places.get(&fingerprint)?)
    }
}

/// Returns an entity tag as it is kept: one that is too long counts as none.
fn bounded(etag: &str) -> String {
    if etag.len() <= ENTITY_TAG_BYTES_KEPT { etag.to_owned() } else { String::new() }
}

/// True when an object of this size can be the planned one.
#[must_use]
pub fn fits(object: &CopyObject, size: u64) -> bool {
    if object.size_is_minimum { size >= object.size } else { size == object.size }
}

fn side(table: &Resolved) -> TaskSide {
    TaskSide {
        connection: table.connection.clone(),
        fingerprint: table.fingerprint,
        root: table.root.clone(),
    }
}
