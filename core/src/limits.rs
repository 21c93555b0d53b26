//! Every bound of the system that more than one file relies on, with its reason and the relations
//! between them (I8).
//!
//! The relations are asserted at compile time. A crate's own bounds, which no other crate can see,
//! stand in a `limits.rs` of that crate.

use std::time::Duration;

use crate::access::CallRate;

// Workers and their leases.

/// How often a worker sends a heartbeat: [`WORKERS_MAX`] of them make less than a thousand messages
/// a second.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// How long a lease holds without a heartbeat: five lost heartbeats in a row do not end it, and the
/// tasks of a dead worker are copied by others after half a minute.
pub const LEASE_TTL: Duration = Duration::from_secs(30);
/// The longest wait for a grant: below the idle limit of load balancers (60 s and more).
pub const ACQUIRE_WAIT_MAX: Duration = Duration::from_secs(20);
/// Tasks that a coordinator counts again at each tick (half a heartbeat) to check its sums: it
/// takes a few milliseconds, and a million tasks are through within three minutes.
pub const RECOUNT_TASKS_MAX: usize = 16 << 10;
/// Workers that are known at once, lost ones included: each is some kilobytes of memory.
pub const WORKERS_MAX: usize = 4_096;
/// Bytes of a worker's name: the name of a host or a pod and a number fit.
pub const WORKER_NAME_BYTES_MAX: usize = 128;
/// Bytes of a worker's version: a semantic version with build metadata fits.
pub const WORKER_VERSION_BYTES_MAX: usize = 64;
/// Connections that one worker offers: one configuration file names tens of them.
pub const CONNECTIONS_PER_WORKER_MAX: usize = 256;
/// Grants that a worker holds or has not reported, as it announces them: many answers' worth, and
/// their keys still fit into one message.
pub const HELD_TASKS_MAX: usize = 4_096;
/// Outcomes in one report of a worker: its facts are one transaction, which others wait for.
pub const OUTCOMES_PER_REPORT_MAX: usize = 256;
/// Times in a row that a store may refuse a worker, or show it nothing, before the worker is held
/// back from that job (if others can go on), and set aside once another worker has succeeded where
/// it did not: one refusal may be the object's, three in a row hardly are.
pub const WORKER_DENIALS_MAX: u32 = 3;
/// How long a worker gets no task of a connection at which it failed where others did not: long
/// enough to cost little, short enough that a renewed credential is soon of use.
pub const WORKER_ASIDE: Duration = Duration::from_secs(300);
/// How long a sync waits for a worker that knows its connections: machines that are ordered when
/// a job is queued come within minutes.
pub const NO_WORKERS_WAIT: Duration = Duration::from_secs(600);

// Tasks and their attempts.

