//! Dates and hours as people write them: which times a schedule names, when a window is open.
//!
//! * [`zone`]: the time zone that gives an hour its meaning.

pub mod zone;
