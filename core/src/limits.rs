//! Every bound of the system in one place, with their relations asserted (I8).

use std::time::Duration;

/// How often a worker says that it lives.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// How long a grant holds without a heartbeat.
pub const LEASE_TTL: Duration = Duration::from_secs(30);
/// The longest wait for a grant: under every load balancer's idle limit.
pub const ACQUIRE_WAIT_MAX: Duration = Duration::from_secs(20);
/// Events that the driver steps before it commits their facts.
pub const EVENTS_PER_BATCH_MAX: usize = 512;
/// Bytes that a task of small objects holds at the most.
pub const TASK_BYTES_MAX: u64 = 256 << 20;
/// Objects that a task holds at the most.
pub const TASK_OBJECTS_MAX: usize = 256;
/// Attempts at a task before the sync fails: with their pauses more than a minute, for stores that
/// throttle that long.
pub const TASK_ATTEMPTS_MAX: u32 = 10;
/// Times that a sync is planned again because another sync of the same target won.
pub const REBASES_MAX: u32 = 5;
/// The first pause after a failed attempt; it doubles, with jitter.
pub const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest pause after a failed attempt.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Times that a task loses its worker, or its lease, before the sync fails.
pub const TASK_LOSSES_MAX: u32 = 12;
/// Objects of at least this many bytes are tasks of their own.
pub const LARGE_OBJECT_BYTES_MIN: u64 = 64 << 20;
/// Bytes of the longest object that is copied by one read and one write: a worker holds it whole.
pub const WHOLE_OBJECT_BYTES_MAX: u64 = 16 << 20;
/// Bytes of a part of a longer object, but for the last part: stores take no less than 5 MiB.
pub const PART_BYTES_MIN: u64 = 16 << 20;
/// Parts of one object: stores take 10 000.
pub const PARTS_MAX: u64 = 9_000;
/// Tasks of one sync.
pub const TASKS_MAX: usize = 1 << 20;
/// Syncs that are queued or under way.
pub const JOBS_LIVE_MAX: usize = 10_000;
/// Syncs that are over and still shown.
pub const JOBS_ENDED_MAX: usize = 1_000;
/// Ended jobs that the database keeps: what their request ids and names still answer for. A row
/// is about as large as the job's spec, so these are some hundred megabytes at the worst.
pub const JOBS_KEPT_MAX: usize = 100_000;
/// How long the database keeps an ended job: one quarter, for those who ask what became of it.
pub const JOBS_KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);
/// How long the database keeps evidence of objects. It is trusted for half of the target's
/// retention, seven days by default; older evidence only saves a proof on targets that keep longer.
pub const EVIDENCE_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Rows that one transaction of a purge deletes at the most: facts wait for it meanwhile.
pub const PURGE_ROWS_MAX: usize = 2_000;
/// How often what is too old is purged.
pub const PURGE_INTERVAL: Duration = Duration::from_secs(60);
/// Questions for jobs that only the database knows, at once: each holds a request.
pub const RECALLS_MAX: usize = 256;
/// Streams that follow one job.
pub const WATCHERS_PER_JOB_MAX: usize = 64;
/// Streams that follow jobs, in all.
pub const WATCHERS_MAX: usize = 1_024;
/// Calls at once on one connection: a worker needs four, a client few and its watches.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// Plans for clients (not for jobs) that are made or wait at once: each holds a call.
pub const PLAN_CALLS_MAX: usize = 32;
/// Jobs or workers on one page.
pub const PAGE_SIZE_MAX: usize = 1_000;
/// Bytes of a table's URI: a key of 1 KiB with every byte escaped, and where it lies.
pub const URI_BYTES_MAX: usize = 4 << 10;
/// Bytes of a connection's name.
pub const CONNECTION_NAME_BYTES_MAX: usize = 128;
/// Bytes of a predicate over partition columns.
pub const PARTITION_FILTER_BYTES_MAX: usize = 16 << 10;
/// Table properties of one spec.
pub const PROPERTIES_MAX: usize = 256;
/// Bytes of a table property's name.
pub const PROPERTY_NAME_BYTES_MAX: usize = 256;
/// Bytes of a table property's value.
pub const PROPERTY_VALUE_BYTES_MAX: usize = 4 << 10;
/// Table features that one spec allows.
pub const ALLOWED_FEATURES_MAX: usize = 64;
/// Bytes of a table feature's name.
pub const FEATURE_NAME_BYTES_MAX: usize = 128;
/// Bytes of a whole spec: it is kept with its job, live and ended.
pub const SPEC_BYTES_MAX: usize = 64 << 10;
/// Bytes of a worker's name.
pub const WORKER_NAME_BYTES_MAX: usize = 128;
/// Bytes of a worker's version.
pub const WORKER_VERSION_BYTES_MAX: usize = 64;
/// Connections that one worker offers.
pub const CONNECTIONS_PER_WORKER_MAX: usize = 256;
/// Grants that one worker holds or has not reported, as it tells.
pub const HELD_TASKS_MAX: usize = 4_096;
/// Outcomes in one report of a worker.
pub const OUTCOMES_PER_REPORT_MAX: usize = 256;
/// Bytes of the message of a failed task; what is longer is cut.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Bytes of an entity tag.
pub const ENTITY_TAG_BYTES_MAX: usize = 1 << 10;
/// Workers that are known at once, lost ones included.
pub const WORKERS_MAX: usize = 4_096;
/// Grants of one task that ended without a word and are remembered, so that a late report finds
/// its own: every failure, every loss and every round that a task can have in one epoch.
pub const GRANTS_REMEMBERED_MAX: usize = 32;
/// Times that a sync is planned again because an object of the source is gone. One VACUUM costs
/// one; a source that loses objects faster than they are copied is not for a copy.
pub const VANISHED_PLANS_MAX: u32 = 3;
/// Times in a row that a worker may be refused by a store, or find nothing there, before it is
/// held back from that job (if others can go on), and set aside once another worker has succeeded
/// where it did not: one refusal may be the object's, three in a row hardly are.
pub const WORKER_DENIALS_MAX: u32 = 3;
/// How long a worker is given nothing of a connection at which it failed where others did not:
/// long enough to cost little, short enough that a renewed credential is soon of use.
pub const WORKER_ASIDE: Duration = Duration::from_secs(300);
/// How long a sync waits for a worker that knows its connections: machines that are ordered when
/// a job is queued come within minutes.
pub const NO_WORKERS_WAIT: Duration = Duration::from_secs(600);
/// How long the reading of both logs may take, once it is its turn. A log of gigabytes over a
/// slow line takes minutes; a store that never ends an answer would hold its place for ever.
pub const PLAN_TIME_MAX: Duration = Duration::from_secs(1_800);
/// Tasks in one answer to a worker.
pub const GRANT_TASKS_MAX: usize = 64;
/// Objects in one answer to a worker, unless one task alone has more.
pub const GRANT_OBJECTS_MAX: usize = 3 * TASK_OBJECTS_MAX;
/// Encoded bytes of one object in a lease: two keys of 1 KiB and the numbers beside them.
pub const GRANT_OBJECT_BYTES_MAX: usize = 2_560;
/// Encoded bytes of the leases in one answer.
pub const GRANT_BYTES_MAX: usize = 2 << 20;
/// Folders above a new replica in which another table is looked for: one request each, and no lake
/// nests its tables deeper.
pub const FOLDERS_ABOVE_MAX: usize = 16;
/// Encoded bytes of any gRPC message.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

