//! What a worker reports of a task: evidence, or the kind of its failure.

/// Evidence that a task is done: that every object of it was seen whole at the target, or, of an
/// object that several workers share, that its step is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// One for each object of the task, in the task's order. None for a step that makes no object.
    pub objects: Vec<ObjectReceipt>,
    /// The upload that a step opened or wrote to.
    pub upload: Option<SharedUpload>,
    /// The parts that a step wrote, in order.
    pub parts: Vec<PartReceipt>,
    /// Bytes read from the source, repeats included.
    pub bytes_read: u64,
    /// Bytes written to the target, repeats included.
    pub bytes_written: u64,
    /// Requests sent to both stores, repeats included.
    pub requests: u32,
    /// Those of the requests that went to the source.
    pub source_requests: u32,
    /// Those of the requests that read or described objects at the target.
    pub target_reads: u32,
    /// Milliseconds from the first request to the report: no object was seen earlier than that.
    pub elapsed_ms: u64,
    /// The worker's name, as the coordinator knows it; empty on the way there.
    pub worker: String,
    /// Those of the objects that existed because an earlier attempt of the same task wrote them, as
    /// far as is known: the plan knew of nothing there.
    pub objects_written_before: u32,
    /// Those of the objects that the store copied by itself: none of their bytes passed the worker.
    pub objects_copied_by_store: u32,
}

/// Evidence for one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectReceipt {
    pub size: u64,
    /// CRC-64/NVME of the bytes.
    pub crc64nvme: u64,
    /// The source's entity tag, where it has one.
    pub source_etag: String,
    /// The target's entity tag, where it has one.
    pub target_etag: String,
    /// True when the target had it already, with the same bytes.
    pub existed: bool,
    /// What proves that the target holds these bytes.
    pub proof: Proof,
}

/// An upload to which several workers write, and the state of the source that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedUpload {
    /// The store's id; empty where uploads have none (Azure).
    pub id: String,
    /// True when its parts must have checksums in their requests.
    pub is_checked: bool,
    /// The source's entity tag: every part is read of this state. Empty where it has none.
    pub source_etag: String,
}

/// Evidence for one part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReceipt {
    /// The parts of an object are counted from 0.
    pub number: u32,
    pub size: u64,
    /// CRC-64/NVME of the bytes.
    pub crc64nvme: u64,
    /// By which the completion names it.
    pub id: String,
    /// True when the store took our checksum with the part, or said the same one.
    pub is_proved: bool,
}

/// What proves that the target holds the bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The target took as many bytes as the source gave. Nothing at the target speaks for the bytes
    /// themselves.
    Length,
    /// An earlier receipt, and the entity tags of both sides are those that it recorded.
    Earlier,
    /// The target's store took our checksum with the request, or said the checksum of what it
    /// holds, and that is the source's.
    StoredChecksum,
    /// The bytes were read at the target and compared.
    ReadBack,
}

/// Number of objects by what proves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProofCounts {
    pub length: u64,
    pub earlier: u64,
    pub stored_checksum: u64,
    pub read_back: u64,
}

impl ProofCounts {
    /// Adds one object with this proof.
    pub fn count(&mut self, proof: Proof) {
        match proof {
            Proof::Length => self.length += 1,
            Proof::Earlier => self.earlier += 1,
            Proof::StoredChecksum => self.stored_checksum += 1,
            Proof::ReadBack => self.read_back += 1,
        }
    }
}

/// Why an attempt at a task failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// The object's place in the task; `None` for the task as a whole.
    pub index: Option<u32>,
    /// Decides whether another attempt may succeed.
    pub kind: TaskFailureKind,
    /// One line, naming the object, without secrets.
    pub message: String,
    /// What the attempt took.
    pub spent: AttemptCounts,
}

/// What an attempt took, however it ended; repeats included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// Sent to both stores.
    pub requests: u32,
    /// Those of them that went to the source.
    pub source_requests: u32,
    /// Those of them that read or described objects at the target.
    pub target_reads: u32,
}

impl Receipt {
    /// What the attempt took.
    #[must_use]
    pub fn spent(&self) -> AttemptCounts {
        let Self { bytes_read, bytes_written, requests, source_requests, target_reads, .. } = *self;
        AttemptCounts { bytes_read, bytes_written, requests, source_requests, target_reads }
    }
}

/// The kinds of failure of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskFailureKind {
    /// A time-out, reset or 5xx: attempted again.
    Transient,
    /// 429 or 503: attempted again, more slowly.
    Throttled,
    /// The source has no such object.
    SourceNotFound,
    /// The source's object is not the one that was planned (size, entity tag).
    SourceChanged,
    /// The source refuses the worker's credentials, or has no such bucket.
    SourceDenied,
    /// The target refuses the worker's credentials, or has no such bucket.
    TargetDenied,
    /// The target has other bytes under this key.
    TargetConflict,
    /// Bytes differ from their digest.
    Corrupt,
    /// The lease ended before the copy did.
    LeaseExpired,
    /// The upload is gone or lacks a part, and the target has no object: it is opened again.
    UploadLost,
}

impl TaskFailureKind {
    /// Returns its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::SourceNotFound => "source_not_found",
            Self::SourceChanged => "source_changed",
            Self::SourceDenied => "source_denied",
            Self::TargetDenied => "target_denied",
            Self::TargetConflict => "target_conflict",
            Self::Corrupt => "corrupt",
            Self::LeaseExpired => "lease_expired",
            Self::UploadLost => "upload_lost",
        }
    }
}
