//! What the driver knows of jobs beside the machine: one entry for each job that the machine shows.
//!
//! An entry begins with the submission, or with the facts of an earlier epoch. It holds what
//! clients are shown ([`JobEntry`]) and, while the job is live, what its effects need
//! ([`JobWork`]).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, TargetKey, TaskFingerprint};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::machine::{End, Fact, JobView, Machine};
use deepclone_core::price::Traffic;
use deepclone_core::receipt::{Receipt, SharedUpload};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::job_query::JobsQuery;
use super::snapshot::{JobPhases, JobSnapshot};
use super::story::JobStory;
use super::watchers::Watchers;
use crate::costs::book::{Book, ahead, told};
use crate::job_plan::JobPlan;
use crate::shared_steps::SharedSteps;
use crate::state::{
    Entry, Evidence, JobOrder, JobPlace, JobSent, JobSpec, PlanNote, StateError, UsageRow,
    decode_spec,
};

/// Every job that the machine shows.
#[derive(Default)]
pub(super) struct JobTable {
    entries: BTreeMap<JobId, JobEntry>,
    /// The jobs whose creation is durable, in the order of lists.
    places: BTreeSet<JobPlace>,
    watchers: Watchers,
    /// What the live ones sent.
    pub(super) book: Book,
}

/// What is known of one job.
pub(super) struct JobEntry {
    pub(super) job_spec: Arc<JobSpec>,
    pub(super) work: JobWork,
    story: JobStory,
    sequence: u64,
    /// As recorded with the job's newest plan or its end.
    note: PlanNote,
    /// What the coordinator read for it.
    logs: Traffic,
    created_ms: i64,
    phases: JobPhases,
    ended_ms: Option<i64>,
}

/// What the effects of a live job need.
#[derive(Default)]
pub(super) struct JobWork {
    /// The newest plan. `None` before the first.
    pub(super) plan: Option<Arc<JobPlan>>,
    /// What clients are shown once the fact of the plan, or of the end, is durable.
    pub(super) note: Option<PlanNote>,
    /// Ends the planning effect that runs.
    pub(super) planning: Option<AbortHandle>,
    /// Source keys that workers did not find: the next plan fails if it needs one again.
    pub(super) vanished: BTreeSet<String>,
    /// What is recorded of shared objects that are not whole yet.
    pub(super) steps: SharedSteps,
    /// Receipts of earlier grants that came before the first plan of this epoch.
    early: Vec<EarlyReceipt>,
}

/// A receipt whose objects are not known before the plan.
struct EarlyReceipt {
    fingerprint: TaskFingerprint,
    receipt: Receipt,
    recorded_ms: i64,
}

impl JobTable {
    /// Returns how many jobs of this submitter have not ended.
    pub(super) fn live_of(&self, submitter: &str) -> usize {
        let is_live_of = |entry: &&JobEntry| {
            entry.ended_ms.is_none() && entry.job_spec.submitter.as_deref() == Some(submitter)
        };
        self.entries.values().filter(is_live_of).count()
    }

    /// The table as the facts of earlier epochs leave it.
    ///
    /// # Errors
    /// A spec that cannot be read.
    pub(super) fn recover(entries: &[Entry]) -> Result<Self, StateError> {
        let mut table = Self::default();
        for entry in entries {
            if let Fact::Created { job, spec, .. } = &entry.fact {
                table.submit(*job, Arc::new(decode_spec(spec)?));
            }
            table.recorded(entry);
        }
        Ok(table)
    }

    /// Makes an entry for a job whose submission the machine takes in this turn. An entry that
    /// exists stays.
    pub(super) fn submit(&mut self, job: JobId, job_spec: Arc<JobSpec>) {
        if self.entries.contains_key(&job) {
            return;
        }
        let entry = JobEntry {
            story: JobStory::new(Some(Arc::clone(&job_spec))),
            job_spec,
            work: JobWork::default(),
            sequence: 0,
            note: PlanNote::default(),
            logs: Traffic::default(),
            created_ms: 0,
            phases: JobPhases::default(),
            ended_ms: None,
        };
        self.entries.insert(job, entry);
    }

    pub(super) fn get(&self, job: JobId) -> Option<&JobEntry> {
        self.entries.get(&job)
    }

    /// What the effects of a job need; also of one that is not live.
    pub(super) fn work(&mut self, job: JobId) -> Option<&mut JobWork> {
        self.entries.get_mut(&job).map(|entry| &mut entry.work)
    }

    /// What the log tells of a job besides its facts.
    pub(super) fn story(&mut self, job: JobId) -> Option<&mut JobStory> {
        self.entries.get_mut(&job).map(|entry| &mut entry.story)
    }

    /// Notes who asked for the end of a job.
    pub(super) fn cancelled_by(&mut self, job: JobId, by: Option<String>) {
        if let Some(story) = self.story(job) {
            story.cancelled_by = by;
        }
    }

    /// Returns the newest plan of a job.
    pub(super) fn plan(&self, job: JobId) -> Option<&Arc<JobPlan>> {
        self.entries.get(&job)?.work.plan.as_ref()
    }

