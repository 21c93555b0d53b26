//! Standing replications: what the scheduler of [`deepclone_core::standing`] decides is done here.
//!
//! Flow: a declared set ([`diff`]) → the scheduler says when a round begins → the sources are asked
//! ([`probe`], [`discover`]) → a job of the driver for each table that is behind ([`follow`],
//! [`news`]).
//!
//! * `engine`: the loop that owns the scheduler; [`message`]: what reaches it.
//! * `entry`: a replication and its tables; `order`: its declaration as the scheduler sees it.
//! * `shared_budgets`: the budgets of several replications; `money`: whether one can be kept.
//! * `apply`: a declared set → what is kept; [`diff`]: what that changes.
//! * [`survey`]: what lies at its sources and targets before; [`look`]: what that takes at most;
//!   [`estimate`]: how much it would copy; [`planned`]: all of that together.
//! * `owner`: whose the replicas are.
//! * `table_job`: the job for one table; `approval`: tables that are not copied unasked.
//! * `act`: what the scheduler asks for is done, and what comes of it goes back.
//! * `presence`: whether replicas, and the tables that they are of, are what they were.
//! * `table_look`: what was seen of a table is taken.
//! * `probe_costs`: what asking the sources takes.
//! * `rates`: the limit of a replication, divided among its jobs.
//! * [`current_names`]: what replications are called now, for what they sent.
//! * `kept`: what survives a restart; `rows`: that as rows of the state; [`damage`]: rows that
//!   cannot be read.
//! * `upkeep`: audits and vacuums of replicas; [`upkeep_kept`]: what is known of them.
//! * [`view`]: replications as others see them; `show` makes that.
//! * [`lag_summary`]: how far their tables are behind, counted; [`metrics`]: that at `/metrics`,
//!   with `upkeep_metrics`; `metric_definition`: what one is.
//! * [`audit_summary`]: what their audits found, counted.
//! * [`lag_history`]: the same over time; `sample` takes it.
//! * `lineage_rounds`: rounds as events of lineage.

mod act;
mod apply;
mod approval;
pub mod audit_summary;
pub mod current_names;
pub mod damage;
pub mod diff;
pub mod discover;
mod engine;
mod entry;
pub mod estimate;
pub mod follow;
mod kept;
pub mod lag_history;
pub mod lag_summary;
mod lineage_rounds;
pub mod look;
pub mod message;
mod metric_definition;
pub mod metrics;
mod money;
pub mod news;
mod order;
mod owner;
pub mod planned;
pub mod presence;
pub mod probe;
mod probe_costs;
mod rates;
mod rows;
mod sample;
mod shared_budgets;
mod show;
pub mod survey;
mod table_job;
mod table_look;
mod upkeep;
pub mod upkeep_kept;
mod upkeep_metrics;
pub mod view;

pub use engine::start;
