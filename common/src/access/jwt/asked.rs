//! Keys that are asked for again and again, beside the requests that need them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::keys::VerifyingKeys;
use super::limits::{ASK_AGAIN_AFTER, ASK_EVERY};

/// How often keys are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskingPace {
    /// After an answer, while every token's key is known.
    pub(super) every: Duration,
    /// After a failure, and when a token's key is not known.
    pub(super) again_after: Duration,
}

impl Default for AskingPace {
    fn default() -> Self {
        Self { every: ASK_EVERY, again_after: ASK_AGAIN_AFTER }
    }
}

#[derive(Default)]
struct Shared {
    /// The last set that there was an answer with; empty before the first.
    keys: Mutex<Arc<VerifyingKeys>>,
    /// Told when a token shows a key that is not in the set.
    unknown_key: Notify,
}

/// Keys that a task asks for, until this is dropped.
pub(super) struct AskedKeys {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl AskedKeys {
    /// Begins to ask by `fetch`. Within a tokio runtime alone.
    pub(super) fn start<F>(
        fetch: impl Fn() -> F + Send + 'static,
        pace: AskingPace,
    ) -> Result<Self, String>
    where
        F: Future<Output = Result<VerifyingKeys, String>> + Send + 'static,
    {
        let runtime = Handle::try_current().map_err(|error| format!("jwks_url: {error}"))?;
        let shared = Arc::new(Shared::default());
        let task = runtime.spawn(ask(Arc::clone(&shared), fetch, pace)).abort_handle();
        Ok(Self { shared, task })
    }

    pub(super) fn get(&self) -> Arc<VerifyingKeys> {
        Arc::clone(&self.shared.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the keys asked for as soon as they may be.
    pub(super) fn ask_again(&self) {
        self.shared.unknown_key.notify_one();
    }
}

impl Drop for AskedKeys {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for AskedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedKeys").field("keys", &self.get()).finish_non_exhaustive()
    }
}

async fn ask<F>(shared: Arc<Shared>, fetch: impl Fn() -> F + Send, pace: AskingPace)
where
    F: Future<Output = Result<VerifyingKeys, String>> + Send,
{
    let mut is_down = true;
    loop {
        let asked = Instant::now();
        let wait = match fetch().await {
            Ok(keys) => {
                *shared.keys.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
                if std::mem::take(&mut is_down) {
                    tracing::info!("the keys of jwks_url are read");
                }
                // What was not known before may be now: who shows it once more says if not.
                let _answered = shared.unknown_key.notified().now_or_never();
                pace.every
            }
            Err(what) => {
                is_down = true;
                tracing::warn!("the keys of jwks_url stay as they are: {what}");
                pace.again_after
            }
        };
        tokio::select! {
            () = sleep_until(asked + wait) => {}
            () = shared.unknown_key.notified() => sleep_until(asked + pace.again_after).await,
        }
    }
}
