//! What a seed decides before the first step.

use deepclone_core::unix_time::UnixTime;

use crate::random::Random;

pub(crate) const SECOND_MS: u64 = 1_000;
pub(crate) const MINUTE_MS: u64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;
/// A week and a day: clocks are set, and a month ends.
pub(crate) const END_MS: u64 = 8 * 24 * HOUR_MS;
pub(crate) const REPLICATIONS: u64 = 200;

/// When the weeks begin: Europe sets its clocks in the spring and in the autumn, with the end of a
/// month; then America and Lord Howe.
const STARTS: [&str; 4] = [
    "2026-03-26T07:00:00Z",
    "2026-10-24T07:00:00Z",
    "2026-03-05T00:10:00Z",
    "2026-10-02T22:40:00Z",
];

/// Which kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Jobs and probes fail, people pause, resume, ask for rounds and change orders.
    Busy,
    /// As busy, and the coordinator dies in the middle of steps, for seconds or hours.
    Crashes,
    /// The clock is set, by seconds or hours, ahead or back.
    Clocks,
    /// As busy, and the coordinator restarts between steps, at once.
    Restarts,
    /// The same without the restarts.
    Twin,
}

/// Which faults there are. Chances are per mille.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Of an answer to a probe.
    pub(crate) probe_fails: u64,
    /// Of a job, in a way that another try may heal.
    pub(crate) job_fails: u64,
    /// Of a job, for good, or it is cancelled.
    pub(crate) job_ends_badly: u64,
    /// Of a job: it sends a part of it twice.
    pub(crate) sends_twice: u64,
    /// Of a replication, each six hours: somebody does something to it.
    pub(crate) person: u64,
    /// Of a step: the coordinator dies in the middle.
    pub(crate) crash: u64,
    /// Of a step: the coordinator restarts after it.
    pub(crate) restart: u64,
    /// How often the clock is set.
    pub(crate) clock_steps: u64,
}

impl Faults {
    pub(crate) fn of(kind: Kind) -> Self {
        let busy = Self {
            probe_fails: 60,
            job_fails: 80,
            job_ends_badly: 30,
            sends_twice: 40,
            person: 60,
            ..Self::default()
        };
        match kind {
            Kind::Busy => busy,
            Kind::Crashes => Self { crash: 1, ..busy },
            Kind::Clocks => Self { clock_steps: 24, ..Self::default() },
            Kind::Restarts => Self { restart: 2, sends_twice: 0, ..busy },
            Kind::Twin => Self { sends_twice: 0, ..busy },
        }
    }
}

/// When the week of a seed begins.
pub(crate) fn start(random: &mut Random) -> UnixTime {
    let text = random.one_of(&STARTS);
    let start: jiff::Timestamp = text.parse().unwrap();
    UnixTime(start.as_millisecond())
}
