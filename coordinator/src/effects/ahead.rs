//! What a first sync needs besides its plan, begun while the source's log is read: the trial of the
//! target's store and, where the copies are made here, their first connections.
//!
//! It waits until the source has a log and the target none, and lies in no other table. What a
//! trial writes is removed by itself, also where the plan then refuses the source: such a plan ends
//! after the removal.

use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::limits::SLOTS_FIRST;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::Context;
use crate::state::JobSpec;

/// Bytes of a log for each object that it names: a line of a commit has 200 and more. How many a
/// short log names is guessed by them.
const LOG_BYTES_PER_OBJECT: u64 = 256;
/// The longest wait for the removal of what tried the target. It goes on after that.
const UNDO_MAX: Duration = Duration::from_secs(5);

/// The steps ahead of one plan.
#[derive(Debug)]
pub(super) struct Ahead {
    first_sync: watch::Sender<u64>,
    /// How the trial ended; `None` if nothing was told.
    steps: AbortOnDropHandle<Option<Result<(), Failure>>>,
}

impl Ahead {
    /// Waits for the plan of this job to find its source.
    pub(super) fn new(context: &Context, job_spec: &Arc<JobSpec>) -> Self {
        let (first_sync, mut told) = watch::channel(0);
        let (context, job_spec) = (context.clone(), Arc::clone(job_spec));
        let steps = tokio::spawn(async move {
            let log_bytes = *told.wait_for(|bytes| *bytes > 0).await.ok()?;
            Some(take(&context, &job_spec, log_bytes).await)
        });
        Self { first_sync, steps: AbortOnDropHandle::new(steps) }
    }

    /// What begins the steps once it is sent how many bytes of the source's log are read.
    pub(super) fn first_sync(&self) -> &watch::Sender<u64> {
        &self.first_sync
    }

    /// Waits for the end of the trial, if it has begun.
    ///
    /// # Errors
    /// As [`deepclone_common::connections::Connections::probe_store`].
    pub(super) async fn tried(self) -> Result<(), Failure> {
        if *self.first_sync.borrow() == 0 {
            return Ok(());
        }
        // Whoever needs the result of steps that panicked tries the target again.
        self.steps.await.ok().flatten().unwrap_or(Ok(()))
    }

    /// Waits until what the trial wrote is removed.
    pub(super) async fn undo(self, context: &Context, job_spec: &JobSpec) {
        let is_told = *self.first_sync.borrow() > 0;
        drop(self);
        if is_told {
            let removed = context.connections.probe_removed(&job_spec.target.connection);
            let _late = tokio::time::timeout(UNDO_MAX, removed).await;
        }
    }
}

async fn take(context: &Context, job_spec: &JobSpec, log_bytes: u64) -> Result<(), Failure> {
    if context.copies_here {
        let count = u64::from(SLOTS_FIRST).min(log_bytes / LOG_BYTES_PER_OBJECT);
        let count = usize::try_from(count).unwrap_or_default();
        for side in [&job_spec.source, &job_spec.target] {
            context.connections.connect_ahead(&side.connection, count);
        }
    }
    let target = &job_spec.target;
    let (name, fingerprint) = (&target.connection, &target.fingerprint);
    context.connections.probe_store(name, fingerprint, &target.root).await.map(drop)
}
