//! What a first sync needs besides its plan, begun while the source's log is read: the trial of the
//! target's store and, where the copies are made here, their first connections.
//!
//! It waits until the source has a log and the target none. A plan that refuses the source then
//! leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use deepclone_core::limits::SLOTS_FIRST;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::Context;
use crate::state::JobSpec;

/// Bytes of a log for each object that it names: a line of a commit has 200 and more. How many a
/// short log names is guessed by them.
const LOG_BYTES_PER_OBJECT: u64 = 256;
/// The longest wait for the removal of what tried the target.
const UNDO_MAX: Duration = Duration::from_secs(5);

/// The steps ahead of one plan; they end when it is dropped.
#[derive(Debug)]
pub(super) struct Ahead {
    first_sync: watch::Sender<u64>,
    steps: AbortOnDropHandle<()>,
}

impl Ahead {
    /// Waits for the source to be found by the plan of this job.
    pub(super) fn new(context: &Context, job_spec: &Arc<JobSpec>) -> Self {
        let (first_sync, mut told) = watch::channel(0);
        let (context, job_spec) = (context.clone(), Arc::clone(job_spec));
        let steps = tokio::spawn(async move {
            if let Ok(log_bytes) = told.wait_for(|bytes| *bytes > 0).await.map(|bytes| *bytes) {
                take(&context, &job_spec, log_bytes).await;
            }
        });
        Self { first_sync, steps: AbortOnDropHandle::new(steps) }
    }

    /// What begins the steps once it is sent how many bytes of the source's log are read.
    pub(super) fn first_sync(&self) -> &watch::Sender<u64> {
        &self.first_sync
    }

    /// Removes what the steps have written, if they have begun.
    pub(super) async fn undo(self, context: &Context, job_spec: &JobSpec) {
        if *self.first_sync.borrow() == 0 {
            return;
        }
        let removed = async {
            let _ended = self.steps.await;
            context.connections.probe_removed(&job_spec.target.connection).await;
        };
        // It is small, and a vacuum finds it.
        let _late = tokio::time::timeout(UNDO_MAX, removed).await;
    }
}

async fn take(context: &Context, job_spec: &JobSpec, log_bytes: u64) {
    if context.copies_here {
        let count = u64::from(SLOTS_FIRST).min(log_bytes / LOG_BYTES_PER_OBJECT);
        let count = usize::try_from(count).unwrap_or_default();
        for side in [&job_spec.source, &job_spec.target] {
            context.connections.connect_ahead(&side.connection, count);
        }
    }
    let target = &job_spec.target;
    let (name, fingerprint) = (&target.connection, &target.fingerprint);
    // Whoever needs the result tries again, and finds it or the same error.
    let _tried = context.connections.probe_store(name, fingerprint, &target.root).await;
}