/// Bytes of a task of small objects: seconds of work, so that a lost task costs little and the
/// last ones spread over the workers.
pub const TASK_BYTES_MAX: u64 = 256 << 20;
/// Objects of a task: at tens of requests a second they take as long as the bytes do.
pub const TASK_OBJECTS_MAX: usize = 256;
/// Objects of at least this many bytes are tasks of their own: a quarter of a full task.
pub const LARGE_OBJECT_BYTES_MIN: u64 = 64 << 20;
/// Bytes of the longest object that a worker holds whole: its checksum goes before it.
pub const HELD_OBJECT_BYTES_MAX: u64 = 1 << 20;
/// Bytes of the longest object that is copied by one read and one write. A write that fails is
/// begun again, so a longer one costs more on a bad line.
pub const WHOLE_OBJECT_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a part of a longer object, but for the last part: stores take no less than 5 MiB, and
/// a large object needs many parts to fill a long line.
pub const PART_BYTES_MIN: u64 = 32 << 20;
/// Bytes of a part that a store copies by itself, but for the last part: a failure costs no line,
/// and stores copy several parts at once. They take no more than 5 GiB.
pub const COPIED_PART_BYTES_MIN: u64 = 256 << 20;
/// Copies that a worker runs at once between two stores before it knows them: enough for a store
/// next door.
pub const SLOTS_FIRST: u32 = 32;
/// Copies that a worker ever runs at once between two stores: at 160 ms for a small object they are
/// 3 000 objects a second, and their sockets and pieces in memory still fit one process.
pub const SLOTS_MAX: u32 = 512;
/// The slowest rate at which a body may flow: twice that below which our client gives a request up.
/// Stores drop a body that gets nothing for half a minute.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 128 << 10;
/// Bytes of an object that several workers share by its parts: below, one worker ends it within a
/// minute or two. A sixteenth of it is a task.
pub const GROUP_BYTES_MIN: u64 = 4 << 30;
/// Parts of one task of a shared object: their evidence fits into a report with many others.
pub const PARTS_PER_TASK_MAX: usize = 64;
/// Bytes by which a store names a part of an upload: an entity tag, with a checksum at the most.
pub const PART_ID_BYTES_MAX: usize = 256;
/// Bytes of a store's id of an upload: those of S3 and GCS have less than 200.
pub const UPLOAD_ID_BYTES_MAX: usize = 1 << 10;
/// Parts of one object: stores take 10 000.
pub const PARTS_MAX: u64 = 9_000;
/// Tasks of one sync: some 256 TiB of full tasks, in a few hundred megabytes of memory.
pub const TASKS_MAX: usize = 1 << 20;
/// Failures of a task before the sync fails: with their pauses more than a minute, for stores that
/// throttle that long.
pub const TASK_ATTEMPTS_MAX: u32 = 10;
/// Times that a task loses its worker, or its lease, before the sync fails: a task that kills its
/// workers ends, and a fleet of preemptible machines goes on.
pub const TASK_LOSSES_MAX: u32 = 12;
/// Bytes of a task a second, since it was granted, below which its worker is slow: a worker without
/// another task copies it, too. Any that works is faster: 256 objects of 4 KiB, one after another
/// by two requests of 80 ms each, are 25 KiB a second; smaller ones are over before the first look,
/// two heartbeats after the grant, if a few go at once. So is the least bandwidth that a worker may
/// be given, 128 KiB a second.
pub const TASK_RATE_MIN: u64 = 16 << 10;
/// Losses of parts of a shared object up to which they are taken back from a slow worker: on a line
/// that is slow for all, they must end somewhere.
pub const PARTS_TAKEN_BACK_MAX: u32 = 3;
/// The first pause after a failed attempt; it doubles, with jitter.
pub const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest pause after a failed attempt: as long as a lease.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Grants of one task that ended without a report and are remembered, so that a late report finds
/// its own: every failure, every loss and, twice because a task may have two leases, every round
/// that a task can have in one epoch.
pub const GRANTS_REMEMBERED_MAX: usize = 40;
/// Grants of one job that ended without a report and whose bytes a late report replaces: those that
/// a worker holds, for each of many workers that are lost.
pub const UNREPORTED_GRANTS_MAX: usize = 32 * HELD_TASKS_MAX;
/// Workers that a task remembers as denied: more opinions than its budget of failures allows are
/// never asked for.
pub const DENIED_BY_MAX: usize = 2 * TASK_ATTEMPTS_MAX as usize;
/// Tasks in one answer to a worker: an answer is some seconds of work, not the whole plan.
pub const GRANT_TASKS_MAX: usize = 64;
/// Objects in one answer to a worker, unless one task alone has more: three full tasks.
pub const GRANT_OBJECTS_MAX: usize = 3 * TASK_OBJECTS_MAX;
/// Ready tasks that are looked at for one that fits into the objects that are free: it bounds the
/// work of one grant, and is no less than the tasks of one answer.
pub const GRANT_CANDIDATES_MAX: usize = 64;
/// Encoded bytes of one object in a grant: two keys of 1 KiB and the numbers beside them.
pub const GRANT_OBJECT_BYTES_MAX: usize = 2_560;
/// Encoded bytes of the grants in one answer: half of a message.
pub const GRANT_BYTES_MAX: usize = 2 << 20;

