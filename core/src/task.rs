//! A task as a worker gets it: what to copy from where to where, and for how long it is granted.
//!
//! Two steps of the ladder: `TaskSpec → Grant`. Paths live here and in the coordinator's plans
//! only; the machine knows tasks by number.

use std::time::Duration;

use crate::evidence::Prior;
use crate::group::PartRange;
use crate::ids::GrantKey;
use crate::job_limits::JobShare;
use crate::receipt::{PartReceipt, SharedUpload};
use crate::spec::Verification;
use crate::trace::TraceContext;

/// What the coordinator gives to a worker: a task, for a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Names the grant in heartbeats and reports.
    pub key: GrantKey,
    /// How long it holds without a heartbeat. A duration, because clocks differ.
    pub ttl: Duration,
    /// What the worker may take for the job from now on, for all grants of it together.
    pub share: JobShare,
    /// The span of the task, where syncs are traced.
    pub trace: Option<TraceContext>,
    pub spec: TaskSpec,
}

/// What a worker can take on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub bytes: u64,
    pub objects: u32,
}

/// A bounded piece of copying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    pub source: TaskSide,
    pub target: TaskSide,
    /// How copied bytes are verified.
    pub verification: Verification,
    pub work: TaskWork,
}

/// What a task is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskWork {
    /// Copies whole objects, in the order that receipts follow.
    Objects(Vec<ObjectCopy>),
    /// Opens the upload of a shared object, unless the target has the object.
    Open(ObjectCopy),
    /// Writes some parts of a shared object.
    Parts { object: ObjectCopy, upload: SharedUpload, parts: PartRange },
    /// Makes a shared object of its parts.
    Finish {
        object: ObjectCopy,
        upload: SharedUpload,
        /// All of them, in order.
        parts: Vec<PartReceipt>,
    },
}

impl TaskWork {
    /// Returns the objects that it is about.
    #[must_use]
    pub fn objects(&self) -> &[ObjectCopy] {
        match self {
            Self::Objects(objects) => objects,
            Self::Open(object) | Self::Parts { object, .. } | Self::Finish { object, .. } => {
                std::slice::from_ref(object)
            }
        }
    }

    /// Returns the bytes that it copies, as far as they are known.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Objects(objects) => {
                objects.iter().fold(0, |sum, object| sum.saturating_add(object.size))
            }
            Self::Parts { parts, .. } => parts.bytes(),
            Self::Open(_) | Self::Finish { .. } => 0,
        }
    }
}

/// One side of a task: a table's folder in a connection that the worker resolves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSide {
    pub connection: String,
    /// The fingerprint of its settings; the worker refuses the task when its own differs.
    pub fingerprint: [u8; 32],
    /// The table's folder below the connection's root, decoded; empty for the root itself.
    pub root: String,
}

/// One object to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCopy {
    /// Its key below the source table's folder, decoded.
    pub source_path: String,
    /// Its key below the target table's folder, decoded.
    pub target_path: String,
    /// Its length in bytes.
    pub size: u64,
    /// True when the log gives only a lower bound of the length (deletion vectors).
    pub size_is_minimum: bool,
    /// What is at the target under this key already, as far as the plan knows.
    pub prior: Prior,
}

impl ObjectCopy {
    /// True when an object of this size can be the planned one.
    #[must_use]
    pub fn fits(&self, size: u64) -> bool {
        if self.size_is_minimum { size >= self.size } else { size == self.size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(size: u64) -> ObjectCopy {
        let path = format!("{size}.parquet");
        let (source_path, target_path) = (path.clone(), path);
        ObjectCopy { source_path, target_path, size, size_is_minimum: false, prior: Prior::Absent }
    }

    #[test]
    fn work_tells_its_objects_and_the_bytes_that_it_copies() {
        let upload =
            || SharedUpload { id: "u".to_owned(), is_checked: false, source_etag: String::new() };
        let parts = PartRange { object_bytes: 10, part_bytes: 4, first: 1, end: 3 };
        for (work, objects, bytes) in [
            (TaskWork::Objects(vec![object(3), object(4)]), vec![object(3), object(4)], 7),
            (
                TaskWork::Objects(vec![object(u64::MAX), object(1)]),
                { vec![object(u64::MAX), object(1)] },
                u64::MAX,
            ),
            (TaskWork::Open(object(10)), vec![object(10)], 0),
            (TaskWork::Parts { object: object(10), upload: upload(), parts }, vec![object(10)], 6),
            (
                TaskWork::Finish { object: object(10), upload: upload(), parts: vec![] },
                vec![object(10)],
                0,
            ),
        ] {
            assert_eq!((work.objects(), work.bytes()), (&objects[..], bytes), "{work:?}");
        }
    }
}
