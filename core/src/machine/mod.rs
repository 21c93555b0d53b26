//! The life of a sync, as one deterministic machine.
//!
//! Events in, actions out: [`Machine::step`]. The three closed enums [`Event`], [`Action`] and
//! [`Fact`] are the vocabulary of the system. Time is an argument ([`Moment`]).
//!
//! The driver must keep these rules:
//!
//! * A job's id is never minted twice, nor submitted again once the job is forgotten here.
//! * It takes its turns by [`crate::turn`], which sends events and [`Event::DeadlineReached`] in
//!   their order, and one at [`Machine::next_deadline`] at the latest.
//! * Facts are durable before the actions of their turn leave.
//! * Every `Plan`, `PlanAgain` and `Publish` ends in one event, in bounded time.
//! * A request for tasks that a newer one of the same worker replaces is answered by the driver.
//!
//! The files, each after those that it uses:
//!
//! * `moment`, `event`, `action`, `fact`, `notice`, `violation`, `job_state`, `progress`, `view`:
//!   the words.
//! * `lookout`, `lease`, `retry`, `shown`, `attempts`, `task_names`, `tasks`, `job`, `worker`: the
//!   parts of the state.
//! * `fleet`, `copying_jobs`: all workers, and the jobs that are copied, with what a step asks of
//!   all.
//! * `state`: the whole state, the look-ups in it, and the one place that moves a task.
//! * `life`: a job is submitted, planned, copied, published, ended; `replan` plans it again.
//! * `share`: what each worker of a job may take of the job's limits.
//! * `grant`: who gets which task, and how leases are extended; `tail` gives slow tasks to a second
//!   worker.
//! * `groups`: the tasks of an object that several workers copy.
//! * `unreported`: what they may have read and do not report.
//! * `report`: what workers report; `deny` decides whether a worker that fails is believed.
//! * `membership`: workers come, leave, drain, are lost.
//! * `deadline`: what is due by time alone; `starve` ends jobs that no worker takes.
//! * `invariants`: what must hold after every step.
//! * `step`: one event is applied; `recover`: facts become a machine again.

mod action;
mod attempts;
mod copying_jobs;
mod deadline;
mod deny;
mod event;
mod fact;
mod fleet;
mod grant;
mod groups;
mod invariants;
mod job;
mod job_state;
mod lease;
mod life;
mod lookout;
mod membership;
mod moment;
mod notice;
mod progress;
mod recover;
mod replan;
mod report;
mod retry;
mod share;
mod shown;
mod starve;
mod state;
mod step;
mod tail;
mod task_names;
mod tasks;
#[cfg(test)]
mod tests;
mod unreported;
mod view;
mod violation;
mod worker;

pub use action::{Action, GrantedTask};
pub use event::{Event, HeldTask, Plan, PlanTask, PublishOutcome, Route, TaskOutcome};
pub use fact::{End, Fact};
pub use job_state::JobState;
pub use moment::Moment;
pub use notice::{Notice, TaskCounts};
pub use progress::Progress;
pub use state::Machine;
pub use view::{JobView, SetAside, WorkerState, WorkerView};
pub use violation::Violation;
