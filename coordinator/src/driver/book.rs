//! What the driver knows of a job beside the machine: when, and what people are told. A fold over
//! the entries, the same while they are recorded and when they are replayed.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::ids::JobId;
use deepclone_core::machine::{End, Fact, JobState, JobView, Machine, Progress};
use tokio::sync::watch;

use crate::state::{Entry, JobSpec, PlanNote, StoreError, decode_spec};

/// A job as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot {
    /// Grows with every change.
    pub sequence: u64,
    /// Its id.
    pub job: JobId,
    /// Its order.
    pub order: Arc<JobSpec>,
    /// Where it stands.
    pub state: JobState,
    /// How far it is.
    pub progress: Progress,
    /// The source's version that it leads to; none before it is planned.
    pub source_version: Option<u64>,
    /// How it ended.
    pub end: Option<End>,
    /// What people are told of its plan.
    pub note: PlanNote,
    /// When it was created, in milliseconds since 1970 (UTC).
    pub created_ms: i64,
    /// When it ended, likewise.
    pub ended_ms: Option<i64>,
}

/// Every job that the machine still shows.
#[derive(Default)]
pub struct Book {
    pages: BTreeMap<JobId, Page>,
    created: u64,
}

struct Page {
    order: Arc<JobSpec>,
    /// The n-th job of this state: the order of lists.
    place: u64,
    sequence: u64,
    note: PlanNote,
    created_ms: i64,
    ended_ms: Option<i64>,
    watchers: Option<watch::Sender<Arc<JobSnapshot>>>,
}

impl Book {
    /// Takes note of an entry that is durable.
    ///
    /// # Errors
    /// A spec that cannot be read.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if let Fact::Created { job, spec, .. } = &entry.fact {
            let page = Page {
                order: Arc::new(decode_spec(spec)?),
                place: self.created,
                sequence: 0,
                note: PlanNote::default(),
                created_ms: entry.recorded_ms,
                ended_ms: None,
                watchers: None,
            };
            self.created += 1;
            self.pages.insert(*job, page);
            return Ok(());
        }
        let (Fact::Planned { job, .. } | Fact::Ended { job, .. }) = &entry.fact else {
            return Ok(());
        };
        if let Some(page) = self.pages.get_mut(job) {
            if let Some(note) = &entry.note {
                page.note = note.clone();
            }
            if matches!(entry.fact, Fact::Ended { .. }) {
                page.ended_ms = Some(entry.recorded_ms);
            }
        }
        Ok(())
    }

    /// A job's order.
    #[must_use]
    pub fn order(&self, job: JobId) -> Option<Arc<JobSpec>> {
        self.pages.get(&job).map(|page| Arc::clone(&page.order))
    }

    /// A job as it is now.
    #[must_use]
    pub fn snapshot(&self, machine: &Machine, job: JobId) -> Option<Arc<JobSnapshot>> {
        let view = machine.job(job)?;
        Some(Arc::new(self.pages.get(&job)?.snapshot(&view)))
    }

    /// Every job, the newest first.
    #[must_use]
    pub fn snapshots(&self, machine: &Machine) -> Vec<Arc<JobSnapshot>> {
        let mut pages: Vec<_> =
            machine.jobs().filter_map(|view| Some((self.pages.get(&view.job)?, view))).collect();
        pages.sort_by_key(|(page, _)| std::cmp::Reverse(page.place));
        pages.into_iter().map(|(page, view)| Arc::new(page.snapshot(&view))).collect()
    }

    /// Follows a job.
    pub fn watch(
        &mut self,
        machine: &Machine,
        job: JobId,
    ) -> Option<watch::Receiver<Arc<JobSnapshot>>> {
        let now = self.snapshot(machine, job)?;
        let page = self.pages.get_mut(&job)?;
        Some(page.watchers.get_or_insert_with(|| watch::Sender::new(now)).subscribe())
    }

    /// Tells a job's watchers that it changed.
    pub fn changed(&mut self, machine: &Machine, job: JobId) {
        let (Some(page), Some(view)) = (self.pages.get_mut(&job), machine.job(job)) else {
            return;
        };
        page.sequence += 1;
        if page.watchers.as_ref().is_some_and(|watchers| watchers.receiver_count() == 0) {
            page.watchers = None;
        }
        let now = page.watchers.is_some().then(|| Arc::new(page.snapshot(&view)));
        if let (Some(watchers), Some(now)) = (&page.watchers, now) {
            watchers.send_replace(now);
        }
    }

    /// Drops what the machine does not show any more.
    pub fn prune(&mut self, machine: &Machine) {
        self.pages.retain(|job, _| machine.job(*job).is_some());
    }
}

impl Page {
    fn snapshot(&self, view: &JobView<'_>) -> JobSnapshot {
        JobSnapshot {
            sequence: self.sequence,
            job: view.job,
            order: Arc::clone(&self.order),
            state: view.state,
            progress: view.progress,
            source_version: view.source_version,
            end: view.end.cloned(),
            note: self.note.clone(),
            created_ms: self.created_ms,
            ended_ms: self.ended_ms,
        }
    }
}
