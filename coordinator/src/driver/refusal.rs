//! Why the driver refuses a request, in the words of the callers.

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::reason::Reason;

pub(super) fn unknown_job(job: JobId) -> Failure {
    Failure::new(Reason::JobNotFound, format!("there is no job jobs/{job}"))
        .with("name", format!("jobs/{job}"))
}

pub(super) fn ended_job(job: JobId) -> Failure {
    let name = format!("jobs/{job}");
    Failure::new(Reason::JobEnded, format!("{name} has ended: its limits stay as they were"))
        .with("name", name)
}

pub(crate) fn unknown_worker(worker: WorkerId) -> Failure {
    Failure::new(Reason::WorkerNotFound, format!("there is no worker workers/{worker}"))
        .with("name", format!("workers/{worker}"))
}

pub(super) fn too_many_workers() -> Failure {
    Failure::new(Reason::CoordinatorUnavailable, "too many workers are registered already")
}