// Jobs.

/// Syncs that are queued or under way: each holds its spec, up to [`SPEC_BYTES_MAX`].
pub const JOBS_LIVE_MAX: usize = 10_000;
/// Syncs that are over and still in memory, for clients that ask soon; the database has the rest.
pub const JOBS_ENDED_MAX: usize = 1_000;
/// Ended jobs that the database keeps: what their request ids and names still answer for. A row
/// is about as large as the job's spec, so these are some hundred megabytes at the worst.
pub const JOBS_KEPT_MAX: usize = 100_000;
/// How long the database keeps an ended job: one quarter, for those who ask what became of it.
pub const JOBS_KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Months for which the sums of what was sent are kept: two years, to compare one with the other,
/// and the month that runs.
pub const USAGE_MONTHS_KEPT: i32 = 25;
/// Times that publishing sends a sync back, because another sync of the same target won or objects
/// were gone: a sync that loses more often meets a fault that repetition does not heal.
pub const REBASES_MAX: u32 = 5;
/// Times that a sync is planned again because an object of the source is gone. One VACUUM costs
/// one; a source that loses objects faster than they are copied is not for a copy.
pub const VANISHED_PLANS_MAX: u32 = 3;
/// How long the reading of both logs may take, once it is its turn. A log of gigabytes over a
/// slow line takes minutes; a store that never ends an answer would hold its place for ever.
pub const PLAN_TIME_MAX: Duration = Duration::from_secs(1_800);
/// Folders above a new replica in which another table is looked for: one request each, and no lake
/// nests its tables deeper.
pub const FOLDERS_ABOVE_MAX: usize = 16;

// Evidence.

/// Evidence older than this is checked again before a publication, whatever the retention is: the
/// retention may have been shortened since.
pub const EVIDENCE_FRESH_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long the database keeps evidence of objects once its job has ended. It is trusted for half
/// of the target's retention, seven days by default; older evidence only saves a proof on targets
/// that keep longer.
pub const EVIDENCE_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Rows of evidence beyond which that of ended jobs goes before its time. A row takes some 460
/// bytes with its index: 2.3 GB in all. Live jobs keep theirs, whatever it takes.
pub const EVIDENCE_ROWS_MAX: usize = 5_000_000;
/// Bytes of an entity tag in a receipt; a store may use any length.
pub const ENTITY_TAG_BYTES_MAX: usize = 1 << 10;
/// Bytes of an entity tag that is kept; a longer one counts as none. Those of S3, Azure and GCS
/// have less than 64.
pub const ENTITY_TAG_BYTES_KEPT: usize = 128;

// The coordinator.

