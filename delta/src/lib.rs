//! The Delta log as data.
//!
//! Layout, in pipeline order:
//!
//! * [`actions`]: the actions of a log, without loss.

pub mod actions;
