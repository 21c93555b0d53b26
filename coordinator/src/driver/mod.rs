//! The one loop that owns the machine: messages in, facts durable, then everything else (I4).
//!
//! Flow of a turn: wait → up to 512 messages become events → one turn of the machine
//! ([`deepclone_core::turn`]) → its facts in one transaction → its actions released, the requests
//! answered. Slow work is spawned and comes back as a message. Every decision is the machine's.
//!
//! * [`message`]: what reaches the driver, and [`Handle`], which brings it.
//! * [`snapshot`]: jobs and workers as others see them.
//! * [`job_query`], [`job_list`]: which jobs are listed, also those that only the database knows.
//! * `job_table`, `worker_table`: what is known of them beside the machine; `watchers` follow jobs.
//! * `owner`: the driver itself.
//! * `take`: messages → events; `report` checks what workers say.
//! * `run`: the loop and the end of a turn.
//! * `release`: actions → effects and answers to workers; `answer`: answers to the others.
//! * `recall`: jobs that only the database knows.
//! * `refusal`: why a request is refused.
//! * `journal`: facts → the lines of the log; `story`: what it tells besides them.
//! * `observe`: facts → events of lineage, and alerts about single syncs.
//! * `traced`: facts, grants and reports → traces.
//! * `purge`: drops what the database needs no more.

mod answer;
mod handle;
pub mod job_list;
pub mod job_query;
mod job_table;
mod journal;
pub mod message;
mod observe;
mod owner;
mod purge;
mod recall;
mod refusal;
mod release;
mod report;
mod run;
pub mod snapshot;
mod story;
mod take;
mod traced;
mod watchers;
mod worker_table;

pub use handle::Handle;
pub(crate) use refusal::unknown_worker;
pub use run::start;
