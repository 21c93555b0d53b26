//! The real binary, run as a user runs it.

mod admin;
mod doctor;
mod empty_segments;
mod errors;
mod evidence;
mod local;
mod replications;
mod support;
mod targets;
mod usage;
