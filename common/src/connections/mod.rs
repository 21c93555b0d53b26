//! Connections: named, typed storage settings with a root URL and credentials, resolved on each
//! machine and never sent.
//!
//! Words: the *root* of a connection is its URL, and nothing outside it is touched (I10); its
//! *roles* are the sides that it may be used for; its *fingerprint* is equal on two machines that
//! mean one store.
//!
//! Flow: `deepclone.toml` → [`Connections::from_config`] → [`Connections::resolve`] (a table's URI)
//! → [`Connections::open`]; on a worker [`Connections::open_by`] with what the task names. The
//! command line adds [`Connections::with_ad_hoc`], the only reader of environment settings.
//!
//! Layout: `location` (a URI, taken apart) → `settings` (keys and values) → `live`, `command`,
//! `assumed_role`, `renewed`, `provided` (credentials that change) → `build`, `local` (the store),
//! `server_line` (the way to its server) → `connection` → `registry` (all of them) → `probe`
//! (targets are tried); `overlap` decides whether one table lies inside another, `flow_rules`
//! whether a table may go there, `one_store` whether a store may copy by itself, `place` where a
//! store is; `dataset` how other systems name a table.

mod assumed_role;
mod build;
mod command;
mod connection;
mod dataset;
mod error;
mod flow_rules;
mod live;
mod local;
mod location;
mod old_uploads;
mod one_store;
mod overlap;
mod place;
mod probe;
mod provided;
mod registry;
mod renewed;
mod resolved;
mod server_line;
mod settings;
mod side;
#[cfg(test)]
mod tests;

pub use crate::store::large::Writes;
pub use dataset::DatasetName;
pub use error::ConnectionError;
pub use flow_rules::FlowRule;
pub use location::absolute_uri;
pub use old_uploads::end_old_uploads;
pub use one_store::OneStore;
pub use registry::Connections;
pub use resolved::{Offer, Opened, Replaced, Resolved};
pub use side::Side;
