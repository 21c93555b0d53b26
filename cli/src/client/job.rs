//! A job as the coordinator shows it, converted from the wire. A state or field that this version
//! does not know is an error.

use std::collections::BTreeMap;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use deepclone_proto::v1;
use uuid::Uuid;

use super::cost::{self, CostInfo, SentInfo};
use super::status::malformed;

/// A sync, its progress and its end.
#[derive(Clone, Debug, PartialEq)]
pub struct JobInfo {
    /// The job's id, which is also the sync id in the replica's log.
    pub id: Uuid,
    /// What the client asked for.
    pub spec: CloneSpec,
    /// The state of the job, and its result.
    pub state: JobStatus,
    /// The progress of the copy, from COPYING on.
    pub progress: JobProgress,
    /// In milliseconds since 1970.
    pub create_time_ms: Option<i64>,
    /// The time of the end, in milliseconds since 1970.
    pub end_time_ms: Option<i64>,
    /// What it sent so far.
    pub sent: Option<SentInfo>,
    /// The principal that created it; `None` where that is not known.
    pub submitter: Option<String>,
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobStatus {
    /// Waits for an earlier job of the same target.
    Queued,
    /// The coordinator reads both logs.
    Planning,
    /// No worker knows the connections of the job's tasks.
    WaitingForWorkers,
    /// No worker gets a task of it for now.
    Held,
    /// Workers are copying the objects.
    Copying,
    /// The coordinator is writing the commit.
    Publishing,
    /// The job was asked to end, and has not ended yet.
    Cancelling,
    /// The replica is at the source's version.
    Succeeded(JobResult),
    /// Refused or failed; the replica is unchanged.
    Failed(Failure),
    /// Ended before it was published; the replica is unchanged.
    Cancelled,
}

impl JobStatus {
    /// Returns the name on the wire and in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            JobStatus::Queued => "QUEUED",
            JobStatus::Planning => "PLANNING",
            JobStatus::WaitingForWorkers => "WAITING_FOR_WORKERS",
            JobStatus::Held => "HELD",
            JobStatus::Copying => "COPYING",
            JobStatus::Publishing => "PUBLISHING",
            JobStatus::Cancelling => "CANCELLING",
            JobStatus::Succeeded(_) => "SUCCEEDED",
            JobStatus::Failed(_) => "FAILED",
            JobStatus::Cancelled => "CANCELLED",
        }
    }

    /// Returns true for a state that does not change any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, JobStatus::Succeeded(_) | JobStatus::Failed(_) | JobStatus::Cancelled)
    }
}

/// The progress of a sync, or what a sync would copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// The source's version that it leads to; `None` before it is planned.
    pub source_version: Option<i64>,
    /// Objects new to the replica.
    pub objects_total: i64,
    /// Of those, the objects that are at the target.
    pub objects_done: i64,
    /// Bytes of the objects new to the replica.
    pub bytes_total: i64,
    /// Of those, the bytes that are at the target or in flight.
    pub bytes_copied: i64,
    /// Tasks that the objects are packed into.
    pub tasks_total: i32,
    /// Of those, the tasks that are done.
    pub tasks_done: i32,
    /// Workers that hold tasks of the job now.
    pub workers: i32,
    /// Notices for people, one line each.
    pub notices: Vec<String>,
}

/// The result of a sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobResult {
    /// The version of the source that was synced.
    pub source_version: i64,
    /// The version of the replica that shows it.
    pub target_version: i64,
    /// True when there was nothing to do: no commit was written.
    pub up_to_date: bool,
    /// Objects that workers wrote to the target, in any attempt of the job.
    pub objects_copied: i64,
    /// Objects that the target had before the job, with evidence.
    pub objects_skipped: i64,
    /// Bytes read from the source, repeats included.
    pub bytes_read: i64,
    /// Bytes written to the target, repeats included.
    pub bytes_written: i64,
    /// The six figures of Databricks' clone, as far as they are known.
    pub clone_metrics: BTreeMap<String, i64>,
    /// Tasks that the objects were packed into.
    pub tasks: i64,
    /// Workers that copied for the job.
    pub workers: i32,
    /// The time from creation to end.
    pub duration: Duration,
    /// Those of the copied objects that the store copied by itself.
    pub objects_copied_by_store: i64,
    /// The copied and the skipped objects by what proves them.
    pub proofs: JobProofs,
}

/// Number of objects by what proves that the target holds their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobProofs {
    /// The number of bytes alone.
    pub length: i64,
    /// An earlier receipt and unchanged entity tags.
    pub earlier: i64,
    /// A checksum that the target's store took or said.
    pub stored_checksum: i64,
    /// The bytes, read at the target.
    pub read_back: i64,
}

/// The result of planning a sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The version of the source that would be synced.
    pub source_version: i64,
    /// The objects, bytes and tasks of the copy.
    pub progress: JobProgress,
    /// Requests that copying would send to the source, without retries.
    pub source_requests: i64,
    /// Requests that copying and publishing would send to the target, without retries.
    pub target_requests: i64,
    /// The six figures of Databricks' clone, as far as they are known.
    pub clone_metrics: BTreeMap<String, i64>,
    /// True when there is nothing to do.
    pub up_to_date: bool,
    /// The replica's version now; `None` without a replica.
    pub target_version: Option<i64>,
    /// What the copy would cost; `None` when up to date.
    pub cost: Option<CostInfo>,
}

/// Returns the resource name of a job.
#[must_use]
pub fn name(job: Uuid) -> String {
    format!("jobs/{job}")
}

