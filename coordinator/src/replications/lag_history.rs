//! How far a replication was behind in the last days: samples, bounded in number, that are kept
//! over a restart.
//!
//! A sample is the age of the oldest commit that one of the tables lacked, or says that this was
//! not known. There is one each five minutes and one at the end of a round, unless another was
//! just taken. They are kept in blocks of six hours, each a row of the state.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use deepclone_core::unix_time::UnixTime;

/// How long samples are kept.
pub const LAG_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The time between two samples.
pub const LAG_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The least time between a sample and one at the end of a round: rounds may end each second, and
/// with this there are no more than twice as many samples as without them.
const ROUND_INTERVAL: Duration = Duration::from_secs(150);
/// Seconds of a block: a row of it has some kilobytes, and is written again with each sample.
const BLOCK_SECONDS: u32 = 6 * 60 * 60;
/// Stands for an age that was not known.
const UNKNOWN: u32 = u32::MAX;

/// How far a replication was behind at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagSample {
    pub at: UnixTime,
    /// `None`: it was not known.
    pub lag: Option<Duration>,
}

/// Why a sample is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagOccasion {
    /// The newest one is old enough.
    Time,
    /// Tables were just synced: the lag is at its least.
    RoundEnd,
}

/// The samples of one replication, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LagHistory(VecDeque<PackedSample>);

/// Seconds since 1970, and of the lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PackedSample {
    at: u32,
    lag: u32,
}

/// A block of samples as it is kept: seconds since 1970, and of the lag where it was known.
pub type LagBlock = Vec<(u32, Option<u32>)>;

/// The blocks that a new sample changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LagChange {
    /// The block that has the new one.
    pub changed: Option<u32>,
    /// Blocks of which no sample is left.
    pub gone: BTreeSet<u32>,
}

impl LagHistory {
    /// The samples of blocks that were kept, in any order.
    #[must_use]
    pub fn of_blocks(blocks: impl IntoIterator<Item = LagBlock>) -> Self {
        let packed =
            |(at, lag): (u32, Option<u32>)| PackedSample { at, lag: lag.unwrap_or(UNKNOWN) };
        let mut samples: Vec<PackedSample> = blocks.into_iter().flatten().map(packed).collect();
        samples.sort_unstable();
        samples.dedup_by_key(|sample| sample.at);
        Self(samples.into())
    }

    /// Whether a sample is to be taken.
    #[must_use]
    pub fn is_due(&self, now: UnixTime, occasion: LagOccasion) -> bool {
        let between = match occasion {
            LagOccasion::Time => LAG_INTERVAL,
            LagOccasion::RoundEnd => ROUND_INTERVAL,
        };
        self.0.back().is_none_or(|last| {
            let last = last.sample().at;
            // The clock may have been set back.
            last > now || last.after(between) <= now
        })
    }

    /// Takes a sample. Those that are too old are dropped, and those from a time that has not come:
    /// the clock was set back.
    pub fn note(&mut self, sample: LagSample) -> LagChange {
        let packed = PackedSample::of(sample);
        let oldest = PackedSample::of(LagSample { at: sample.at.before(LAG_KEPT), lag: None });
        let mut dropped = BTreeSet::new();
        while let Some(last) = self.0.pop_back_if(|last| last.at >= packed.at) {
            dropped.insert(last.block());
        }
        while let Some(first) = self.0.pop_front_if(|first| first.at < oldest.at) {
            dropped.insert(first.block());
        }
        self.0.push_back(packed);
        let left: BTreeSet<u32> = self.0.iter().map(|sample| sample.block()).collect();
        LagChange { changed: Some(packed.block()), gone: &dropped - &left }
    }

    /// The samples of a block, as they are kept.
    #[must_use]
    pub fn block(&self, block: u32) -> LagBlock {
        let of_block = self.0.iter().filter(|sample| sample.block() == block);
        of_block.map(|sample| (sample.at, sample.seconds())).collect()
    }

    /// The samples from a time on, the oldest first.
    pub fn since(&self, from: UnixTime) -> impl Iterator<Item = LagSample> {
        self.0.iter().map(|sample| sample.sample()).filter(move |sample| sample.at >= from)
    }
}

