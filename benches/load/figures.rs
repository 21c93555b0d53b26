//! How long calls took.

use std::time::Duration;

/// The calls of all workers, by kind.
#[derive(Clone, Default)]
pub(crate) struct Figures {
    /// Requests for tasks that were answered with some.
    pub(crate) grants: Calls,
    pub(crate) reports: Calls,
    pub(crate) heartbeats: Calls,
    pub(crate) tasks_granted: u32,
}

/// How long each call of one kind took.
#[derive(Clone, Default)]
pub(crate) struct Calls(Vec<Duration>);

impl Figures {
    pub(crate) fn all(&self) -> [(&'static str, &Calls); 3] {
        [("grants", &self.grants), ("receipts", &self.reports), ("heartbeats", &self.heartbeats)]
    }
}

impl Calls {
    pub(crate) fn note(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The time within which this part of the calls was answered, in milliseconds.
    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let share = f64::from(self.count()) * part;
        let passed = (1..).take_while(|number| f64::from(*number) < share).count();
        sorted.get(passed).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
    }
}
