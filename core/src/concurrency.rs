//! How many objects and parts are copied at once between two stores.
//!
//! No number fits every line: a store next door is busy with 32 copies, one 80 ms away needs
//! hundreds, and one that counts requests refuses what is above its rate. A [`Tuner`] starts at
//! [`SLOTS_FIRST`] and learns from each [`TunerSample`], or from the sum of those of an interval
//! of [`INTERVAL_MS`]:
//!
//! * *Growing*: the slots double while that pays, which each sample may show: a run of some
//!   thousands of small objects is over in a second. When it does not pay, they go back and are
//!   kept. As long as hardly an answer has come, they double in each interval up to a bound: the
//!   stores are far away. For small objects, whose number is what counts, each sample shows that.
//! * *Settled*: now and then a few slots more and a few less are tried, in turn. If more pay, the
//!   slots grow again; if fewer do as well, they stay fewer.
//! * *Yielding*: when the store refuses requests, the slots are cut once. After the requests under
//!   way have ended, they return to just below the number that was refused, and creep up again.
//!
//! Only intervals in which copies wait for a slot say anything about the number of slots, so the
//! others change nothing, but for refusals.

#[cfg(test)]
mod link;
#[cfg(test)]
mod tests;

use crate::limits::{HELD_OBJECT_BYTES_MAX, SLOTS_FIRST, SLOTS_MAX};

/// The work of one copy besides its bytes: what a connection moves in the time of its requests,
/// some 80 ms at 13 MB/s. A core moves about as much in the time that a small object takes it.
const COPY_WORK: u64 = 1 << 20;
/// Fewer bytes than this for each slot, when the first copies have begun, tell of stores that are
/// far away.
const FAR_BYTES: u64 = 4 << 10;
/// The slots that far stores get without being asked.
const FAR_SLOTS_MAX: u32 = 4 * SLOTS_FIRST;
/// Length of an interval, by which whatever does not grow is judged.
const INTERVAL_MS: u64 = 100;
/// The least time over which a doubling is measured: in less, chance is large.
const MEASURED_MS_MIN: u64 = 60;
/// Samples after which a doubling may be judged not to pay, once each slot has made two copies.
const DOUBLING_SAMPLES_MIN: u32 = 3;
/// Time after which a trial is judged in any case.
const TRIAL_MS: u64 = 10 * INTERVAL_MS;
/// Intervals between two trials of a few slots more or less: about five seconds.
const SETTLED_INTERVALS: u32 = 50;
/// Refusals that tell of a store which is too busy: a few can be chance.
const REFUSALS_MIN: u64 = 4;
/// A busy store refuses one of so many requests, or more. Less is a fault, which fewer copies would
/// not heal.
const REQUESTS_PER_REFUSAL: u64 = 20;
/// Intervals over which refusals are counted.
const REFUSAL_INTERVALS: u32 = 10;
/// Intervals after a cut in which refusals are answers to earlier requests.
const DRAIN_INTERVALS: u32 = 2;
/// Intervals after which the slots return to just below what was refused.
const RETURN_INTERVALS: u32 = 5;
/// Intervals between two steps up while yielding.
const STEP_INTERVALS: u32 = 10;

/// What happened on a route since the last sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunerSample {
    /// How long that was.
    pub elapsed_ms: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes of the objects and parts whose copy began.
    pub begun_bytes: u64,
    /// Objects and parts whose copy ended well.
    pub copies: u64,
    /// The most slots that were in use at one moment.
    pub slots_used: u32,
    /// True if copies wait for a slot now.
    pub is_waiting: bool,
    /// Requests that were sent.
    pub requests: u64,
    /// Requests that were throttled, or not answered in time.
    pub refusals: u64,
}

/// Finds the number of slots of one route.
#[derive(Clone, Debug)]
pub struct Tuner {
    slots: u32,
    slots_max: u32,
    stage: Stage,
    /// Work per second at the settled number of slots, averaged over the last intervals.
    rate: u64,
    /// What was seen until the first bytes came.
    opening: TunerSample,
    is_answered: bool,
    /// What was seen of the interval that has not ended.
    interval: TunerSample,
    refusals: Refusals,
    /// True if the next small trial is of more slots.
    tries_more: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Growing(Trial),
    Settled {
        intervals_left: u32,
    },
    /// A few slots more or less.
    Trying(Trial),
    /// The store refused requests at `ceiling` slots.
    Yielding {
        ceiling: u32,
        intervals: u32,
    },
}