/// Events that the driver steps before it commits their facts: one transaction for all of them,
/// short enough that the first does not wait long.
pub const EVENTS_PER_BATCH_MAX: usize = 512;
/// How long the database keeps who asked for what.
pub const AUDIT_KEPT: Duration = Duration::from_secs(400 * 24 * 3_600);
/// Rows of that beyond which the oldest go before their time: some 200 MB.
pub const AUDIT_ROWS_MAX: usize = 1_000_000;
/// Refusals of a minute that are recorded one by one; the others of it are counted.
pub const AUDIT_REFUSALS_PER_MINUTE: u32 = 600;
/// Rows that one transaction of a purge deletes at the most: facts wait for it meanwhile.
pub const PURGE_ROWS_MAX: usize = 2_000;
/// How often the database is purged of what is too old.
pub const PURGE_INTERVAL: Duration = Duration::from_secs(60);
/// How often a coordinator tries whether its database takes a write and its loop a message: a write
/// of one page.
pub const READINESS_INTERVAL: Duration = Duration::from_secs(5);
/// How long that may take before the coordinator counts as not ready: a busy disk takes a second,
/// and a lease must not end before somebody is told.
pub const READINESS_WAIT_MAX: Duration = Duration::from_secs(5);
/// Requests for jobs that only the database knows, at once: each holds a call.
pub const RECALLS_MAX: usize = 256;
/// Streams that follow one job: some people and scripts, not every client of a coordinator.
pub const WATCHERS_PER_JOB_MAX: usize = 64;
/// Streams that follow jobs, in all: each holds a task and a connection's stream.
pub const WATCHERS_MAX: usize = 1_024;
/// Pages of jobs that are kept up to date at once: each holds a connection, and takes one of the
/// streams that follow jobs from programs.
pub const PAGE_STREAMS_MAX: usize = 128;
/// Streams that follow jobs of one principal: a quarter of all, so that nobody takes every place.
pub const WATCHERS_PER_PRINCIPAL_MAX: usize = 256;
/// Jobs of one principal that have not ended: a fifth of all, for the same reason.
pub const JOBS_LIVE_PER_PRINCIPAL_MAX: usize = 2_000;
/// Calls of one principal, where callers are known: scripts that list and submit make tens.
pub const CALLS_OF_ONE: CallRate = CallRate { burst: 500, per_second: 100 };
/// Calls of a fleet of workers that share a principal: a hundred of them, each with tens of reports
/// a second.
pub const CALLS_OF_A_FLEET: CallRate = CallRate { burst: 20_000, per_second: 4_000 };
/// Calls from one address that are refused for want of a credential: more are guesses.
pub const CALLS_OF_UNKNOWN: CallRate = CallRate { burst: 200, per_second: 20 };
/// Calls at once on one connection: a worker needs four, a client few and its watches.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// Plans for clients (not for jobs) that are made or wait at once: each holds a call.
pub const PLAN_CALLS_MAX: usize = 32;
/// Jobs or workers on one page: more are asked for by its token.
pub const PAGE_SIZE_MAX: usize = 1_000;
/// Encoded bytes of any gRPC message: gRPC's own default.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

// What a client may send.

/// Bytes of a table's URI: a key of 1 KiB with every byte escaped, and where it lies.
pub const URI_BYTES_MAX: usize = 4 << 10;
/// Bytes of a connection's name: it is typed by people.
pub const CONNECTION_NAME_BYTES_MAX: usize = 128;
/// Bytes of a predicate over partition columns: some hundred comparisons.
pub const PARTITION_FILTER_BYTES_MAX: usize = 16 << 10;
/// Table properties of one spec: several times as many as Delta defines.
pub const PROPERTIES_MAX: usize = 256;
/// Bytes of a table property's name: Delta's have less than 64, other tools add prefixes.
pub const PROPERTY_NAME_BYTES_MAX: usize = 256;
/// Bytes of a table property's value: a list of columns fits.
pub const PROPERTY_VALUE_BYTES_MAX: usize = 4 << 10;
/// Table features that one spec allows: more than twice as many as the protocol lists.
pub const ALLOWED_FEATURES_MAX: usize = 64;
/// Bytes of a table feature's name: the protocol's have less than 40.
pub const FEATURE_NAME_BYTES_MAX: usize = 128;
/// Bytes of a whole spec: it is kept with its job, live and ended.
pub const SPEC_BYTES_MAX: usize = 64 << 10;
/// Bytes of the message of a failed task; what is longer is cut: a key of 1 KiB may be in it.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Bytes of the message of any failure; what is longer is cut: it is for people.
pub const FAILURE_LINE_BYTES_MAX: usize = 8 << 10;
/// Bytes of a failure's message in a gRPC status. It stands in headers, twice and encoded, and many
/// clients take 16 KiB of those.
pub const STATUS_MESSAGE_BYTES_MAX: usize = 2 << 10;
/// Bytes of all details of a failure in a gRPC status, for the same reason; longer ones are cut.
pub const STATUS_DETAILS_BYTES_MAX: usize = 3 << 10;

// What is read of a table's log.

/// Bytes of a file of a log that is read whole: a commit, a checkpoint, a file of deletion vectors.
/// A table of some ten million files has a checkpoint of such a size.
pub const LOG_FILE_BYTES_MAX: u64 = 8 << 30;
/// Bytes of a commit from one line end to the next: the largest schemas have some MiB.
pub const LOG_LINE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a hint or of the figures of one version, which some writers let grow with the schema.
pub const SMALL_FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of all live files of a table: the sum must be a number that everybody can hold.
pub const TABLE_BYTES_MAX: u64 = i64::MAX as u64;