    /// Applies an entry that is durable.
    pub(super) fn recorded(&mut self, entry: &Entry) {
        let Some(job) = self.entries.get_mut(&entry.fact.job()) else { return };
        job.work.steps.record(&entry.fact);
        match &entry.fact {
            Fact::Created { job: id, .. } => {
                job.created_ms = entry.recorded_ms;
                self.places.insert(JobPlace { created_ms: entry.recorded_ms, job: *id });
            }
            Fact::Planned { .. } => {
                job.phases = JobPhases { planned_ms: Some(entry.recorded_ms), publishing_ms: None };
            }
            Fact::PublishIntended { .. } => job.phases.publishing_ms = Some(entry.recorded_ms),
            Fact::Ended { .. } => job.ended_ms = Some(entry.recorded_ms),
            _ => {}
        }
        if let Some(note) = &entry.note {
            job.logs = note.logs;
            job.note = note.clone();
        }
    }

    /// Counts what an effect read for a job.
    pub(super) fn note_reads(&mut self, job: JobId, reads: Traffic) {
        if let Some(entry) = self.entries.get_mut(&job) {
            entry.logs = entry.logs + reads;
        }
    }

    /// What every job tells that it sent, that has not ended.
    pub(super) fn told(&self, machine: &Machine) -> BTreeMap<JobId, Traffic> {
        let live = self.entries.iter().filter_map(|(job, entry)| {
            let view = machine.job(*job).filter(|view| view.end.is_none())?;
            Some((*job, told(&view.progress, entry.logs)))
        });
        live.collect()
    }

    /// Books what a job sent. Returns the row that changes.
    pub(super) fn book_sent(&mut self, machine: &Machine, job: JobId) -> Option<UsageRow> {
        let (entry, view) = (self.entries.get(&job)?, machine.job(job)?);
        self.book.note(job, &entry.job_spec, told(&view.progress, entry.logs))
    }

    /// Returns the note to record with a fact.
    pub(super) fn note_of(&self, fact: &Fact) -> Option<PlanNote> {
        let entry = self.entries.get(&fact.job())?;
        match fact {
            Fact::Planned { .. } => {
                Some(PlanNote { logs: entry.logs, sent: None, ..entry.work.note.clone()? })
            }
            Fact::Ended { job, .. } => {
                let note = entry.work.note.as_ref().unwrap_or(&entry.note).clone();
                Some(PlanNote { logs: entry.logs, sent: self.sent(*job), ..note })
            }
            _ => None,
        }
    }

    fn sent(&self, job: JobId) -> Option<JobSent> {
        self.book.sent(job).map(|(traffic, cost)| JobSent { traffic, cost })
    }

    pub(super) fn snapshot(&self, machine: &Machine, job: JobId) -> Option<Arc<JobSnapshot>> {
        let view = machine.job(job)?;
        Some(Arc::new(self.entries.get(&job)?.snapshot(&view, &self.book)))
    }

    /// Jobs that a query asks for, as many as it wants at the most, in its order.
    pub(super) fn list(&self, machine: &Machine, query: &JobsQuery) -> Vec<Arc<JobSnapshot>> {
        let (start, end) = match (query.after, query.order) {
            (None, _) => (Unbounded, Unbounded),
            (Some(after), JobOrder::NewestFirst) => (Unbounded, Excluded(after)),
            (Some(after), JobOrder::OldestFirst) => (Excluded(after), Unbounded),
        };
        let range = self.places.range((start, end));
        let fits = |place: &&JobPlace| {
            let (entry, state) = (self.entries.get(&place.job), machine.job_state(place.job));
            entry.zip(state).is_some_and(|(entry, state)| {
                query.filter.fits(state, &entry.job_spec, place.created_ms)
            })
        };
        let shown = |place: &JobPlace| self.snapshot(machine, place.job);
        match query.order {
            JobOrder::NewestFirst => {
                range.rev().filter(fits).filter_map(shown).take(query.size).collect()
            }
            JobOrder::OldestFirst => {
                range.filter(fits).filter_map(shown).take(query.size).collect()
            }
        }
    }

    /// Follows a job. `None` when there is none.
    ///
    /// # Errors
    /// As [`Watchers::follow`].
    pub(super) fn watch(
        &mut self,
        machine: &Machine,
        job: JobId,
    ) -> Result<Option<watch::Receiver<Arc<JobSnapshot>>>, Failure> {
        self.snapshot(machine, job).map(|now| self.watchers.follow(now)).transpose()
    }

    /// Tells a job's watchers that it changed.
    pub(super) fn changed(&mut self, machine: &Machine, job: JobId) {
        let Some(entry) = self.entries.get_mut(&job) else { return };
        entry.sequence += 1;
        let book = &self.book;
        let now = || machine.job(job).map(|view| Arc::new(entry.snapshot(&view, book)));
        self.watchers.send(job, now);
    }

