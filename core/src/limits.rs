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
/// Tries of a task before the sync fails: with their pauses more than a minute, for stores that
/// throttle that long.
pub const TASK_ATTEMPTS_MAX: u32 = 10;
/// Times that a sync is planned again because another sync of the same target won.
pub const REBASES_MAX: u32 = 5;
/// The first pause after a failed try; it doubles, with jitter.
pub const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest pause after a failed try.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Times that a task loses its worker, or its lease, before the sync fails.
pub const TASK_LOSSES_MAX: u32 = 12;
/// Objects of at least this many bytes are tasks of their own.
pub const LARGE_OBJECT_BYTES_MIN: u64 = 64 << 20;
/// Tasks of one sync.
pub const TASKS_MAX: usize = 1 << 20;
/// Syncs that are queued or under way.
pub const JOBS_LIVE_MAX: usize = 10_000;
/// Syncs that are over and still shown.
pub const JOBS_ENDED_MAX: usize = 1_000;
/// Workers that are known at once, lost ones included.
pub const WORKERS_MAX: usize = 4_096;
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
const _: () = assert!(ACQUIRE_WAIT_MAX.as_millis() < LEASE_TTL.as_millis());
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
            grant_tasks_max: GRANT_TASKS_MAX,
            grant_objects_max: GRANT_OBJECTS_MAX,
        }
    }
}