// What a file of replications may hold.

/// Replications of one coordinator: they are applied as a whole, in one message.
pub const REPLICATIONS_MAX: usize = 1_000;
/// Bytes of a replication's name: a label of a host name or a metric takes no more.
pub const REPLICATION_NAME_BYTES_MAX: usize = 63;
/// Replications from which one replication takes replicas: several that become one.
pub const TAKES_OVER_MAX: usize = 32;
/// Patterns of tables in one list: a thousand tables may be named one by one.
pub const TABLE_PATTERNS_MAX: usize = 1_000;
/// Bytes of a pattern of tables: as long as a key may be.
pub const TABLE_PATTERN_BYTES_MAX: usize = 1 << 10;
/// Windows of one replication, and entries of its timetable: several for each day of the week.
pub const WINDOWS_MAX: usize = 64;
/// Times of day in one schedule: one for each quarter of an hour.
pub const SCHEDULE_TIMES_MAX: usize = 96;
/// Labels of one replication: several times as many as a system of monitoring shows.
pub const LABELS_MAX: usize = 32;
/// Bytes of an owner, of a group, of a label's name and of its value.
pub const LABEL_BYTES_MAX: usize = 128;
/// Jobs of one replication at once: each is a plan in memory, and a plan has many tasks.
pub const JOBS_AT_ONCE_MAX: u32 = 64;
/// How often the source of a replication that follows its commits is asked at most.
pub const POLL_MIN: Duration = Duration::from_secs(1);
/// How long the source of a replication that follows its commits may be left alone.
pub const POLL_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long a replica is taken to be what it was when it was last looked at, while its source has
/// no new commit. A look at both sides takes four requests, two of them lists, which cost twelve
/// times a read; asking for the next commit takes one read. What somebody else does to a replica is
/// rare, and a verdict that is wrong for a quarter of an hour is no worse than the limits of lags
/// that people set.
pub const REPLICA_LOOK_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How long a job may go on after its window closed: longer is no window any more.
pub const CLOSE_GRACE_MAX: Duration = Duration::from_secs(24 * 3_600);

// Standing replications.

/// Rounds that move at once, of all replications: each probes and plans its tables.
pub const ROUNDS_MAX: usize = 64;
/// Rounds that move at once between two connections: more would only share the same line.
pub const ROUNDS_PER_PAIR_MAX: usize = 8;
/// How long nothing may be looked at: a clock that is set, or a machine that slept, is noticed by
/// then.
pub const STANDING_SLEEP_MAX: Duration = Duration::from_secs(600);
/// How late a slot may start and still be on time. Later ones were missed.
pub const SLOT_LATE_MAX: Duration = STANDING_SLEEP_MAX;
/// The pauses before a job or a probe is tried again within a round: most faults of stores end
/// within minutes, and the next slot tries again anyway.
pub const ROUND_RETRY_PAUSES: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(4 * 60), Duration::from_secs(16 * 60)];
/// Replicas that are compared or described for clients at once: as of audits.
pub const REPLICA_CALLS_MAX: usize = 4;
/// How long an audit or a vacuum may take before it counts as one of a store that hangs.
pub const UPKEEP_TIME_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// The whole, of which samples are parts in millionths.
pub const SAMPLE_MILLIONTHS_MAX: u32 = 1_000_000;
/// Audits and vacuums of replicas at once: each holds the live files of its table in memory, and
/// asks for sixteen objects at a time.
pub const UPKEEP_AT_ONCE_MAX: usize = 4;
/// The pauses before an audit or a vacuum that failed is tried again; the last one comes again and
/// again, for the next slot may be weeks away.
pub const UPKEEP_RETRY_PAUSES: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];
/// Receivers of alerts: each has a task of its own.
pub const WEBHOOKS_MAX: usize = 32;
/// Causes that a receiver is told of at one time; further ones are counted, and not told.
pub const ALERTS_PER_RECEIVER_MAX: usize = 1_000;
/// Tables that an alert names; it counts all.
pub const ALERT_TABLES_MAX: usize = 20;
/// Events of lineage that wait for their receiver; further ones are counted, and dropped. Schedules
/// may let every live job begin at one time.
pub const LINEAGE_EVENTS_WAITING_MAX: usize = 16_384;
/// Bytes of schemas in the events that wait; further events go without theirs.
pub const LINEAGE_SCHEMA_BYTES_WAITING_MAX: usize = 64 << 20;
/// Bytes of an event of lineage; a larger one goes without its schemas.
pub const LINEAGE_EVENT_BYTES_MAX: usize = 1 << 20;
/// Spans of traces that wait for their collector; further ones are counted, and dropped. They are
/// about 1 KiB each.
pub const SPANS_WAITING_MAX: usize = 8_192;
/// Spans that are sent at once.
pub const SPANS_PER_REQUEST_MAX: usize = 512;
/// Tasks of a job that are granted and not done, whose spans wait for their end; further ones have
/// none.
pub const SPANS_OPEN_PER_JOB_MAX: usize = 16_384;
/// Attempts that the span of a task tells of.
pub const SPAN_EVENTS_MAX: usize = 16;

