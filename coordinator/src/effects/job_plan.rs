//! A plan's arena: the change set and its tasks' objects, kept for as long as the job lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_common::connections::Resolved;
use deepclone_core::ids::{JobId, TargetKey, TaskFingerprint, TaskIndex};
use deepclone_core::receipt::Receipt;
use deepclone_core::shard::Shard;
use deepclone_core::task::{ObjectCopy, TaskSide, TaskSpec};
use deepclone_delta::changes::{ChangeSet, CopyObject};

use crate::state::{Evidence, JobSpec};

/// A job's plan with everything that the machine does not see.
#[derive(Debug)]
pub struct JobPlan {
    /// The job's order.
    pub order: Arc<JobSpec>,
    /// The target's name.
    pub target: TargetKey,
    /// What the commit says, and the objects, sorted by target path.
    pub change_set: ChangeSet,
    /// Tasks, in plan order.
    pub tasks: Vec<Shard>,
    places: BTreeMap<TaskFingerprint, usize>,
}

impl JobPlan {
    /// The arena of these tasks over the objects of `change_set`.
    #[must_use]
    pub fn new(
        order: Arc<JobSpec>,
        target: TargetKey,
        change_set: ChangeSet,
        tasks: Vec<Shard>,
    ) -> Self {
        let places = tasks.iter().enumerate().map(|(at, task)| (task.fingerprint, at)).collect();
        Self { order, target, change_set, tasks, places }
    }

    /// True when a task of this name is in the plan.
    #[must_use]
    pub fn has(&self, fingerprint: TaskFingerprint) -> bool {
        self.places.contains_key(&fingerprint)
    }

    /// A task's objects, in its order.
    pub fn objects<'a>(&'a self, task: &'a Shard) -> impl Iterator<Item = &'a CopyObject> {
        task.objects.iter().map(|&place| &self.change_set.objects[place])
    }

    /// What a worker gets; none: the plan has no such task.
    #[must_use]
    pub fn task_spec(&self, index: TaskIndex) -> Option<TaskSpec> {
        let task = self.tasks.get(usize::try_from(index.0).ok()?)?;
        let objects = self.objects(task).map(|object| ObjectCopy {
            source_path: object.source_path.clone(),
            target_path: object.target_path.clone(),
            size: object.size,
            size_is_minimum: object.size_is_minimum,
        });
        Some(TaskSpec {
            source: side(&self.order.source),
            target: side(&self.order.target),
            verification: self.order.spec.verification,
            objects: objects.collect(),
        })
    }

    /// What a receipt saw; none: the plan has no such task, or the receipt is not of its shape.
    #[must_use]
    pub fn evidence(
        &self,
        job: JobId,
        fingerprint: TaskFingerprint,
        receipt: &Receipt,
        recorded_ms: i64,
    ) -> Option<Vec<Evidence>> {
        let task = self.tasks.get(*self.places.get(&fingerprint)?)?;
        if task.objects.len() != receipt.objects.len() {
            return None;
        }
        self.objects(task)
            .zip(&receipt.objects)
            .map(|(object, seen)| {
                fits(object, seen.size).then(|| Evidence {
                    key: object.target_path.clone(),
                    size: seen.size,
                    job,
                    recorded_ms,
                })
            })
            .collect()
    }
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