/// A number of slots that is compared with the one before.
#[derive(Clone, Debug)]
struct Trial {
    slots_before: u32,
    rate_before: u64,
    /// Time that is not measured after the change: copies that began before it end in it.
    skipped_ms: u64,
    samples: u32,
    elapsed_ms: u64,
    work: u64,
    copies: u64,
}

/// The requests of the last intervals, and those of them that were refused.
#[derive(Clone, Debug, Default)]
struct Refusals {
    requests: u64,
    refused: u64,
    intervals: u32,
}

impl Tuner {
    /// A tuner that never gives more than `slots_max`, which is at least 1 and at most
    /// [`SLOTS_MAX`].
    #[must_use]
    pub fn new(slots_max: u32) -> Self {
        let slots_max = slots_max.clamp(1, SLOTS_MAX);
        let slots = SLOTS_FIRST.min(slots_max);
        // Nothing is known yet, so the first work that is seen pays.
        let stage = Stage::Growing(Trial::new(slots, 0));
        let (interval, refusals) = (TunerSample::default(), Refusals::default());
        Self {
            slots,
            slots_max,
            stage,
            rate: 0,
            opening: TunerSample::default(),
            is_answered: false,
            interval,
            refusals,
            tries_more: false,
        }
    }

    /// Takes another bound of the slots, as [`Tuner::new`] does. A tuner that the old bound held
    /// back grows again.
    pub fn bound(&mut self, slots_max: u32) {
        let before = std::mem::replace(&mut self.slots_max, slots_max.clamp(1, SLOTS_MAX));
        let yields = matches!(self.stage, Stage::Yielding { .. });
        if self.slots_max < before {
            self.slots = self.slots.min(self.slots_max);
            if !yields {
                // A trial would go back to what may be too many.
                self.settle();
            }
        } else if self.slots_max > before && self.slots == before && !yields {
            self.double(self.rate);
        }
    }

    /// Slots that may be in use now.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Learns from a sample, and returns the slots that may be in use from now on.
    pub fn step(&mut self, sample: &TunerSample) -> u32 {
        self.interval.add(sample);
        let grows = matches!(self.stage, Stage::Growing(_));
        let refuses = is_busy(self.interval.refusals, self.interval.requests);
        if grows && sample.is_waiting && !refuses {
            if !self.is_answered {
                self.opening.add(sample);
                self.is_answered = work_of(sample) > 0;
            }
            match self.is_far(sample) {
                true => self.slots = (self.slots * 2).min(self.slots_max),
                false => self.learn(sample),
            }
        }
        if self.interval.elapsed_ms >= INTERVAL_MS {
            let interval = std::mem::take(&mut self.interval);
            self.end_interval(&interval, grows);
        }
        self.slots
    }

    /// True while no copy has ended at all, and hardly an answer has come: in this sample if the
    /// copies are small, else in the interval, for a few large ones fill a line.
    fn is_far(&self, sample: &TunerSample) -> bool {
        let Stage::Growing(trial) = &self.stage else { return false };
        let is_small = self.opening.begun_bytes <= u64::from(self.slots) * HELD_OBJECT_BYTES_MAX;
        let seen = match is_small {
            true => sample,
            false if self.interval.elapsed_ms >= INTERVAL_MS => &self.interval,
            false => return false,
        };
        let is_first = trial.skipped_ms == 0 && trial.rate_before == 0 && seen.copies == 0;
        let is_still = seen.bytes < u64::from(self.slots) * FAR_BYTES || self.slots > SLOTS_FIRST;
        let is_full = seen.slots_used >= self.slots;
        is_first && is_still && is_full && self.slots < FAR_SLOTS_MAX.min(self.slots_max)
    }

    /// `is_learned` where the slots grew by what was seen already.
    fn end_interval(&mut self, sample: &TunerSample, is_learned: bool) {
        let drains =
            matches!(self.stage, Stage::Yielding { intervals, .. } if intervals < DRAIN_INTERVALS);
        if drains {
            self.learn(sample);
        } else if self.refusals.are_too_many(sample) {
            self.cut(sample);
        } else if sample.is_waiting && !is_learned {
            self.learn(sample);
        }
    }

