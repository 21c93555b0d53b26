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
/// Tries of a task before the sync fails.
pub const TASK_ATTEMPTS_MAX: u32 = 6;
/// Times that a sync is planned again because another sync of the same target won.
pub const REBASES_MAX: u32 = 5;
/// The first pause after a failed try; it doubles, with jitter.
pub const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest pause after a failed try.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Encoded bytes of the leases in one answer.
pub const GRANT_BYTES_MAX: usize = 2 << 20;
/// Encoded bytes of any gRPC message.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

const _: () = assert!(HEARTBEAT_INTERVAL.as_millis() * 3 <= LEASE_TTL.as_millis());
const _: () = assert!(GRANT_BYTES_MAX < MESSAGE_BYTES_MAX);
const _: () = assert!(ACQUIRE_WAIT_MAX.as_millis() < LEASE_TTL.as_millis());
const _: () = assert!(BACKOFF_MIN.as_millis() < BACKOFF_MAX.as_millis());
