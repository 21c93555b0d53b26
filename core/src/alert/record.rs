//! One cause of one receiver: how long it lasts, and whether it was told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause::{AlertCause, AlertDetail};
use crate::unix_time::UnixTime;

/// Whether a cause begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertPhase {
    Raised,
    Recovered,
}

/// What is known of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRecord {
    pub cause: AlertCause,
    pub detail: AlertDetail,
    /// When it was first seen.
    pub since: UnixTime,
    pub is_told: bool,
    /// Since when it is not seen any more; `None` while it lasts.
    pub gone_since: Option<UnixTime>,
}

impl AlertRecord {
    /// Takes that it is `now`: a clock that was set back would hold up what is due until it is as
    /// late again. The beginning of what was told names it, and stays.
    pub(super) fn not_after(&mut self, now: UnixTime) {
        if !self.is_told {
            self.since = self.since.min(now);
        }
        self.gone_since = self.gone_since.map(|since| since.min(now));
    }

    pub(super) fn is_over(&self, now: UnixTime, hold: Duration) -> bool {
        self.gone_since.is_some_and(|since| now.since(since) >= hold)
    }

    /// Returns what of it is due to be told, if anything.
    pub(super) fn phase_due(&self, now: UnixTime, hold: Duration) -> Option<AlertPhase> {
        match (self.is_told, self.gone_since) {
            (false, None) if now.since(self.since) >= hold => Some(AlertPhase::Raised),
            (true, Some(_)) if self.is_over(now, hold) => Some(AlertPhase::Recovered),
            _ => None,
        }
    }
}
