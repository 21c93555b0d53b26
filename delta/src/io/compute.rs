//! Long work beside the async threads.

use deepclone_common::panics::task_failure;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::DeltaError;

/// Runs `work`, which is long and never waits, outside the async threads.
///
/// # Errors
/// The error of `work`.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeltaError> + Send + 'static,
) -> Result<T, DeltaError> {
    // A runtime of one thread has none to keep free: a simulation, which runs the same each time.
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(task_failure("reading the log", error).into()),
    }
}

/// As [`compute`], for work that borrows: this thread does nothing else meanwhile.
pub(crate) fn compute_here<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
