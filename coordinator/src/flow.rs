//! How fast something copies: the bytes that were told of in the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use deepclone_core::machine::Moment;

/// How far back a rate looks: long enough for some tasks, short enough for "now".
const SPAN: Duration = Duration::from_secs(60);
/// The least time between two samples: heartbeats may come each second.
const BETWEEN: Duration = Duration::from_secs(4);

/// How many bytes were copied at some moments of the last minute, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByteFlow(VecDeque<(Moment, u64)>);

impl ByteFlow {
    /// Notes how many bytes were copied in all, unless that was just noted.
    pub(crate) fn note(&mut self, bytes: u64, now: Moment) {
        match self.0.back() {
            Some((at, _)) if now < at.after(BETWEEN) => return,
            Some((at, _)) if at.after(SPAN) < now => self.0.clear(),
            _ => {}
        }
        self.0.push_back((now, bytes));
        // The newest one before the span stays: from there on the span is known.
        while self.0.get(1).is_some_and(|(at, _)| at.after(SPAN) <= now) {
            self.0.pop_front();
        }
    }

    /// Bytes a second between the samples. `None` when there are not two, or the newest one is
    /// older than a minute. A task that fails takes its bytes back: then the rate is 0.
    pub(crate) fn bytes_per_second(&self, now: Moment) -> Option<u64> {
        let ((first, before), (last, after)) = (self.0.front()?, self.0.back()?);
        let ms = last.0.saturating_sub(first.0);
        if ms == 0 || last.after(SPAN) < now {
            return None;
        }
        Some(after.saturating_sub(*before).saturating_mul(1_000) / ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_minute() {
        let at = |second: u64| Moment(second * 1_000);
        let every_five = |upto: u64, bytes: fn(u64) -> u64| {
            (0..=upto / 5).map(move |n| (n * 5, bytes(n * 5))).collect::<Vec<_>>()
        };
        for (samples, now, rate) in [
            (vec![], 0, None),
            (vec![(0, 7)], 1, None),
            (vec![(0, 0), (1, 900), (5, 500)], 5, Some(100)),
            (vec![(0, 500), (5, 400)], 5, Some(0)),
            (every_five(600, |second| second * 10), 600, Some(10)),
            // It copied for five minutes, and then nothing.
            (every_five(365, |second| second.min(300) * 10), 365, Some(0)),
            (every_five(330, |second| second.min(300) * 10), 330, Some(5)),
            (vec![(0, 0), (5, 500)], 66, None),
            // It was away.
            (vec![(0, 0), (5, 500), (600, 900)], 600, None),
            (vec![(0, 0), (5, 500), (600, 900), (605, 950)], 605, Some(10)),
        ] {
            let mut flow = ByteFlow::default();
            samples.iter().for_each(|&(second, bytes)| flow.note(bytes, at(second)));
            assert_eq!(flow.bytes_per_second(at(now)), rate, "{samples:?} {now}");
            assert!(flow.0.len() <= 16, "{} samples", flow.0.len());
        }
    }
}
