//! Schedules and windows over years of simulated time, in zones that set their clocks in different
//! ways, against plain searches that only ask what a clock shows.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod clocks;
mod feasible;
mod once_a_date;
mod schedules;
mod windows;
