//! The decisions of Deepclone, pure: no IO, no clock, no randomness, no id minting (I1).
//!
//! # The ladder
//!
//! One word for each step from a request to a visible version, never mixed:
//!
//! ```text
//! CloneSpec → ChangeSet → TaskSpec → Grant → Lease → Receipt → Publication
//! ```
//!
//! A client asks with a [`CloneSpec`](spec::CloneSpec). The coordinator compares both tables, and
//! the difference is the change set (`deepclone-delta`). Its objects are packed into tasks, each a
//! [`TaskSpec`](task::TaskSpec). A [`Grant`](task::Grant) gives one task to one worker; inside the
//! machine a lease holds the grant in time, and heartbeats extend it. The worker's
//! [`Receipt`](receipt::Receipt) is the evidence that every object of the task is at the target.
//! When every task has its receipt, the publication makes the new state visible with one
//! conditional write.
//!
//! # The machine
//!
//! [`Machine`](machine::Machine) turns events into actions. The coordinator's driver owns it: it
//! makes the facts among the actions durable, does the others, and returns their ends as events.
//! Here is a whole sync of one task, without the driver:
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use deepclone_core::ids::{ConnectionKey, Epoch, JobId, PlanDigest, TargetKey, TaskFingerprint};
//! use deepclone_core::ids::WorkerId;
//! use deepclone_core::job_limits::JobLimits;
//! use deepclone_core::limits::Limits;
//! use deepclone_core::machine::{
//!     Action, Event, JobState, Machine, Moment, Plan, PlanTask, PublishOutcome, Route,
//!     TaskOutcome,
//! };
//! use deepclone_core::receipt::{ObjectReceipt, Proof, Receipt};
//! use deepclone_core::task::Capacity;
//!
//! let mut machine = Machine::new(Epoch(1), Limits::default());
//! let mut step = |event| {
//!     let mut actions = Vec::new();
//!     machine.step(Moment(1), event, &mut actions);
//!     actions
//! };
//! let job = JobId(uuid::Uuid::from_u128(1));
//! let worker = WorkerId::derive("w", b"1");
//! let (source, target) = (ConnectionKey([1; 32]), ConnectionKey([2; 32]));
//!
//! // A client submits a sync: the driver is to plan it.
//! let route = Route { source, target };
//! let target_key = TargetKey([3; 32]);
//! let limits = JobLimits::default();
//! let actions = step(Event::Submitted { job, target: target_key, route, spec: vec![], limits });
//! assert!(actions.contains(&Action::Plan { job }));
//!
//! // The plan has one task of one object.
//! let fingerprint = TaskFingerprint([4; 32]);
//! let task = PlanTask { fingerprint, bytes: 9, objects: 1, group: None };
//! let plan = Plan {
//!     digest: PlanDigest([5; 32]),
//!     source_version: 7,
//!     replica_version: None,
//!     source_is_newest: true,
//!     tasks: vec![task],
//! };
//! step(Event::Planned { job, plan });
//!
//! // A worker that has both connections registers, asks, and gets the task.
//! step(Event::WorkerRegistered {
//!     worker,
//!     readable: BTreeSet::from([source]),
//!     writable: BTreeSet::from([target]),
//!     held: vec![],
//! });
//! let capacity = Capacity { bytes: 1 << 20, objects: 100 };
//! let actions = step(Event::TasksWanted { worker, capacity, deadline: Moment(20_000) });
//! let [Action::Grant { tasks, .. }, ..] = &actions[..] else { panic!("{actions:?}") };
//! let key = tasks[0].key;
//!
//! // Its receipt shows every object: the driver is to publish.
//! let object = ObjectReceipt {
//!     size: 9,
//!     crc64nvme: 1,
//!     source_etag: String::new(),
//!     target_etag: String::new(),
//!     existed: false,
//!     proof: Proof::StoredChecksum,
//! };
//! let receipt = Receipt { objects: vec![object], ..Receipt::default() };
//! let actions =
//!     step(Event::Reported { worker, outcomes: vec![(key, TaskOutcome::Done(receipt))] });
//! assert!(actions.contains(&Action::Publish { job }));
//!
//! // The commit landed: the job is over.
//! step(Event::PublishEnded { job, outcome: PublishOutcome::Published { version: 0 } });
//! assert_eq!(machine.job_state(job), Some(JobState::Succeeded));
//! ```
//!
//! # Layout, in pipeline order
//!
//! * [`spec`]: what a client asks for.
//! * [`ids`]: newtypes for every id; none is minted here.
//! * [`shard`]: objects packed into tasks, and the names (fingerprints) of tasks.
//! * [`copy_plan`]: whether an object is copied whole or by parts, and by how many requests.
//! * [`concurrency`]: how many copies run at once between two stores.
//! * [`job_limits`]: what a job may take, and the share of each of its workers.
//! * [`task`]: a task as a worker gets it, and its grant.
//! * [`evidence`]: what proves that the target holds an object, and for how long.
//! * [`receipt`]: the worker's evidence for a task, or the kind of its failure.
//! * [`machine`]: the life of a sync.
//! * [`turn`]: one turn of the driver: the order of events, timers, facts and actions.
//! * [`reason`]: the one table reason → exit code → gRPC code.
//! * [`failure`]: an error as it leaves the system: reason, one line, details.
//! * [`limits`]: every bound, with their relations asserted.
//!
//! Beside the ladder, for those who ask:
//!
//! * [`access`]: roles, what calls need, and the places that a principal may read and write.
//! * [`trace`]: the names of what a trace of a sync shows.
//!
//! And for replicas that are kept:
//!
//! * [`alert`]: which alerts a receiver is told, and when.
//! * [`budget`]: what may be spent in a month, and what is.
//! * [`calendar`]: schedules, windows and months, in a time zone.
//! * [`money`]: amounts of a currency.
//! * [`ownership`]: which replication a replica belongs to.
//! * [`price`]: what a copy costs by list prices.
//! * [`replication`]: what a user declares, and every mistake in it.
//! * [`readiness`]: how far replicas are behind, and whether a group can be relied on.
//! * [`standing`]: when each replication begins a round, and what a round does.
//! * [`unix_time`]: wall-clock time.

pub mod access;
pub mod alert;
pub mod budget;
pub mod calendar;
pub mod concurrency;
pub mod copy_plan;
pub mod evidence;
pub mod failure;
pub mod group;
pub mod ids;
pub mod job_limits;
pub mod limits;
pub mod machine;
pub mod money;
pub mod ownership;
pub mod price;
pub mod readiness;
pub mod reason;
pub mod receipt;
pub mod replication;
pub mod shard;
pub mod spec;
pub mod standing;
pub mod task;
pub mod trace;
pub mod turn;
pub mod unix_time;
pub mod visible;
