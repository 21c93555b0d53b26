//! What the driver knows of a job beside the machine: when, and what people are told. A fold over
//! the entries, the same while they are recorded and when they are replayed.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::limits::{WATCHERS_MAX, WATCHERS_PER_JOB_MAX};
use deepclone_core::machine::{End, Fact, JobState, JobView, Machine, Progress};
use deepclone_core::reason::Reason;
use tokio::sync::watch;

use super::message::{JobsPage, JobsQuery};
use crate::state::{Entry, JobSpec, PlanNote, StateError, decode_spec};

/// A job as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot {
    /// Grows with every change.
    pub sequence: u64,
    /// Its id.
    pub job: JobId,
    /// What it asks for, resolved.
    pub job_spec: Arc<JobSpec>,
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
    /// The jobs in the order of lists, the oldest first.
    places: BTreeMap<u64, JobId>,
    /// Who follows which job.
    watchers: BTreeMap<JobId, watch::Sender<Arc<JobSnapshot>>>,
    created: u64,
}

struct Page {
    job_spec: Arc<JobSpec>,
    /// The n-th job of this state: the order of lists.
    place: u64,
    sequence: u64,
    note: PlanNote,
    created_ms: i64,
    ended_ms: Option<i64>,
}

impl Book {
    /// Takes note of an entry that is durable.
    ///
    /// # Errors
    /// A spec that cannot be read.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), StateError> {
        if let Fact::Created { job, spec, .. } = &entry.fact {
            let page = Page {
                job_spec: Arc::new(decode_spec(spec)?),
                place: self.created,
                sequence: 0,
                note: PlanNote::default(),
                created_ms: entry.recorded_ms,
                ended_ms: None,
            };
            self.places.insert(page.place, *job);
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

    /// What a job asks for, resolved.
    #[must_use]
    pub fn job_spec(&self, job: JobId) -> Option<Arc<JobSpec>> {
        self.pages.get(&job).map(|page| Arc::clone(&page.job_spec))
    }

    /// A job as it is now.
    #[must_use]
    pub fn snapshot(&self, machine: &Machine, job: JobId) -> Option<Arc<JobSnapshot>> {
        let view = machine.job(job)?;
        Some(Arc::new(self.pages.get(&job)?.snapshot(&view)))
    }

    /// Some jobs, the newest first. None: the job to begin after is not shown any more.
    #[must_use]
    pub fn page(&self, machine: &Machine, query: &JobsQuery) -> Option<JobsPage> {
        let end = match query.after {
            Some(job) => self.pages.get(&job)?.place,
            None => u64::MAX,
        };
        let fits = |job: &JobId| match query.state {
            Some(state) => machine.job_state(*job) == Some(state),
            None => true,
        };
        let mut rest = self.places.range(..end).rev().map(|(_, job)| *job).filter(fits);
        let jobs = rest.by_ref().take(query.size).filter_map(|job| self.snapshot(machine, job));
        let jobs = jobs.collect();
        Some(JobsPage { jobs, is_more: rest.next().is_some() })
    }

    /// Follows a job. None: there is none.
    ///
    /// # Errors
    /// Too many follow it, or follow jobs at all.
    pub fn watch(
        &mut self,
        machine: &Machine,
        job: JobId,
    ) -> Result<Option<watch::Receiver<Arc<JobSnapshot>>>, Failure> {
        let Some(now) = self.snapshot(machine, job) else { return Ok(None) };
        self.watchers.retain(|_, watchers| watchers.receiver_count() > 0);
        let count = |watchers: &watch::Sender<_>| watchers.receiver_count();
        let here = self.watchers.get(&job).map_or(0, count);
        let all: usize = self.watchers.values().map(count).sum();
        for (what, count, most) in
            [("the job", here, WATCHERS_PER_JOB_MAX), ("jobs", all, WATCHERS_MAX)]
        {
            if count >= most {
                let message =
                    format!("{count} streams follow {what} already, and at most {most} may");
                return Err(Failure::new(Reason::Overloaded, message));
            }
        }
        let watchers = self.watchers.entry(job).or_insert_with(|| watch::Sender::new(now));
        Ok(Some(watchers.subscribe()))
    }

    /// Tells a job's watchers that it changed.
    pub fn changed(&mut self, machine: &Machine, job: JobId) {
        let Some(page) = self.pages.get_mut(&job) else { return };
        page.sequence += 1;
        let Some(watchers) = self.watchers.get(&job) else { return };
        if watchers.receiver_count() == 0 {
            self.watchers.remove(&job);
        } else if let Some(view) = machine.job(job) {
            watchers.send_replace(Arc::new(page.snapshot(&view)));
        }
    }

    /// Drops what the machine does not show any more.
    pub fn prune(&mut self, machine: &Machine) {
        self.pages.retain(|job, _| machine.job_state(*job).is_some());
        self.places.retain(|_, job| self.pages.contains_key(job));
        self.watchers.retain(|job, _| self.pages.contains_key(job));
    }
}

/// A job as it ended, from the entries that are kept of it.
///
/// # Errors
/// Entries that do not tell of one ended job.
pub fn ended_snapshot(entries: &[Entry]) -> Result<Arc<JobSnapshot>, StateError> {
    let damaged = || StateError::Damaged {
        kind: "job".to_owned(),
        why: "it has no beginning or no end".to_owned(),
    };
    let mut book = Book::default();
    for entry in entries {
        book.apply(entry)?;
    }
    let (job, page) = book.pages.pop_first().ok_or_else(damaged)?;
    let mut source_version = None;
    let mut found = None;
    for entry in entries {
        match &entry.fact {
            Fact::Planned { source_version: version, .. } => source_version = Some(*version),
            Fact::Ended { end, progress, .. } => found = Some((end.clone(), *progress)),
            _ => {}
        }
    }
    let (end, progress) = found.ok_or_else(damaged)?;
    if let End::Succeeded { source_version: version, .. } = end {
        source_version = Some(version);
    }
    Ok(Arc::new(JobSnapshot {
        sequence: page.sequence,
        job,
        job_spec: page.job_spec,
        state: end.state(),
        progress,
        source_version,
        end: Some(end),
        note: page.note,
        created_ms: page.created_ms,
        ended_ms: page.ended_ms,
    }))
}

impl Page {
    fn snapshot(&self, view: &JobView<'_>) -> JobSnapshot {
        JobSnapshot {
            sequence: self.sequence,
            job: view.job,
            job_spec: Arc::clone(&self.job_spec),
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
