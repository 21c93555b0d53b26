//! What every address of the pages answers from, and how it finds what an address names.

use std::sync::Arc;

use deepclone_core::ids::{JobId, WorkerId};
use uuid::Uuid;

use super::access::PageAccess;
use super::data::PageData;
use super::instead::Instead;
use super::jobs::JobStreams;
use crate::replications::view::ReplicationView;

/// What every address answers from.
#[derive(Clone)]
pub(super) struct PageState {
    pub(super) data: Arc<dyn PageData>,
    pub(super) access: PageAccess,
    pub(super) streams: JobStreams,
}

/// Returns the replication of this name.
pub(super) async fn find(state: &PageState, name: &str) -> Result<Arc<ReplicationView>, Instead> {
    let fleet = state.data.fleet().await?;
    let found = fleet.replications.iter().find(|found| found.spec.name.as_str() == name);
    found.cloned().ok_or_else(|| Instead::Absent(format!("There is no replication {name:?}.")))
}

/// Reads the id of a job.
pub(super) fn job_id(text: &str) -> Result<JobId, Instead> {
    let unknown = |_| Instead::Absent(format!("There is no job {text:?}."));
    Uuid::parse_str(text).map(JobId).map_err(unknown)
}

/// Reads the id of a worker.
pub(super) fn worker_id(text: &str) -> Result<WorkerId, Instead> {
    let unknown = |_| Instead::Absent(format!("There is no worker {text:?}."));
    Uuid::parse_str(text).map(WorkerId).map_err(unknown)
}
