//! Who may call what: one layer in front of every service, and the checks of what a call concerns.
//!
//! * [`calls`]: the one table call → what it needs.
//! * [`observe`]: gives each call an id and a span of the log, and counts it.
//! * [`layer`]: finds out who calls, and refuses those who may not.
//! * [`audit`]: the record of changes and refusals.
//! * [`caller`]: the same for services: which tables and connections a caller may name.
//! * [`quota`]: how much one caller may ask for.
//! * [`worker_owners`]: a worker's calls are its own.

pub mod audit;
pub mod caller;
pub mod calls;
pub mod layer;
pub mod observe;
pub mod quota;
pub mod worker_owners;
