//! The tasks of an object that several workers share, by their names, and what is recorded of them.

use std::collections::BTreeMap;

use deepclone_core::group::GroupStep;
use deepclone_core::ids::{JobId, TaskFingerprint};
use deepclone_core::receipt::{PartReceipt, SharedUpload};

use crate::content::Content;
use crate::scenario::{Scenario, task_bytes};

/// Tasks of parts of a shared object, one part each.
pub(crate) const PARTS: u8 = 3;
// The step of a task, in its name; 0 for whole objects.
pub(crate) const OPEN: u8 = 1;
pub(crate) const FIRST_PART: u8 = 2;
pub(crate) const FINISH: u8 = 255;

/// An upload as its store knows it.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) key: (u8, u8),
    /// What the source held when it was opened.
    pub(crate) content: Content,
    pub(crate) parts: BTreeMap<u32, Content>,
}

/// What the driver adds to the grant of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepGrant {
    pub(crate) upload: Option<SharedUpload>,
    pub(crate) parts: Vec<PartReceipt>,
}

/// What is recorded of the steps of objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenSteps {
    pub(crate) uploads: BTreeMap<(JobId, TaskFingerprint), SharedUpload>,
    pub(crate) parts: BTreeMap<(JobId, TaskFingerprint), Vec<PartReceipt>>,
}

impl Scenario {
    /// True when the object of this number is shared.
    pub(crate) fn is_shared(&self, number: u8) -> bool {
        self.shares && number % 5 == 4
    }
}

/// The same name for another step.
pub(crate) fn at_step(name: TaskFingerprint, step: u8) -> TaskFingerprint {
    let mut bytes = name.0;
    bytes[4] = step;
    TaskFingerprint(bytes)
}

/// Returns what kind of step a task is; `None` for whole objects.
pub(crate) fn step_of(name: TaskFingerprint) -> Option<GroupStep> {
    match name.0[4] {
        0 => None,
        OPEN => Some(GroupStep::Open),
        FINISH => Some(GroupStep::Finish),
        _ => Some(GroupStep::Parts),
    }
}

/// Bytes of a task by its name.
pub(crate) fn bytes_of(name: TaskFingerprint) -> u64 {
    let whole = task_bytes(name.0[1]);
    let part = whole / u64::from(PARTS);
    match (step_of(name), name.0[4]) {
        (None, _) => whole,
        (Some(GroupStep::Open | GroupStep::Finish), _) => 0,
        (Some(GroupStep::Parts), FIRST_PART) => whole - part * u64::from(PARTS - 1),
        (Some(GroupStep::Parts), _) => part,
    }
}
