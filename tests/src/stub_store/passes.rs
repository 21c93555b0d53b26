//! Credentials that count for some time, for a store that looks at them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::wire::RequestHead;

/// Credentials by their names, each with its end. A clone is the same ones.
#[derive(Clone, Debug, Default)]
pub struct Passes(Arc<Mutex<BTreeMap<String, Instant>>>);

impl Passes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Issues credentials that count for so long; returns their name.
    #[must_use]
    pub fn issue(&self, counts: Duration) -> String {
        let mut passes = self.lock();
        let name = format!("PASS-{}", passes.len() + 1);
        passes.insert(name.clone(), Instant::now() + counts);
        name
    }

    /// How many were issued.
    #[must_use]
    pub fn issued(&self) -> usize {
        self.lock().len()
    }

    /// True when a request shows credentials that count now: by a token, or by the name that its
    /// signature has.
    pub(super) fn admit(&self, head: &RequestHead) -> bool {
        let shown = head.header("authorization").unwrap_or_default();
        let name = shown.strip_prefix("Bearer ").or_else(|| {
            let (_, signed) = shown.split_once("Credential=")?;
            signed.split('/').next()
        });
        let ends = name.and_then(|name| self.lock().get(name).copied());
        ends.is_some_and(|ends| Instant::now() < ends)
    }
}
