//! Drops from the database what is not needed any more, in small steps beside the loop.

use deepclone_core::ids::Epoch;
use deepclone_core::limits::PURGE_INTERVAL;
use tokio_util::sync::CancellationToken;

use crate::effects::Context;
use crate::state::StateError;

/// Purges until `shutdown`, or until another coordinator leads.
pub(super) async fn purge(context: Context, epoch: Epoch, shutdown: CancellationToken) {
    loop {
        match context.store.purge(epoch, context.clock.now_ms()).await {
            // Lets facts that wait for the write lock go first.
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => tokio::select! {
                biased;
                () = tokio::time::sleep(PURGE_INTERVAL) => {}
                () = shutdown.cancelled() => return,
            },
            Err(StateError::Deposed) => return,
            Err(error) => {
                tracing::warn!("old jobs are not purged: {}", error.failure());
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(PURGE_INTERVAL) => {}
                    () = shutdown.cancelled() => return,
                }
            }
        }
        if shutdown.is_cancelled() {
            return;
        }
    }
}