impl TryFrom<v1::Job> for JobInfo {
    type Error = Failure;

    fn try_from(wire: v1::Job) -> Result<Self, Failure> {
        let id = wire.name.strip_prefix("jobs/").and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| malformed(format!("Job.name is {:?}", wire.name)))?;
        let spec = wire.spec.ok_or_else(|| malformed("Job.spec is missing"))?;
        let spec = CloneSpec::try_from(spec)
            .map_err(|error| malformed(format!("Job.spec cannot be read: {error}")))?;
        let state = wire.state;
        Ok(Self {
            id,
            spec,
            state: state_of(state, wire.result, wire.failure)?,
            progress: wire.progress.map(JobProgress::from).unwrap_or_default(),
            create_time_ms: wire.create_time.as_ref().map(milliseconds),
            end_time_ms: wire.end_time.as_ref().map(milliseconds),
            sent: wire.sent.map(SentInfo::try_from).transpose()?,
            submitter: Some(wire.submitter).filter(|name| !name.is_empty()),
        })
    }
}

fn state_of(
    state: i32,
    result: Option<v1::Result>,
    failure: Option<v1::Failure>,
) -> Result<JobStatus, Failure> {
    use v1::job::State as Wire;
    let known = Wire::try_from(state)
        .map_err(|_| malformed(format!("Job.state {state} is not known to this version")))?;
    Ok(match known {
        Wire::Unspecified => return Err(malformed("Job.state is not set")),
        Wire::Queued => JobStatus::Queued,
        Wire::Planning => JobStatus::Planning,
        Wire::Copying => JobStatus::Copying,
        Wire::Publishing => JobStatus::Publishing,
        Wire::Cancelling => JobStatus::Cancelling,
        Wire::Cancelled => JobStatus::Cancelled,
        Wire::WaitingForWorkers => JobStatus::WaitingForWorkers,
        Wire::Held => JobStatus::Held,
        Wire::Succeeded => {
            let result = result.ok_or_else(|| malformed("Job.result is missing"))?;
            JobStatus::Succeeded(JobResult::try_from(result)?)
        }
        Wire::Failed => {
            let failure = failure.ok_or_else(|| malformed("Job.failure is missing"))?;
            JobStatus::Failed(failure_of(failure))
        }
    })
}

fn version(wire: Option<i64>, field: &str) -> Result<i64, Failure> {
    wire.ok_or_else(|| malformed(format!("{field} is missing")))
}

fn failure_of(wire: v1::Failure) -> Failure {
    let reason = Reason::from_name(&wire.reason).unwrap_or(Reason::Internal);
    let details = wire.details.into_iter().collect();
    Failure { details, ..Failure::new(reason, wire.message) }
}

impl From<v1::Progress> for JobProgress {
    fn from(wire: v1::Progress) -> Self {
        Self {
            source_version: wire.source_version,
            objects_total: wire.objects_total,
            objects_done: wire.objects_done,
            bytes_total: wire.bytes_total,
            bytes_copied: wire.bytes_copied,
            tasks_total: wire.tasks_total,
            tasks_done: wire.tasks_done,
            workers: wire.workers,
            notices: wire.notices,
        }
    }
}

impl TryFrom<v1::Result> for JobResult {
    type Error = Failure;

    fn try_from(wire: v1::Result) -> Result<Self, Failure> {
        let duration = wire.duration.ok_or_else(|| malformed("Result.duration is missing"))?;
        Ok(Self {
            source_version: version(wire.source_version, "Result.source_version")?,
            target_version: version(wire.target_version, "Result.target_version")?,
            up_to_date: wire.up_to_date,
            objects_copied: wire.objects_copied,
            objects_skipped: wire.objects_skipped,
            bytes_read: wire.bytes_read,
            bytes_written: wire.bytes_written,
            clone_metrics: wire.clone_metrics.into_iter().collect(),
            tasks: wire.tasks,
            workers: wire.workers,
            duration: Duration::try_from(duration)
                .map_err(|_| malformed("Result.duration is negative"))?,
            objects_copied_by_store: wire.objects_copied_by_store,
            proofs: wire.proofs.map(JobProofs::from).unwrap_or_default(),
        })
    }
}

impl From<v1::ProofCounts> for JobProofs {
    fn from(wire: v1::ProofCounts) -> Self {
        let v1::ProofCounts { length, earlier, stored_checksum, read_back } = wire;
        Self { length, earlier, stored_checksum, read_back }
    }
}

impl TryFrom<v1::PlanCloneResponse> for Change {
    type Error = Failure;

    /// # Errors
    /// The failure that the sync would end with.
    fn try_from(wire: v1::PlanCloneResponse) -> Result<Self, Failure> {
        if let Some(refusal) = wire.refusal {
            return Err(failure_of(refusal));
        }
        let change = wire.change.ok_or_else(|| malformed("PlanCloneResponse.change is missing"))?;
        Ok(Self {
            source_version: version(change.source_version, "Progress.source_version")?,
            progress: change.into(),
            source_requests: wire.source_requests,
            target_requests: wire.target_requests,
            clone_metrics: wire.clone_metrics.into_iter().collect(),
            up_to_date: wire.up_to_date,
            target_version: wire.target_version,
            cost: cost::cost(wire.cost)?,
        })
    }
}

/// Converts a time of the wire to milliseconds since 1970.
pub(super) fn milliseconds(time: &prost_types::Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos) / 1_000_000)
}
