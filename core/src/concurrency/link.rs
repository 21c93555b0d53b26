//! A model of two stores and the line between, which copies objects under a tuner's slots.

use super::{Tuner, TunerSample};

/// Length of one step of the model.
const STEP_MS: u64 = 2;
/// Time between two samples.
const SAMPLE_MS: u64 = 20;
/// Attempts of one request.
const ATTEMPTS_MAX: u32 = 4;

/// How the stores and the line behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// From a request to its answer, without the bytes.
    pub(super) latency_ms: u64,
    /// Bytes per millisecond of one connection.
    pub(super) connection: f64,
    /// Bytes per millisecond of all together.
    pub(super) whole: f64,
    /// Share of `whole` that each slot in use costs.
    pub(super) crowding: f64,
    /// What a copy costs besides its bytes, as bytes.
    pub(super) copy_cost: f64,
    /// Requests per second above which the store answers 503.
    pub(super) requests: Option<f64>,
    /// Share of requests that are refused by chance.
    pub(super) faults: f64,
    /// Bytes of an object or a part.
    pub(super) object: f64,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            latency_ms: 2,
            connection: 1e9,
            whole: 1e12,
            crowding: 0.0,
            copy_cost: 0.0,
            requests: None,
            faults: 0.0,
            object: 4096.0,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Copy {
    /// The answer to the read, or to the write, comes later.
    Asking {
        until_ms: u64,
        is_write: bool,
        failed: u32,
    },
    Moving {
        left: f64,
        bytes_left: f64,
    },
}

/// A run of copies over a line.
#[derive(Debug)]
pub(super) struct LineRun {
    pub(super) line: Line,
    pub(super) tuner: Tuner,
    now_ms: u64,
    /// Copies that have not begun.
    pub(super) backlog: u64,
    pub(super) failed: u64,
    /// Slots after each sample.
    pub(super) history: Vec<u32>,
    copies: Vec<Copy>,
    tokens: f64,
    /// Bytes, since the last sample and in all.
    bytes: f64,
    moved: f64,
    sample: TunerSample,
    seed: u64,
}

impl LineRun {
    pub(super) fn new(line: Line, seed: u64) -> Self {
        Self {
            line,
            tuner: Tuner::new(512),
            now_ms: 0,
            backlog: u64::MAX,
            failed: 0,
            history: Vec::new(),
            copies: Vec::new(),
            tokens: 0.0,
            bytes: 0.0,
            moved: 0.0,
            sample: TunerSample::default(),
            seed,
        }
    }

    /// Runs for so long, and returns how many objects' bytes were moved per second.
    pub(super) fn seconds(&mut self, seconds: u64) -> f64 {
        let (moved, end_ms) = (self.moved, self.now_ms + seconds * 1_000);
        while self.now_ms < end_ms {
            self.step();
        }
        (self.moved - moved) / self.line.object / seconds as f64
    }

    /// Runs until everything is copied, and returns the milliseconds.
    pub(super) fn all(&mut self, copies: u64) -> u64 {
        let begun_ms = self.now_ms;
        self.backlog = copies;
        while self.backlog > 0 || !self.copies.is_empty() {
            self.step();
        }
        self.now_ms - begun_ms
    }

    /// The mean number of slots in the last seconds.
    pub(super) fn slots_mean(&self, seconds: usize) -> f64 {
        let last = &self.history[self.history.len() - seconds * 50..];
        last.iter().map(|slots| f64::from(*slots)).sum::<f64>() / last.len() as f64
    }

    fn step(&mut self) {
        self.now_ms += STEP_MS;
        if let Some(requests) = self.line.requests {
            let most = (requests / 20.0).max(1.0);
            self.tokens = (self.tokens + requests * STEP_MS as f64 / 1_000.0).min(most);
        }
        while self.copies.len() < self.tuner.slots() as usize && self.backlog > 0 {
            self.backlog -= 1;
            let until_ms = self.now_ms + self.latency();
            self.copies.push(Copy::Asking { until_ms, is_write: false, failed: 0 });
            self.sample.begun_bytes += whole(self.line.object);
        }
        let used = u32::try_from(self.copies.len()).unwrap();
        self.sample.slots_used = self.sample.slots_used.max(used);
        let moving = self.copies.iter().filter(|copy| matches!(copy, Copy::Moving { .. })).count();
        let whole = self.line.whole * (1.0 - self.line.crowding * f64::from(used)).max(0.1);
        let moved = self.line.connection.min(whole / moving.max(1) as f64) * STEP_MS as f64;
        let copies = std::mem::take(&mut self.copies);
        self.copies = copies.into_iter().filter_map(|copy| self.advance(copy, moved)).collect();
        if self.now_ms.is_multiple_of(SAMPLE_MS) {
            self.end_sample();
        }
    }

    fn end_sample(&mut self) {
        self.sample.elapsed_ms = SAMPLE_MS;
        self.sample.bytes = whole(self.bytes);
        self.sample.is_waiting = self.backlog > 0;
        let slots = self.tuner.step(&self.sample);
        self.history.push(slots);
        self.sample = TunerSample::default();
        self.moved += self.bytes;
        self.bytes = 0.0;
    }

    /// A copy after one step; `None` when it has ended.
    fn advance(&mut self, copy: Copy, moved: f64) -> Option<Copy> {
        match copy {
            Copy::Moving { left, bytes_left } if left > moved => {
                let bytes = moved.min(bytes_left);
                self.bytes += bytes;
                Some(Copy::Moving { left: left - moved, bytes_left: bytes_left - bytes })
            }
            Copy::Moving { bytes_left, .. } => {
                self.bytes += bytes_left;
                let until_ms = self.now_ms + self.latency();
                Some(Copy::Asking { until_ms, is_write: true, failed: 0 })
            }
            Copy::Asking { until_ms, .. } if until_ms > self.now_ms => Some(copy),
            Copy::Asking { is_write, failed, .. } => self.answer(is_write, failed),
        }
    }

    /// The answer of the store.
    fn answer(&mut self, is_write: bool, failed: u32) -> Option<Copy> {
        self.sample.requests += 1;
        let is_fault = self.random() < self.line.faults;
        let is_over = self.line.requests.is_some() && self.tokens < 1.0;
        if is_fault || is_over {
            self.sample.refusals += 1;
            if failed + 1 == ATTEMPTS_MAX {
                self.failed += 1;
                self.backlog = self.backlog.saturating_add(1);
                return None;
            }
            let pause = f64::from(200 << failed) * (0.5 + self.random() / 2.0);
            let until_ms = self.now_ms + whole(pause) + self.latency();
            return Some(Copy::Asking { until_ms, is_write, failed: failed + 1 });
        }
        self.tokens -= 1.0;
        if is_write {
            self.sample.copies += 1;
            return None;
        }
        let left = self.line.object + self.line.copy_cost;
        Some(Copy::Moving { left, bytes_left: self.line.object })
    }

    /// A latency, with some jitter.
    fn latency(&mut self) -> u64 {
        whole(self.line.latency_ms as f64 * (0.8 + 0.4 * self.random()))
    }

    fn random(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 40) as f64 / (1_u64 << 24) as f64
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number as u64
}
