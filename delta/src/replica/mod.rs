//! What a target's log says of us: whose replica it is, and where our last sync is.
//!
//! Words: a *record* is what a sync of ours left in its commit's `commitInfo`; a *marker* is the
//! pair of `txn` actions that carries the same through checkpoints; the *hint* is a file beside the
//! log that tells it a third time. *Lineage* is the source's id at the first sync, *scope* the hash
//! of what part of the source is kept.
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

pub(crate) use head::{
    LastSync, diverged, is_harmless, last_sync, operation, record_of, refuse_or_note,
};
pub(crate) use marker::{Marker, is_ours, marker_txns};
pub use metrics::CloneMetrics;
pub(crate) use metrics::texts as metrics_texts;
pub use record::{RecordBody, SyncRecord};
pub(crate) use source::refuse_other_source;
