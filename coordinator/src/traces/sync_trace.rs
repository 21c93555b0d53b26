//! One sync as its trace shows it: the phase that it is in, and what of it ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_common::telemetry::span::{EndedSpan, SpanRole};
use deepclone_core::ids::{GrantKey, JobId, TaskFingerprint};
use deepclone_core::machine::{End, Fact, JobState, Progress};
use deepclone_core::receipt::TaskFailure;
use deepclone_core::trace::{SpanId, TraceContext, TraceId};
use deepclone_core::unix_time::UnixTime;

use super::attributes::{
    ERROR_TYPE, SpanAttributes, failure_text, of_end, of_job, of_plan, of_progress, of_spec,
};
use super::open_tasks::{OpenTasks, TaskPlace};
use crate::state::JobSpec;

/// One sync that has not ended.
#[derive(Debug)]
pub(super) struct SyncTrace {
    job: JobId,
    job_spec: Arc<JobSpec>,
    created: UnixTime,
    /// `None` between the commit's fact and the end.
    phase: Option<OpenPhase>,
    /// How many phases of each kind began.
    begun: BTreeMap<SyncPhase, u32>,
    /// How often all was copied: a task that is copied again after that is another span.
    rounds: u32,
    tasks: OpenTasks,
    /// An earlier epoch made a plan, and this one has made none yet.
    is_recovered: bool,
}

/// What a sync does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SyncPhase {
    Queue,
    Plan,
    Copy,
    Publish,
    Checkpoint,
}

#[derive(Clone, Copy, Debug)]
struct OpenPhase {
    kind: SyncPhase,
    number: u32,
    began: UnixTime,
}

