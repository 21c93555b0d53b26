//! Facts of syncs → those who look on: events of lineage, and alerts about single syncs.

use deepclone_core::ids::JobId;
use deepclone_core::machine::{End, Fact};
use deepclone_core::unix_time::UnixTime;

use super::owner::Driver;
use crate::lineage::moment::{LineageMoment, LineageSubject, SyncMoment, SyncStep, SyncWritten};
use crate::observers::LoneEnd;
use crate::state::Entry;

impl Driver {
    /// Tells of the beginning and of the end of a sync, once that is durable.
    pub(super) fn observe(&self, entry: &Entry) {
        let at = UnixTime(entry.recorded_ms);
        match &entry.fact {
            Fact::Created { job, .. } => self.tell_lineage(*job, at, SyncStep::Started),
            Fact::Ended { job, end, .. } => {
                self.tell_lone(*job, at, end);
                let step = match end {
                    End::Succeeded { replica_version, .. } => {
                        let written = written(entry);
                        SyncStep::Completed { replica_version: *replica_version, written }
                    }
                    End::Failed(failure) => SyncStep::Failed(failure.clone()),
                    End::Cancelled => SyncStep::Cancelled,
                };
                self.tell_lineage(*job, at, step);
            }
            _ => {}
        }
    }

    fn tell_lineage(&self, job: JobId, at: UnixTime, step: SyncStep) {
        let lineage = &self.context.observers.lineage;
        let Some(entry) = self.jobs.get(job).filter(|_| lineage.is_wanted()) else { return };
        let planned = self.machine.job(job).and_then(|view| match view.end {
            Some(End::Succeeded { source_version, .. }) => Some(*source_version),
            _ => view.source_version,
        });
        let schema = entry.work.plan.as_ref().map(|plan| plan.work.schema().to_owned());
        lineage.tell(LineageMoment {
            at,
            of: LineageSubject::Sync(SyncMoment {
                job,
                job_spec: entry.job_spec.clone(),
                source_version: planned,
                schema,
                step,
            }),
        });
    }

    /// Tells of the end of a sync that is of no replication.
    fn tell_lone(&self, job: JobId, at: UnixTime, end: &End) {
        let Some(entry) = self.jobs.get(job) else { return };
        if entry.job_spec.origin.is_some() {
            return;
        }
        let failure = match end {
            End::Succeeded { .. } => None,
            End::Failed(failure) => Some(failure.clone()),
            // Whoever ended it knows.
            End::Cancelled => return,
        };
        let target = entry.job_spec.target.uri.clone();
        self.context.observers.lone_ended(LoneEnd { target, at, failure });
    }
}

/// What a sync added, by the figures of its plan; one that was up to date added nothing.
fn written(entry: &Entry) -> SyncWritten {
    let figures = entry.note.as_ref().map(|note| &note.clone_metrics);
    let figure = |name: &str| {
        let found = figures.and_then(|figures| figures.get(name)).copied();
        found.and_then(|figure| u64::try_from(figure).ok()).unwrap_or(0)
    };
    SyncWritten { files: figure("num_copied_files"), bytes: figure("copied_files_size") }
}
