//! Deletes from a replica what no reader within its own retention needs.
//!
//! Words: the *retention* is how long versions stay readable after a newer one replaced them
//! (`delta.deletedFileRetentionDuration`); an object is *needed* while a version within it reads
//! the object; an *unreferenced* object is one that no commit names.
//!
//! Flow: the newest state and what is named since the oldest version within the retention
//! ([`state`]) → one listing, of which each object is judged ([`rules`]) → batches, each after
//! another look at the log and at the ledgers of syncs that are about to commit ([`notice`]). The
//! log is never written; where that is asked for, its old files go as well ([`log_files`]).
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#vacuum-protocol-check>

mod log_files;
mod notice;
mod options;
mod ours;
mod references;
mod rules;
mod run;
pub(crate) mod state;

pub use notice::wait_for_batch;
pub use options::{VacuumOptions, VacuumReport, VacuumedObject};
pub(crate) use ours::is_temporary;
pub use references::{Referenced, References};
pub(crate) use rules::nested_table;
pub use rules::{
    DeletedKind, KeptBecause, ListedObject, ObjectFate, UNREFERENCED_KEPT_MIN, VacuumAges,
    VacuumRules,
};
pub use run::vacuum;
