//! The most bytes per second, by the hour.

use crate::calendar::windows::Windows;
use crate::unix_time::UnixTime;

/// A limit at some hours.
#[derive(Clone, Debug, PartialEq)]
pub struct BandwidthLimit {
    /// Open at those hours.
    pub hours: Windows,
    pub bytes_per_second: u64,
}

/// All limits of a replication; none at all when there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BandwidthTimetable {
    pub limits: Vec<BandwidthLimit>,
}

/// What the timetable says at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateState {
    /// `None`: as many as there can be.
    pub bytes_per_second: Option<u64>,
    /// When the state of an entry changes next, so that it is time to ask again. `None`: not within
    /// the horizon of windows.
    pub until: Option<UnixTime>,
}

impl BandwidthTimetable {
    /// The lowest limit of the hours that include `time`.
    #[must_use]
    pub fn at(&self, time: UnixTime) -> RateState {
        let states = self.limits.iter().map(|limit| (limit.hours.at(time), limit.bytes_per_second));
        let rates = states.clone().filter(|(state, _)| state.is_open).map(|(_, rate)| rate);
        RateState {
            bytes_per_second: rates.min(),
            until: states.filter_map(|(state, _)| state.until).min(),
        }
    }
}
