//! Dates and hours as people write them: which times a schedule names, when a window is open.
//!
//! * [`zone`]: the time zone that gives an hour its meaning.
//! * `clock`: what the clocks of a zone show, and when they show it.
//! * [`time_of_day`]: hours and minutes as people write them.
//! * [`days`]: days of the week as people write them.
//! * [`pattern`]: the times that a schedule names, on a clock that nobody sets.
//! * [`schedule`]: when a replication is due.
//! * [`gaps`]: the longest time between two starts.
//! * [`window`]: hours that allow or deny copying.
//! * [`windows`]: all windows together: whether copying is allowed, and until when.
//! * [`feasible`]: whether schedule and windows can keep the lag that is asked for.

mod clock;
pub mod days;
pub mod feasible;
pub mod gaps;
pub mod pattern;
pub mod schedule;
pub mod time_of_day;
pub mod window;
pub mod windows;
pub mod zone;
