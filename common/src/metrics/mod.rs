//! Metrics: each is described once, where it is made, and that description is also the line of the
//! documentation.
//!
//! * [`catalog`]: makes metrics and keeps their descriptions.
//! * [`labelled`]: metrics with labels.
//! * [`buckets`]: the buckets of histograms.
//! * [`exposition`]: the text of `/metrics`, in the form that is asked for.
//! * [`process`]: what the operating system says of this process.
//!
//! A label's values are bounded by the code or by the configuration: never a path, a job or a
//! caller.

pub mod buckets;
pub mod catalog;
pub mod exposition;
pub mod labelled;
pub mod process;
