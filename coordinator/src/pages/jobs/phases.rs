//! What a job did when, as far as its recorded times tell.

use deepclone_core::machine::JobState;
use deepclone_core::unix_time::UnixTime;

use crate::driver::snapshot::{JobPhases, JobSnapshot};

/// One phase of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) began: UnixTime,
    /// `None` while it lasts.
    pub(super) ended: Option<UnixTime>,
}

/// Returns the phases that began, in their order.
pub(super) fn phases(job: &JobSnapshot) -> Vec<Phase> {
    let JobPhases { planned_ms, publishing_ms } = job.phases;
    let time = |ms: Option<i64>| ms.map(UnixTime);
    let (planned, publishing, ended) = (time(planned_ms), time(publishing_ms), time(job.ended_ms));
    let mut phases = vec![Phase {
        name: "waiting and planning",
        began: UnixTime(job.created_ms),
        ended: planned.or(ended),
    }];
    // A job that ended some time ago does not tell when it was published.
    let is_one = publishing.is_none() && job.state == JobState::Succeeded;
    let copying = if is_one { "copying and publishing" } else { "copying" };
    phases.extend(planned.map(|began| Phase { name: copying, began, ended: publishing.or(ended) }));
    phases.extend(publishing.map(|began| Phase { name: "publishing", began, ended }));
    phases
}

/// How long its copying has lasted, or lasted in all, in seconds; `None` before it began.
pub(super) fn copying_seconds(job: &JobSnapshot, now: UnixTime) -> Option<u64> {
    let phases = phases(job);
    let copying = phases.get(1)?;
    Some(copying.ended.unwrap_or(now).since(copying.began).as_secs())
}
