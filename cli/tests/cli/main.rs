//! The real binary, run as a user runs it.

mod errors;
mod evidence;
mod local;
mod support;
mod targets;
mod usage;