const _: () = assert!(HEARTBEAT_INTERVAL.as_millis() * 3 <= LEASE_TTL.as_millis());
const _: () = assert!(ACQUIRE_WAIT_MAX.as_millis() < LEASE_TTL.as_millis());
const _: () = assert!(WORKER_ASIDE.as_millis() < NO_WORKERS_WAIT.as_millis());
const _: () = assert!(BACKOFF_MIN.as_millis() < BACKOFF_MAX.as_millis());
const _: () = assert!(BACKOFF_MAX.as_millis() <= NO_WORKERS_WAIT.as_millis());
const _: () = assert!(LARGE_OBJECT_BYTES_MIN <= TASK_BYTES_MAX);
// An object that shares its task with others may still be copied by parts.
const _: () = assert!(WHOLE_OBJECT_BYTES_MAX <= LARGE_OBJECT_BYTES_MIN);
const _: () = assert!(HELD_OBJECT_BYTES_MAX < WHOLE_OBJECT_BYTES_MAX);
const _: () = assert!(TASK_OBJECTS_MAX <= GRANT_OBJECTS_MAX);
// One answer of small objects keeps all slots busy.
const _: () = assert!(SLOTS_MAX as usize <= GRANT_OBJECTS_MAX);
const _: () = assert!(SLOTS_FIRST <= SLOTS_MAX);
const _: () = assert!(GRANT_TASKS_MAX <= GRANT_CANDIDATES_MAX);
const _: () = assert!(GRANT_TASKS_MAX <= HELD_TASKS_MAX);
const _: () = assert!(GRANT_OBJECTS_MAX * GRANT_OBJECT_BYTES_MAX <= GRANT_BYTES_MAX);
const _: () = assert!(GRANT_BYTES_MAX < MESSAGE_BYTES_MAX);
const _: () = assert!(PARTS_TAKEN_BACK_MAX < TASK_LOSSES_MAX);
const _: () = assert!(GROUP_BYTES_MIN / 16 == TASK_BYTES_MAX);
const _: () = assert!(PART_BYTES_MIN <= TASK_BYTES_MAX);
// The grant that ends a shared object names all of its parts, and is alone in its answer.
const _: () = assert!(PARTS_MAX * (PART_ID_BYTES_MAX as u64 + 64) < MESSAGE_BYTES_MAX as u64);
// So does a report that is full of tasks of parts of the usual size.
const _: () = assert!(
    OUTCOMES_PER_REPORT_MAX as u64
        * (TASK_BYTES_MAX / PART_BYTES_MIN * (PART_ID_BYTES_MAX as u64 + 64)
            + UPLOAD_ID_BYTES_MAX as u64
            + 256)
        < MESSAGE_BYTES_MAX as u64
);
// A worker's report and its announcements fit into a message: a key is some 70 bytes.
const _: () = assert!(HELD_TASKS_MAX * 128 < MESSAGE_BYTES_MAX);
const _: () = assert!(
    (TASK_ATTEMPTS_MAX + TASK_LOSSES_MAX + 2 * (REBASES_MAX + VANISHED_PLANS_MAX)) as usize
        <= GRANTS_REMEMBERED_MAX
);
const _: () = assert!(DENIED_BY_MAX >= TASK_ATTEMPTS_MAX as usize);
const _: () = assert!(JOBS_ENDED_MAX <= JOBS_KEPT_MAX);
const _: () = assert!(
    READINESS_INTERVAL.as_millis() + READINESS_WAIT_MAX.as_millis() < LEASE_TTL.as_millis()
);
// A job's row stays for as long as its evidence.
const _: () = assert!(EVIDENCE_KEPT.as_secs() <= JOBS_KEPT.as_secs());
const _: () = assert!(PURGE_ROWS_MAX < EVIDENCE_ROWS_MAX);
const _: () = assert!(WATCHERS_PER_JOB_MAX <= WATCHERS_MAX);
const _: () = assert!(WATCHERS_PER_PRINCIPAL_MAX <= WATCHERS_MAX / 4);
const _: () = assert!(JOBS_LIVE_PER_PRINCIPAL_MAX <= JOBS_LIVE_MAX / 5);
const _: () = assert!(LINEAGE_EVENTS_WAITING_MAX >= JOBS_LIVE_MAX + REPLICATIONS_MAX);
// Pages leave most streams to programs.
const _: () = assert!(PAGE_STREAMS_MAX <= WATCHERS_MAX / 4);
const _: () = assert!(PARTITION_FILTER_BYTES_MAX + 2 * URI_BYTES_MAX < SPEC_BYTES_MAX);
const _: () = assert!(ENTITY_TAG_BYTES_KEPT <= ENTITY_TAG_BYTES_MAX);
const _: () = assert!(POLL_MIN.as_millis() < POLL_MAX.as_millis());
const _: () = assert!(ROUNDS_PER_PAIR_MAX <= ROUNDS_MAX);
const _: () = assert!(STANDING_SLEEP_MAX.as_millis() <= SLOT_LATE_MAX.as_millis());
const _: () = assert!(EVIDENCE_FRESH_MAX.as_millis() < EVIDENCE_KEPT.as_millis());