const _: () = assert!(HEARTBEAT_INTERVAL.as_millis() * 3 <= LEASE_TTL.as_millis());
const _: () = assert!(GRANT_BYTES_MAX < MESSAGE_BYTES_MAX);
const _: () = assert!(GRANT_OBJECTS_MAX * GRANT_OBJECT_BYTES_MAX <= GRANT_BYTES_MAX);
const _: () = assert!(TASK_OBJECTS_MAX <= GRANT_OBJECTS_MAX);
const _: () = assert!(LARGE_OBJECT_BYTES_MIN <= TASK_BYTES_MAX);
// An object that shares its task with others may still be copied by parts.
const _: () = assert!(WHOLE_OBJECT_BYTES_MAX <= LARGE_OBJECT_BYTES_MIN);
const _: () = assert!(ACQUIRE_WAIT_MAX.as_millis() < LEASE_TTL.as_millis());
const _: () = assert!(
    (TASK_ATTEMPTS_MAX + TASK_LOSSES_MAX + REBASES_MAX + VANISHED_PLANS_MAX) as usize
        <= GRANTS_REMEMBERED_MAX
);
const _: () = assert!(JOBS_ENDED_MAX <= JOBS_KEPT_MAX);
const _: () = assert!(WATCHERS_PER_JOB_MAX <= WATCHERS_MAX);
const _: () = assert!(PARTITION_FILTER_BYTES_MAX + 2 * URI_BYTES_MAX < SPEC_BYTES_MAX);
const _: () = assert!(GRANT_TASKS_MAX <= HELD_TASKS_MAX);
// A worker's report and its announcements fit into a message: a key is some 70 bytes.
const _: () = assert!(HELD_TASKS_MAX * 128 < MESSAGE_BYTES_MAX);
const _: () = assert!(WORKER_ASIDE.as_millis() < NO_WORKERS_WAIT.as_millis());
const _: () = assert!(BACKOFF_MIN.as_millis() < BACKOFF_MAX.as_millis());

