//! Which requests are refused, and which bodies are cut: every so many-th, and none by chance, so
//! that runs are alike.

use serde::{Deserialize, Serialize};

/// How often; zero is never.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FaultRates {
    /// One request of so many is answered 503.
    pub(crate) refused_every: u64,
    /// One body of so many is cut.
    pub(crate) cut_every: u64,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Served,
    Refused,
    /// Its body ends after so many quarters.
    Cut {
        quarters: u64,
    },
}

/// Decides, and counts what it did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct LinkFaults {
    #[serde(skip)]
    rates: FaultRates,
    #[serde(skip)]
    requests: u64,
    #[serde(skip)]
    bodies: u64,
    refused: u64,
    cut: u64,
}

impl LinkFaults {
    pub(crate) fn new(rates: FaultRates) -> Self {
        Self { rates, ..Self::default() }
    }

    /// The fate of the next request.
    pub(crate) fn next(&mut self, has_body: bool) -> Fate {
        self.requests += 1;
        if is_due(self.requests, self.rates.refused_every) {
            self.refused += 1;
            return Fate::Refused;
        }
        self.bodies += u64::from(has_body);
        if has_body && is_due(self.bodies, self.rates.cut_every) {
            self.cut += 1;
            return Fate::Cut { quarters: 1 + self.cut % 3 };
        }
        Fate::Served
    }
}

/// The first time after a fifth, so that a short run has it, too.
fn is_due(count: u64, every: u64) -> bool {
    every > 0 && count % every == every / 5
}
