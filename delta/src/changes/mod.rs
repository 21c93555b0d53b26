//! What a sync must do: the difference between the source's live files and the replica's.
//!
//! Words: R is the live map of the replica's head, S that of the source at the version wanted, both
//! keyed by logical file.
//!
//! Flow: [`plan_sync`] reads what our last sync knew and plans by the newer commits alone
//! (`incremental`). Where that cannot be, it lists both logs; when the replica's head is ours and
//! records this very source commit, there is nothing to do (`up_to_date`). Else both tables are
//! read and compared (`build`): files (`difference`), objects to copy (`objects`), protocol and
//! metadata (`table`), domains and transactions (`state`). A `repair` asks for the version that the
//! replica has, and for what of it is damaged.

mod build;
mod cleaned;
mod difference;
mod equality;
mod first;
mod identity_marks;
mod incremental;
mod metadata;
mod objects;
mod plan;
mod repair;
mod since;
mod state;
mod sync_plan;
mod table;
mod up_to_date;
mod within;

pub use crate::change_set::ChangeSet;
pub use crate::names::NearNames;
pub use crate::replica::CloneMetrics;
pub(crate) use equality::same_fields;
pub(crate) use identity_marks::further as further_marks;
pub(crate) use metadata::AskedProperties;
pub use plan::{plan_sync, plan_sync_within};
pub use repair::restore_hint;
pub use sync_plan::{PublishedAlready, SourceFigures, SyncPlan, UpToDate};
pub use within::Within;
pub(crate) use within::commit_bytes;