    /// Drops the jobs that the machine refused, or does not show any more.
    pub(super) fn prune(&mut self, machine: &Machine) {
        if self.entries.len() == machine.jobs().len() {
            return;
        }
        self.entries.retain(|&job, _| machine.job_state(job).is_some());
        self.places.retain(|place| self.entries.contains_key(&place.job));
        self.watchers.retain(|job| self.entries.contains_key(&job));
        self.book.retain(|job| self.entries.contains_key(&job));
    }
}

impl JobEntry {
    fn snapshot(&self, view: &JobView<'_>, book: &Book) -> JobSnapshot {
        let sent = book.sent(view.job).map(|(traffic, cost)| JobSent { traffic, cost });
        let is_ahead = view.end.is_none() && view.source_version.is_some();
        let ahead = is_ahead.then(|| ahead(&view.progress, self.note.requests));
        JobSnapshot {
            sent: sent.or_else(|| self.note.sent.clone()),
            ahead: ahead.map(|traffic| book.price(&self.job_spec, traffic)),
            sequence: self.sequence,
            job: view.job,
            job_spec: Arc::clone(&self.job_spec),
            limits: view.limits,
            state: view.state,
            progress: view.progress,
            source_version: view.source_version,
            end: view.end.cloned(),
            note: self.note.clone(),
            created_ms: self.created_ms,
            phases: self.phases,
            ended_ms: self.ended_ms,
        }
    }
}

impl JobWork {
    /// Returns the evidence to record with a fact: what its receipt saw, or what earlier receipts
    /// saw of the plan that is made now.
    pub(super) fn evidence_of(
        &mut self,
        fact: &Fact,
        recorded_ms: i64,
    ) -> Vec<(TargetKey, Evidence)> {
        match (fact, &self.plan) {
            (Fact::TaskDone { job, fingerprint, receipt }, Some(plan)) => {
                evidence(plan, *job, *fingerprint, receipt, recorded_ms)
            }
            (Fact::TaskDone { fingerprint, receipt, .. }, None) => {
                let (fingerprint, receipt) = (*fingerprint, receipt.clone());
                self.early.push(EarlyReceipt { fingerprint, receipt, recorded_ms });
                Vec::new()
            }
            (Fact::Planned { job, .. }, Some(plan)) => std::mem::take(&mut self.early)
                .iter()
                .flat_map(|early| {
                    let EarlyReceipt { fingerprint, receipt, recorded_ms } = early;
                    evidence(plan, *job, *fingerprint, receipt, *recorded_ms)
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the uploads that are open of these tasks, or of all, with the keys of their objects.
    /// Without a plan nothing tells their keys.
    pub(super) fn open_uploads(
        &self,
        tasks: Option<&[TaskFingerprint]>,
    ) -> Vec<(String, SharedUpload)> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let open = self.steps.open();
        let wanted = open.filter(|(task, _)| tasks.is_none_or(|tasks| tasks.contains(task)));
        wanted.filter_map(|(task, upload)| Some((plan.target_key(task)?, upload.clone()))).collect()
    }

    /// Returns the uploads that are open and that another plan has no task for.
    pub(super) fn orphans(&self, next: &JobPlan) -> Vec<(String, SharedUpload)> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let open = self.steps.open().filter(|(task, _)| !next.has(*task));
        open.filter_map(|(task, upload)| Some((plan.target_key(task)?, upload.clone()))).collect()
    }

    /// Ends the planning effect that runs, so that another may start.
    pub(super) fn stop(self) {
        if let Some(planning) = self.planning {
            planning.abort();
        }
    }
}

/// A task that the plan does not have any more leaves no evidence.
fn evidence(
    plan: &JobPlan,
    job: JobId,
    fingerprint: TaskFingerprint,
    receipt: &Receipt,
    recorded_ms: i64,
) -> Vec<(TargetKey, Evidence)> {
    let evidence = plan.evidence(job, fingerprint, receipt, recorded_ms);
    evidence.into_iter().map(|evidence| (plan.target, evidence)).collect()
}

/// A job as it ended, from the entries that the database keeps of it.
///
/// # Errors
/// The entries are not those of one ended job.
pub(super) fn ended_snapshot(entries: &[Entry]) -> Result<Arc<JobSnapshot>, StateError> {
    let damaged = || StateError::Damaged {
        kind: "job".to_owned(),
        why: "it has no beginning or no end".to_owned(),
    };
    let mut table = JobTable::recover(entries)?;
    let (job, JobEntry { job_spec, sequence, note, created_ms, phases, ended_ms, .. }) =
        table.entries.pop_first().ok_or_else(damaged)?;
    let (mut source_version, mut found) = (None, None);
    let mut limits = JobLimits::default();
    for entry in entries {
        match &entry.fact {
            Fact::Limited { limits: last, .. } => limits = *last,
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
        sent: note.sent.clone(),
        ahead: None,
        sequence,
        job,
        job_spec,
        limits,
        state: end.state(),
        progress,
        source_version,
        end: Some(end),
        note,
        created_ms,
        phases,
        ended_ms,
    }))
}