impl SyncPhase {
    fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Plan => "plan",
            Self::Copy => "copy",
            Self::Publish => "publish",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl SyncTrace {
    /// A sync that is created now: it waits for its turn.
    pub(super) fn new(job: JobId, job_spec: Arc<JobSpec>, at: UnixTime) -> Self {
        let mut new = Self {
            job,
            job_spec,
            created: at,
            phase: None,
            begun: BTreeMap::new(),
            rounds: 0,
            tasks: OpenTasks::default(),
            is_recovered: false,
        };
        new.begin(SyncPhase::Queue, at);
        new
    }

    /// Takes that its facts are those of an earlier epoch: it is planned once more, while what runs
    /// goes on.
    pub(super) fn recovered(&mut self) {
        self.is_recovered = self.begun.contains_key(&SyncPhase::Copy);
    }

    /// Applies a fact after the first, and returns what ended by it.
    pub(super) fn apply(
        &mut self,
        fact: &Fact,
        at: UnixTime,
        progress: Progress,
    ) -> Vec<EndedSpan> {
        match fact {
            Fact::Planned { source_version, replica_version, .. } => {
                self.is_recovered = false;
                let mut attributes = of_plan(&progress);
                attributes.push(("deepclone.source.version", (*source_version).into()));
                let from = replica_version.map(|version| version.into());
                attributes.extend(from.map(|from| ("deepclone.replica.version", from)));
                self.turn_to(SyncPhase::Copy, at, attributes)
            }
            Fact::PublishIntended { .. } => {
                self.rounds += 1;
                let attributes = of_progress(&progress);
                let mut ended = Vec::new();
                if self.is_in(SyncPhase::Publish) {
                    // An earlier epoch copied objects again that were gone.
                    ended = self.turn_to(SyncPhase::Copy, at, SpanAttributes::new());
                }
                ended.extend(self.turn_to(SyncPhase::Publish, at, attributes));
                ended
            }
            Fact::Published { version, .. } => {
                let attributes = vec![("deepclone.replica.version", (*version).into())];
                self.end_phase(at, attributes, None).into_iter().collect()
            }
            Fact::TaskDone { fingerprint, receipt, .. } => {
                let place = self.place(*fingerprint);
                vec![self.tasks.done((self.job, *fingerprint), receipt, at, &place)]
            }
            Fact::Ended { end, progress, .. } => self.ended(end, at, progress),
            Fact::Created { .. }
            | Fact::Limited { .. }
            | Fact::TaskFailed { .. }
            | Fact::GroupRestarted { .. }
            | Fact::CancelRequested { .. } => Vec::new(),
        }
    }

    /// Takes that it is planned from now on. After a restart that is no phase of its own.
    pub(super) fn planning(&mut self, at: UnixTime) -> Vec<EndedSpan> {
        match self.is_recovered {
            true => Vec::new(),
            false => self.turn_to(SyncPhase::Plan, at, SpanAttributes::new()),
        }
    }

    /// Takes its state: objects that are gone before the commit are copied again.
    pub(super) fn changed(&mut self, state: JobState, at: UnixTime) -> Vec<EndedSpan> {
        let copies =
            matches!(state, JobState::Copying | JobState::WaitingForWorkers | JobState::Held);
        match copies && self.is_in(SyncPhase::Publish) {
            true => self.turn_to(SyncPhase::Copy, at, SpanAttributes::new()),
            false => Vec::new(),
        }
    }

    /// Takes when the commit was in the replica's log: what follows is for later readers.
    pub(super) fn committed(&mut self, at: UnixTime) -> Vec<EndedSpan> {
        match self.is_in(SyncPhase::Publish) {
            true => self.turn_to(SyncPhase::Checkpoint, at, SpanAttributes::new()),
            false => Vec::new(),
        }
    }

    /// Notes a grant, and returns the span of its task. `None` when it has none.
    pub(super) fn granted(
        &mut self,
        key: &GrantKey,
        worker: &str,
        at: UnixTime,
    ) -> Option<TraceContext> {
        let context = self.place(key.fingerprint).context;
        self.tasks.granted(key, worker, at).then_some(context)
    }

    pub(super) fn attempt_failed(
        &mut self,
        key: &GrantKey,
        worker: &str,
        failure: &TaskFailure,
        at: UnixTime,
    ) {
        self.tasks.failed(key, worker, failure, at);
    }

    fn ended(&mut self, end: &End, at: UnixTime, progress: &Progress) -> Vec<EndedSpan> {
        let error = match end {
            End::Failed(failure) => Some(failure_text(failure)),
            End::Succeeded { .. } | End::Cancelled => None,
        };
        let mut tasks = std::mem::take(&mut self.tasks);
        let mut spans = tasks.give_up(self.job, at, |task| self.place(task));
        let of_phase = of_end(end).into_iter().filter(|(name, _)| *name == ERROR_TYPE).collect();
        spans.extend(self.end_phase(at, of_phase, error.clone()));
        let mut attributes = of_job(self.job);
        attributes.extend(of_spec(&self.job_spec));
        attributes.extend(of_end(end));
        attributes.extend(of_progress(progress));
        spans.push(EndedSpan {
            context: self.context(SpanId::of_job(self.job)),
            parent: None,
            name: "sync",
            role: SpanRole::Internal,
            began: self.created,
            ended: at,
            attributes,
            events: Vec::new(),
            error,
        });
        spans
    }

    /// Ends the phase and begins the next one.
    fn turn_to(
        &mut self,
        next: SyncPhase,
        at: UnixTime,
        attributes: SpanAttributes,
    ) -> Vec<EndedSpan> {
        let ended = self.end_phase(at, attributes, None);
        self.begin(next, at);
        ended.into_iter().collect()
    }

    fn begin(&mut self, kind: SyncPhase, began: UnixTime) {
        let number = self.begun.entry(kind).or_default();
        *number += 1;
        self.phase = Some(OpenPhase { kind, number: *number, began });
    }

    fn end_phase(
        &mut self,
        at: UnixTime,
        more: SpanAttributes,
        error: Option<String>,
    ) -> Option<EndedSpan> {
        let phase = self.phase.take()?;
        let mut attributes = of_job(self.job);
        attributes.extend(more);
        Some(EndedSpan {
            context: self.context(self.phase_id(&phase)),
            parent: Some(SpanId::of_job(self.job)),
            name: phase.kind.name(),
            role: SpanRole::Internal,
            began: phase.began,
            ended: at,
            attributes,
            events: Vec::new(),
            error,
        })
    }

    fn is_in(&self, kind: SyncPhase) -> bool {
        self.phase.is_some_and(|phase| phase.kind == kind)
    }

    /// The span of a task is below the phase in which it ends.
    fn place(&self, task: TaskFingerprint) -> TaskPlace {
        let whole = SpanId::of_job(self.job);
        TaskPlace {
            context: self.context(SpanId::of_task(self.job, task, self.rounds)),
            parent: self.phase.map_or(whole, |phase| self.phase_id(&phase)),
        }
    }

    fn phase_id(&self, phase: &OpenPhase) -> SpanId {
        SpanId::of_phase(self.job, phase.kind.name(), phase.number)
    }

    fn context(&self, span: SpanId) -> TraceContext {
        TraceContext { trace: TraceId::of_job(self.job), span }
    }
}