    /// The store is too busy.
    fn cut(&mut self, sample: &TunerSample) {
        // Slots that nobody used cannot have been too many.
        let ceiling = self.slots.min(sample.slots_used.max(1));
        self.slots = (ceiling * 7 / 10).max(1);
        self.refusals = Refusals::default();
        self.stage = Stage::Yielding { ceiling, intervals: 0 };
    }

    fn learn(&mut self, sample: &TunerSample) {
        // What a change of the slots does is not seen before.
        let answer_ms = self.opening.elapsed_ms.clamp(1, INTERVAL_MS);
        match &mut self.stage {
            Stage::Growing(trial) => {
                if self.is_answered {
                    trial.add(sample, answer_ms);
                }
                if trial.elapsed_ms < answer_ms.max(MEASURED_MS_MIN) {
                    return;
                }
                if let Some(pays) = trial.doubling_pays(self.slots) {
                    let trial = trial.clone();
                    self.end_doubling(&trial, pays);
                }
            }
            Stage::Settled { intervals_left } => {
                *intervals_left = intervals_left.saturating_sub(1);
                let is_over = *intervals_left == 0;
                self.average(sample);
                if is_over {
                    self.try_few();
                }
            }
            Stage::Trying(trial) => {
                trial.add(sample, answer_ms);
                if trial.elapsed_ms >= TRIAL_MS {
                    let trial = trial.clone();
                    self.end_trial(&trial);
                }
            }
            Stage::Yielding { ceiling, intervals } => {
                *intervals += 1;
                let (ceiling, intervals) = (*ceiling, *intervals);
                self.average(sample);
                self.creep_up(ceiling, intervals);
            }
        }
    }

    /// Doubles the slots again, or goes back.
    fn end_doubling(&mut self, trial: &Trial, pays: bool) {
        if pays && self.slots < self.slots_max {
            self.double(trial.rate());
            return;
        }
        if pays {
            self.rate = trial.rate();
        } else {
            self.slots = trial.slots_before;
            self.rate = trial.rate_before;
        }
        self.settle();
    }

    fn double(&mut self, rate: u64) {
        self.stage = Stage::Growing(Trial::new(self.slots, rate));
        self.slots = (self.slots * 2).min(self.slots_max);
    }

    fn settle(&mut self) {
        self.stage = Stage::Settled { intervals_left: SETTLED_INTERVALS };
    }

    fn average(&mut self, sample: &TunerSample) {
        let rate = rate_of(work_of(sample), sample.elapsed_ms);
        self.rate = match self.rate {
            0 => rate,
            average => average - average / 8 + rate / 8,
        };
    }

    /// Begins a trial of a few slots more or less.
    fn try_few(&mut self) {
        let few = (self.slots / 4).max(1);
        let more = (self.slots + few).min(self.slots_max);
        // Fewer than the first number are not worth a trial: they can only be slower.
        let fewer = (self.slots - few).max(SLOTS_FIRST).min(self.slots);
        let slots = if self.tries_more { more } else { fewer };
        self.tries_more = !self.tries_more;
        if slots == self.slots {
            self.settle();
        } else {
            self.stage = Stage::Trying(Trial::new(self.slots, self.rate));
            self.slots = slots;
        }
    }

    /// Keeps the slots that were tried, or goes back.
    fn end_trial(&mut self, trial: &Trial) {
        let (rate, before) = (trial.rate(), trial.rate_before);
        let is_more = self.slots > trial.slots_before;
        if is_more && is_at_least(rate, before, (21, 20)) {
            if self.slots < self.slots_max {
                self.double(rate);
                return;
            }
        } else if is_more || !is_at_least(rate, before, (49, 50)) {
            self.slots = trial.slots_before;
            self.settle();
            return;
        }
        self.rate = rate;
        self.settle();
    }