/// The bounds that the machine is built with: the constants of the same names, or smaller ones in a
/// test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub heartbeat_interval: Duration,
    pub lease_ttl: Duration,
    pub task_attempts_max: u32,
    pub task_losses_max: u32,
    /// Bytes a second: [`TASK_RATE_MIN`].
    pub task_rate_min: u64,
    pub rebases_max: u32,
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    pub tasks_max: usize,
    pub task_objects_max: usize,
    /// `None`: no object is shared.
    pub group_bytes_min: Option<u64>,
    pub jobs_live_max: usize,
    pub jobs_ended_max: usize,
    pub workers_max: usize,
    pub vanished_plans_max: u32,
    pub worker_denials_max: u32,
    pub worker_aside: Duration,
    pub no_workers_wait: Duration,
    pub plan_time_max: Duration,
    pub grant_tasks_max: usize,
    pub grant_objects_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            heartbeat_interval: HEARTBEAT_INTERVAL,
            lease_ttl: LEASE_TTL,
            task_attempts_max: TASK_ATTEMPTS_MAX,
            task_losses_max: TASK_LOSSES_MAX,
            task_rate_min: TASK_RATE_MIN,
            rebases_max: REBASES_MAX,
            backoff_min: BACKOFF_MIN,
            backoff_max: BACKOFF_MAX,
            tasks_max: TASKS_MAX,
            task_objects_max: TASK_OBJECTS_MAX,
            group_bytes_min: Some(GROUP_BYTES_MIN),
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
