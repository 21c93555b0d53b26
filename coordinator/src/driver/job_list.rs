//! Lists of jobs: those that the machine knows, and those that only the database does.
//!
//! The driver tells its own; the older ones are read here, beside its loop, and a bounded number
//! of them for each page: a filter that hardly any job fits gives pages with few jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::failure::Failure;

use super::handle::Handle;
use super::job_query::{JobsPage, JobsQuery};
use super::job_table::ended_snapshot;
use super::message::Message;
use super::snapshot::JobSnapshot;
use crate::state::{EndedJobsQuery, JobOrder, JobPlace, Store};

/// The most ended jobs that are read for one page.
const READ_MAX: usize = 10_000;
/// Ended jobs that are read at once.
const BATCH: usize = 500;

/// Returns a page of jobs.
///
/// # Errors
/// The database cannot be read, or the coordinator is stopping.
pub async fn list_jobs(
    handle: &Handle,
    store: &dyn Store,
    query: &JobsQuery,
) -> Result<JobsPage, Failure> {
    // One more than fit tells that there are more. A job that ends between the two looks is in
    // both, or in the second.
    let asked = JobsQuery { size: query.size + 1, ..query.clone() };
    let known = handle.ask(|reply| Message::Jobs(asked, reply)).await?;
    let mut found: BTreeMap<JobPlace, Arc<JobSnapshot>> =
        known.into_iter().map(|job| (job.place(), job)).collect();
    let read_to = read_ended(store, query, &mut found).await?;
    Ok(page(found, read_to, query))
}

/// Adds ended jobs that fit, one more than the page has at the most. Returns the place up to which
/// all were read; `None` when that is the end.
async fn read_ended(
    store: &dyn Store,
    query: &JobsQuery,
    found: &mut BTreeMap<JobPlace, Arc<JobSnapshot>>,
) -> Result<Option<JobPlace>, Failure> {
    let mut after = query.after;
    let (mut read, mut fitting) = (0, 0);
    while fitting <= query.size && read < READ_MAX {
        let created_ms = query.filter.created_ms.clone();
        let batch = EndedJobsQuery { order: query.order, after, created_ms, size: BATCH };
        let rows = store.ended_jobs(&batch).await.map_err(|error| error.failure())?;
        for entries in &rows {
            let job = ended_snapshot(entries).map_err(|error| error.failure())?;
            after = Some(job.place());
            if query.filter.fits(job.state, &job.job_spec, job.created_ms) {
                fitting += 1;
                // What the machine knows of a job is newer.
                found.entry(job.place()).or_insert(job);
            }
        }
        if rows.len() < BATCH {
            return Ok(None);
        }
        read += rows.len();
    }
    Ok(after)
}

/// Cuts the page out of all that were found.
fn page(
    found: BTreeMap<JobPlace, Arc<JobSnapshot>>,
    read_to: Option<JobPlace>,
    query: &JobsQuery,
) -> JobsPage {
    let is_newest_first = query.order == JobOrder::NewestFirst;
    // Beyond it, jobs that were not read may stand between those that are known.
    let is_read = |place: &JobPlace| {
        read_to.is_none_or(|end| if is_newest_first { *place >= end } else { *place <= end })
    };
    let all = found.into_iter().filter(|(place, _)| is_read(place)).map(|(_, job)| job);
    let mut jobs: Vec<_> = all.collect();
    if is_newest_first {
        jobs.reverse();
    }
    let is_more = jobs.len() > query.size;
    jobs.truncate(query.size);
    let next = if is_more { jobs.last().map(|job| job.place()) } else { read_to };
    JobsPage { jobs, next }
}
