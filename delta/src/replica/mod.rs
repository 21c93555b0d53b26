//! What a target's log records about us: whose replica it is, and where our last sync is.
//!
//! Words: a *record* is the object that a sync of ours leaves in its commit's `commitInfo`; a
//! *marker* is the pair of `txn` actions that survives in checkpoints; the *hint* is a file beside
//! the log. *Lineage* is the source's table id at the first sync, *scope* the hash of which part of
//! the source is kept.
//!
//! Flow: the target's newest state → [`last_sync`] (marker, else record, else hint) →
//! [`refuse_other_source`], and the part of the source that is compared ([`part`]).

mod head;
pub(crate) mod hint;
pub(crate) mod identity;
mod marker;
mod metrics;
pub(crate) mod part;
mod record;
mod source;
pub(crate) mod synced;

pub(crate) use head::{
    LastSync, diverged, is_harmless, last_sync, operation, record_at, record_of, refuse_or_note,
};
pub(crate) use marker::{Marker, is_ours, marker_txns};
pub use metrics::CloneMetrics;
pub(crate) use metrics::texts as metrics_texts;
pub use record::{RecordBody, SyncRecord};
pub(crate) use source::refuse_other_source;
