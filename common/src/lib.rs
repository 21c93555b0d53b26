//! Process plumbing, no decisions.
//!
//! Layout:
//!
//! * [`table_store`]: a table's folder in an object store.

pub mod table_store;
