//! What a sync would do, for somebody who asks before it is made. Nothing of it is kept: no task is
//! named, and no commit is prepared.

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::shard::count_tasks;

use super::Context;
use super::plan::{Found, Nothing, PlanObjects, ToDo, read};
use crate::state::{JobSpec, PlanNote};

/// What a sync would do.
pub enum Preview {
    /// Nothing: the replica has the source's version.
    UpToDate {
        source_version: u64,
        replica_version: u64,
        note: PlanNote,
    },
    Change(ToCopy),
}

/// The figures of a sync that has something to do.
pub struct ToCopy {
    pub source_version: u64,
    /// `None` without a replica.
    pub replica_version: Option<u64>,
    pub objects: usize,
    /// The bytes of these objects, added up.
    pub bytes: u64,
    pub tasks: usize,
    pub note: PlanNote,
}

/// Returns what a sync would do now, without writing anything.
///
/// # Errors
/// Why the sync is refused, or cannot be planned.
pub async fn preview(
    context: &Context,
    job: JobId,
    job_spec: &JobSpec,
) -> Result<Preview, Failure> {
    let turn = context.turn_to_plan().await;
    let found = read(context, job, job_spec, (None, &turn));
    // The time that it waits for other plans does not count.
    Ok(match turn.in_time(context.plan_time_max, "reading both logs", found).await? {
        // A fresh id is in no log: nothing of it is published.
        Found::UpToDate(nothing) | Found::Published { nothing, .. } => {
            let Nothing { source_version, replica_version, note } = nothing;
            Preview::UpToDate { source_version, replica_version, note }
        }
        Found::Work(to_do) => Preview::Change(to_copy(*to_do)),
    })
}

fn to_copy(to_do: ToDo) -> ToCopy {
    let ToDo { work, note, packing } = to_do;
    let objects = work.objects();
    ToCopy {
        source_version: work.source_version(),
        replica_version: work.replica_version(),
        objects: objects.len(),
        bytes: objects.sizes().fold(0, u64::saturating_add),
        tasks: count_tasks(&PlanObjects(objects), packing),
        note,
    }
}