/// The bounds that the machine is built with: the constants above, or smaller ones in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`HEARTBEAT_INTERVAL`].
    pub heartbeat_interval: Duration,
    /// See [`LEASE_TTL`].
    pub lease_ttl: Duration,
    /// See [`TASK_ATTEMPTS_MAX`].
    pub task_attempts_max: u32,
    /// See [`TASK_LOSSES_MAX`].
    pub task_losses_max: u32,
    /// See [`REBASES_MAX`].
    pub rebases_max: u32,
    /// See [`BACKOFF_MIN`].
    pub backoff_min: Duration,
    /// See [`BACKOFF_MAX`].
    pub backoff_max: Duration,
    /// See [`TASKS_MAX`].
    pub tasks_max: usize,
    /// See [`JOBS_LIVE_MAX`].
    pub jobs_live_max: usize,
    /// See [`JOBS_ENDED_MAX`].
    pub jobs_ended_max: usize,
    /// See [`WORKERS_MAX`].
    pub workers_max: usize,
    /// See [`VANISHED_PLANS_MAX`].
    pub vanished_plans_max: u32,
    /// See [`WORKER_DENIALS_MAX`].
    pub worker_denials_max: u32,
    /// See [`WORKER_ASIDE`].
    pub worker_aside: Duration,
    /// See [`NO_WORKERS_WAIT`].
    pub no_workers_wait: Duration,
    /// See [`PLAN_TIME_MAX`].
    pub plan_time_max: Duration,
    /// See [`GRANT_TASKS_MAX`].
    pub grant_tasks_max: usize,
    /// See [`GRANT_OBJECTS_MAX`].
    pub grant_objects_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            heartbeat_interval: HEARTBEAT_INTERVAL,
            lease_ttl: LEASE_TTL,
            task_attempts_max: TASK_ATTEMPTS_MAX,
            task_losses_max: TASK_LOSSES_MAX,
            rebases_max: REBASES_MAX,
            backoff_min: BACKOFF_MIN,
            backoff_max: BACKOFF_MAX,
            tasks_max: TASKS_MAX,
            jobs_live_max: JOBS_LIVE_MAX,
            jobs_ended_max: JOBS_ENDED_MAX,
            workers_max: WORKERS_MAX,
            vanished_plans_max: VANISHED_PLANS_MAX,
            worker_denials_max: WORKER_DENIALS_MAX,
            worker_aside: WORKER_ASIDE,
            no_workers_wait: NO_WORKERS_WAIT,
            plan_time_max: PLAN_TIME_MAX,
            grant_tasks_max: GRANT_TASKS_MAX,
            grant_objects_max: GRANT_OBJECTS_MAX,
        }
    }
}
