//! Object stores as this workspace uses them: what each of its requests goes through.
//!
//! Layout, from a request down to the network:
//!
//! * [`counted`]: a store that counts what is asked of it (`store_counts`).
//! * [`table`]: a table's folder in a store, and the key of an object in it.
//! * [`requests`]: requests that the `object_store` crate does not offer.
//! * [`literal`]: reads of keys that it cannot name.
//! * [`signing`]: signs requests that were changed.
//! * [`retry`]: when a failed request is sent again; [`operation`]: what it asks for.
//! * [`error`]: what a store's error means.
//! * [`redact`]: removes secrets from a text.
//! * [`probe`]: what a target supports, tried before anything is copied to it.
//! * [`stored_checksum`]: the checksums that stores say of objects and of what they took.
//! * [`stall`]: when a request is given up.
//! * [`uploads`]: uploads that were opened and never ended; [`lifecycle`]: the bucket's rule for
//!   them. Both are requests for a bucket (`bucket_request`).
//! * [`server_clock`]: the stores' clocks beside ours.
//! * [`streaming`]: writes of bodies that flow and are never all in memory.
//! * [`large`]: writes of objects that are not held in memory.
//! * [`copying`]: parts and objects that a store copies by itself.
//! * [`client`]: the HTTP client below every store, with stall time-outs. It sends by
//!   `direct_client`, whose connections `connector` opens, or through a proxy by `http_client`,
//!   both with `system_tls`; `counts` counts its answers, `throttled` tells when a store has too
//!   many requests, `answer` reads those that failed, `listed_keys` cuts keys that it cannot name
//!   out of listings.

mod answer;
mod bucket_request;
pub mod client;
mod connector;
pub mod copying;
pub mod counted;
pub mod counts;
mod direct_client;
pub mod error;
mod flow_body;
mod http_client;
pub mod large;
pub mod lifecycle;
mod listed_keys;
pub mod literal;
pub mod operation;
pub mod probe;
pub mod redact;
pub mod requests;
pub mod retry;
pub mod server_clock;
pub mod signing;
mod stall;
mod store_counts;
pub mod stored_checksum;
pub mod streaming;
mod system_tls;
pub mod table;
mod throttled;
pub mod uploads;
mod uri;
pub(crate) mod xml;
