//! What a receiver is told.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::record::{AlertPhase, AlertRecord};

/// Bytes of an id: as many as a UUID has.
const ID_BYTES: usize = 16;

/// One message about a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertNotice {
    pub phase: AlertPhase,
    pub record: AlertRecord,
}

impl AlertNotice {
    /// Returns the event's name in settings and messages.
    #[must_use]
    pub fn event(&self) -> &'static str {
        match self.phase {
            AlertPhase::Raised => self.record.cause.kind.name(),
            AlertPhase::Recovered => "recovered",
        }
    }

    /// Returns the id of the event, the same each time that it is sent.
    #[must_use]
    pub fn id(&self) -> String {
        self.hashed(self.event())
    }

    /// Returns what a cause and its end have in common.
    #[must_use]
    pub fn alert_id(&self) -> String {
        self.hashed("alert")
    }

    fn hashed(&self, what: &str) -> String {
        let AlertRecord { cause, since, .. } = &self.record;
        let mut hasher = Sha256::new();
        for text in [what, cause.kind.name(), &cause.subject, &cause.reason] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        let digest: [u8; 32] = hasher.chain_update(since.0.to_be_bytes()).finalize().into();
        let hex = |mut text: String, byte: &u8| {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        };
        digest[..ID_BYTES].iter().fold(String::new(), hex)
    }
}