    /// After a cut: waits, returns to just below the ceiling, and goes on in small steps until it
    /// is well above the ceiling and nothing was refused.
    fn creep_up(&mut self, ceiling: u32, intervals: u32) {
        if intervals < RETURN_INTERVALS {
            return;
        }
        if intervals == RETURN_INTERVALS {
            self.slots = self.slots.max(ceiling * 9 / 10).min(self.slots_max);
        } else if (intervals - RETURN_INTERVALS).is_multiple_of(STEP_INTERVALS) {
            self.slots = (self.slots + (ceiling / 64).max(1)).min(self.slots_max);
        }
        if self.slots > ceiling * 5 / 4 || self.slots == self.slots_max {
            self.settle();
        }
    }
}

impl Trial {
    fn new(slots_before: u32, rate_before: u64) -> Self {
        let (skipped_ms, samples, elapsed_ms, work, copies) = (0, 0, 0, 0, 0);
        Self { slots_before, rate_before, skipped_ms, samples, elapsed_ms, work, copies }
    }

    /// Measures a sample once `answer_ms` have passed since the change.
    fn add(&mut self, sample: &TunerSample, answer_ms: u64) {
        if self.skipped_ms < answer_ms {
            self.skipped_ms = self.skipped_ms.saturating_add(sample.elapsed_ms);
            return;
        }
        self.samples += 1;
        self.elapsed_ms = self.elapsed_ms.saturating_add(sample.elapsed_ms);
        self.work = self.work.saturating_add(work_of(sample));
        self.copies = self.copies.saturating_add(sample.copies);
    }

    /// Work per second over the measured samples.
    fn rate(&self) -> u64 {
        rate_of(self.work, self.elapsed_ms)
    }

    /// True if twice as many slots pay, false if they do not; `None` while that is not known: far
    /// from a store it takes a while until the first of the new copies ends.
    fn doubling_pays(&self, slots: u32) -> Option<bool> {
        let rate = self.rate();
        if rate == 0 {
            return None;
        }
        if is_at_least(rate, self.rate_before, (4, 3)) {
            return Some(true);
        }
        let is_round = self.samples >= DOUBLING_SAMPLES_MIN && self.copies >= 2 * u64::from(slots);
        (is_round || self.elapsed_ms >= TRIAL_MS)
            .then(|| is_at_least(rate, self.rate_before, (11, 10)))
    }
}

impl TunerSample {
    /// Adds what was seen after this.
    fn add(&mut self, next: &Self) {
        self.elapsed_ms = self.elapsed_ms.saturating_add(next.elapsed_ms);
        self.bytes = self.bytes.saturating_add(next.bytes);
        self.begun_bytes = self.begun_bytes.saturating_add(next.begun_bytes);
        self.copies = self.copies.saturating_add(next.copies);
        self.requests = self.requests.saturating_add(next.requests);
        self.refusals = self.refusals.saturating_add(next.refusals);
        self.slots_used = self.slots_used.max(next.slots_used);
        self.is_waiting = next.is_waiting;
    }
}

impl Refusals {
    /// Adds an interval, and returns true if the store is too busy.
    fn are_too_many(&mut self, sample: &TunerSample) -> bool {
        self.requests = self.requests.saturating_add(sample.requests);
        self.refused = self.refused.saturating_add(sample.refusals);
        self.intervals += 1;
        let is_share = is_busy(self.refused, self.requests);
        if self.intervals >= REFUSAL_INTERVALS && !is_share {
            *self = Self::default();
        }
        is_share && self.refused >= REFUSALS_MIN
    }
}

/// True if so many refusals tell of a store that is too busy, and not of chance.
fn is_busy(refused: u64, requests: u64) -> bool {
    refused.saturating_mul(REQUESTS_PER_REFUSAL) > requests
}

fn work_of(sample: &TunerSample) -> u64 {
    sample.bytes.saturating_add(sample.copies.saturating_mul(COPY_WORK))
}

/// Work per second of an interval.
fn rate_of(work: u64, elapsed_ms: u64) -> u64 {
    work.saturating_mul(1_000) / elapsed_ms.max(1)
}

/// True if `rate` is at least `numerator / denominator` of `before`.
fn is_at_least(rate: u64, before: u64, (numerator, denominator): (u64, u64)) -> bool {
    rate.saturating_mul(denominator) >= before.saturating_mul(numerator)
}
