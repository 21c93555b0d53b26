//! What the log tells of a job besides its facts: who asked, and how long each phase took. It is
//! not durable: after a restart times count from there.

use std::sync::Arc;

use deepclone_common::request_id::RequestId;
use tokio::time::Instant;

use crate::state::JobSpec;

/// What the log tells of a job besides its facts.
#[derive(Debug)]
pub(super) struct JobStory {
    /// `None` in tests alone.
    pub(super) job_spec: Option<Arc<JobSpec>>,
    /// The request that made it; `None` for a job of a replication, or after a restart.
    pub(super) request_id: Option<RequestId>,
    /// The principal that asked for its end.
    pub(super) cancelled_by: Option<String>,
    began: Instant,
    phase_began: Instant,
}

impl JobStory {
    /// Returns the story of a job that begins now.
    pub(super) fn new(job_spec: Option<Arc<JobSpec>>) -> Self {
        let now = Instant::now();
        Self { job_spec, request_id: None, cancelled_by: None, began: now, phase_began: now }
    }

    /// Ends a phase and returns how many seconds it took; the next one begins.
    pub(super) fn end_phase(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = (now - self.phase_began).as_secs_f64();
        self.phase_began = now;
        seconds
    }

    /// Returns the seconds since the job began.
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