impl PackedSample {
    fn of(sample: LagSample) -> Self {
        let at = u32::try_from(sample.at.0 / 1_000).unwrap_or(0);
        let seconds = |lag: Duration| u32::try_from(lag.as_secs()).unwrap_or(UNKNOWN - 1);
        Self { at, lag: sample.lag.map_or(UNKNOWN, |lag| seconds(lag).min(UNKNOWN - 1)) }
    }

    fn block(self) -> u32 {
        self.at / BLOCK_SECONDS
    }

    fn seconds(self) -> Option<u32> {
        Some(self.lag).filter(|lag| *lag != UNKNOWN)
    }

    fn sample(self) -> LagSample {
        let lag = self.seconds().map(|lag| Duration::from_secs(lag.into()));
        LagSample { at: UnixTime(i64::from(self.at) * 1_000), lag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-26T12:00Z, at the beginning of a block.
    const NOON: UnixTime = UnixTime(1_795_694_400_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn sample(at: UnixTime, lag: Option<u64>) -> LagSample {
        LagSample { at, lag: lag.map(Duration::from_secs) }
    }

    fn with(minutes: impl IntoIterator<Item = i64>) -> LagHistory {
        let mut history = LagHistory::default();
        for minute in minutes {
            history.note(sample(UnixTime(NOON.0 + minute * 60_000), Some(7)));
        }
        history
    }

    #[test]
    fn samples_come_each_five_minutes_and_at_the_ends_of_rounds() {
        use LagOccasion::{RoundEnd, Time};
        for (last, seconds, occasion, is_due) in [
            (None, 0, Time, true),
            (Some(0), 299, Time, false),
            (Some(0), 300, Time, true),
            (Some(0), 149, RoundEnd, false),
            (Some(0), 150, RoundEnd, true),
            // The clock was set back by an hour.
            (Some(60), 0, Time, true),
        ] {
            let now = UnixTime(NOON.0 + seconds * 1_000);
            assert_eq!(with(last).is_due(now, occasion), is_due, "{last:?} {seconds} {occasion:?}");
        }
    }

    #[test]
    fn a_week_is_kept_and_what_is_older_leaves_its_rows() {
        let minutes = 8 * 24 * 60;
        let mut history = LagHistory::default();
        let mut rows = BTreeSet::new();
        for minute in (0..=minutes).step_by(5) {
            let change = history.note(sample(UnixTime(NOON.0 + minute * 60_000), Some(7)));
            rows.extend(change.changed);
            rows.retain(|row| !change.gone.contains(row));
        }
        assert_eq!(history.0.len(), 7 * 24 * 12 + 1);
        assert_eq!(rows.len(), 7 * 4 + 1, "{rows:?}");
        let newest = history.block(*rows.last().unwrap());
        assert_eq!(newest, [(1_795_694_400 + 8 * 24 * 3_600, Some(7))]);
        assert_eq!(history.since(NOON).count(), history.0.len());
        let last = UnixTime(NOON.0 + minutes * 60_000);
        assert_eq!(history.since(last).collect::<Vec<_>>(), [sample(last, Some(7))]);
        // Read again, in another order, it is the same.
        let blocks = rows.iter().rev().map(|row| history.block(*row));
        assert_eq!(LagHistory::of_blocks(blocks), history);
    }

    #[test]
    fn unknown_is_no_number_and_what_has_not_come_is_dropped() {
        let mut history = with([0, 10, 700]);
        let back = NOON.after(9 * MINUTE);
        let change = history.note(sample(back, None));
        let block = u32::try_from(NOON.0 / 1_000).unwrap() / BLOCK_SECONDS;
        assert_eq!(change, LagChange { changed: Some(block), gone: [block + 1].into() });
        let found: Vec<_> = history.since(UnixTime(0)).collect();
        assert_eq!(found, [sample(NOON, Some(7)), sample(back, None)]);
        assert_eq!(history.block(block)[1], (1_795_694_940, None));
        history.note(sample(back.after(MINUTE), Some(u64::MAX)));
        assert_eq!(history.since(back.after(MINUTE)).count(), 1);
        assert!(history.since(back.after(MINUTE)).all(|sample| sample.lag.is_some()));
    }
}
