//! The longest time between two starts is that of a plain list of all starts.

use std::time::Duration;

use deepclone_core::calendar::days::Days;
use deepclone_core::calendar::feasible::{FeasibilityError, refuse_impossible};
use deepclone_core::calendar::schedule::Schedule;
use deepclone_core::calendar::windows::Windows;
use deepclone_core::unix_time::UnixTime;
use proptest::prelude::*;

use crate::clocks::{DAY_MS, ZONES, cases, time, zone};
use crate::windows::{lines, window};

fn schedules() -> impl Strategy<Value = Schedule> {
    let every = (20 * 60..100 * 60_u64)
        .prop_map(|minutes| Schedule::every(Duration::from_secs(minutes * 60)).unwrap());
    let at = proptest::sample::select(&ZONES[..]).prop_map(|name| {
        Schedule::at(&["02:15", "14:00", "23:50"], Days::ALL, zone(name)).unwrap()
    });
    prop_oneof![every, at]
}

/// When work starts that is due from `from` until `until`, in order.
fn starts(
    schedule: &Schedule,
    windows: &Windows,
    delay: Duration,
    (from, until): (UnixTime, UnixTime),
) -> Vec<UnixTime> {
    let first = schedule.next_after(UnixTime(from.0 - 1).before(delay));
    std::iter::successors(first, |slot| schedule.next_after(*slot))
        .map(|slot| slot.after(delay))
        .take_while(|due| *due < until)
        .filter_map(|due| {
            let state = windows.at(due);
            if state.is_open { Some(due) } else { state.until }
        })
        .filter(|start| *start < until)
        .collect()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn the_longest_gap_is_found(
        schedule in schedules(),
        lines in lines(),
        delay in 0..90_u64,
        lag in 1..100_u64,
        ms in 0..DAY_MS,
    ) {
        let windows = Windows::new(lines.iter().map(window).collect());
        let delay = Duration::from_secs(delay * 60);
        let max_lag = Duration::from_secs(lag * 60 * 60);
        let from = UnixTime(time("2026-01-01T00:00Z").0 + ms);
        let until = UnixTime(from.0 + 400 * DAY_MS);
        let mut all = starts(&schedule, &windows, delay, (from, until));
        let found = refuse_impossible(&schedule, &windows, delay, max_lag, from);
        if all.is_empty() {
            prop_assert_eq!(found, Err(FeasibilityError::NeverStarts { from, until }));
            return Ok(());
        }
        all.insert(0, from);
        all.push(until);
        let longest = all.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
        match found {
            Ok(()) => prop_assert!(longest <= max_lag, "{longest:?}"),
            Err(FeasibilityError::TooFarApart { gap, .. }) => {
                prop_assert_eq!(gap.length(), longest);
                prop_assert!(longest > max_lag);
                prop_assert!(all.contains(&gap.from) && all.contains(&gap.to), "{gap:?}");
            }
            Err(never) => prop_assert!(false, "{never}"),
        }
    }
}
