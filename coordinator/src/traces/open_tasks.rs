//! The tasks of a sync that are granted and not done.

use std::collections::BTreeMap;

use deepclone_common::telemetry::span::{EndedSpan, SpanEvent, SpanRole};
use deepclone_core::ids::{Attempt, GrantKey, JobId, TaskFingerprint};
use deepclone_core::limits::{SPAN_EVENTS_MAX, SPANS_OPEN_PER_JOB_MAX};
use deepclone_core::receipt::{Receipt, TaskFailure};
use deepclone_core::trace::{SpanId, TraceContext};
use deepclone_core::unix_time::UnixTime;

use super::attributes::{ERROR_TYPE, SpanAttributes, of_failure, of_receipt, of_task, told};

/// The tasks of a sync that are granted and not done.
#[derive(Debug, Default)]
pub(super) struct OpenTasks(BTreeMap<TaskFingerprint, OpenTask>);

/// A task that was granted for the first time at `began`.
#[derive(Debug)]
struct OpenTask {
    began: UnixTime,
    /// By attempt, to whom it was granted.
    attempts: BTreeMap<Attempt, String>,
    events: Vec<SpanEvent>,
    last_failure: Option<(&'static str, String)>,
}

/// Where the span of a task stands.
pub(super) struct TaskPlace {
    pub(super) context: TraceContext,
    pub(super) parent: SpanId,
}

impl OpenTasks {
    /// Notes a grant. Returns whether the task has a span.
    pub(super) fn granted(&mut self, key: &GrantKey, worker: &str, at: UnixTime) -> bool {
        if self.0.len() >= SPANS_OPEN_PER_JOB_MAX && !self.0.contains_key(&key.fingerprint) {
            return false;
        }
        let new = || OpenTask {
            began: at,
            attempts: BTreeMap::new(),
            events: Vec::new(),
            last_failure: None,
        };
        let task = self.0.entry(key.fingerprint).or_insert_with(new);
        task.attempts.insert(key.attempt, worker.to_owned());
        // Attempts are few, and what failed is told already.
        while task.attempts.len() > SPAN_EVENTS_MAX {
            task.attempts.pop_first();
        }
        true
    }

    /// Notes that an attempt failed, if it was granted to a worker of this name.
    pub(super) fn failed(
        &mut self,
        key: &GrantKey,
        worker: &str,
        failure: &TaskFailure,
        at: UnixTime,
    ) {
        let Some(task) = self.0.get_mut(&key.fingerprint) else { return };
        if task.attempts.get(&key.attempt).is_none_or(|granted| granted != worker) {
            return;
        }
        if task.events.len() < SPAN_EVENTS_MAX {
            let attributes = of_failure(key.attempt.0, worker, failure);
            task.events.push(SpanEvent { name: "attempt failed", at, attributes });
        }
        task.last_failure = Some((failure.kind.name(), told(&failure.message)));
    }

    /// Ends a task by its receipt. A task that was granted before a restart began when its receipt
    /// says.
    pub(super) fn done(
        &mut self,
        (job, task): (JobId, TaskFingerprint),
        receipt: &Receipt,
        at: UnixTime,
        place: &TaskPlace,
    ) -> EndedSpan {
        let open = self.0.remove(&task);
        let elapsed = std::time::Duration::from_millis(receipt.elapsed_ms);
        let began = open.as_ref().map_or_else(|| at.before(elapsed), |open| open.began);
        let mut attributes = of_receipt(receipt);
        let newest = open.as_ref().and_then(|open| open.attempts.keys().next_back());
        attributes.extend(newest.map(|newest| ("deepclone.task.attempts", newest.0.into())));
        let events = open.map(|open| open.events).unwrap_or_default();
        ended((job, task), (began, at), place, attributes, events)
    }

    /// Ends all tasks of a sync that ended: those whose last attempt failed ended so, the others
    /// were given up.
    pub(super) fn give_up(
        &mut self,
        job: JobId,
        at: UnixTime,
        place: impl Fn(TaskFingerprint) -> TaskPlace,
    ) -> Vec<EndedSpan> {
        let open = std::mem::take(&mut self.0);
        let spans = open.into_iter().map(|(task, open)| {
            let mut attributes = SpanAttributes::new();
            let newest = open.attempts.last_key_value();
            if let Some((attempt, worker)) = newest {
                attributes.push(("deepclone.task.attempts", attempt.0.into()));
                attributes.push(("deepclone.worker.name", worker.as_str().into()));
            }
            let mut error = None;
            match open.last_failure {
                Some((kind, message)) => {
                    attributes.push((ERROR_TYPE, kind.into()));
                    error = Some(format!("{kind}: {message}"));
                }
                None => attributes.push(("deepclone.outcome", "given_up".into())),
            }
            let span = ended((job, task), (open.began, at), &place(task), attributes, open.events);
            EndedSpan { error, ..span }
        });
        spans.collect()
    }
}

fn ended(
    (job, task): (JobId, TaskFingerprint),
    (began, ended): (UnixTime, UnixTime),
    place: &TaskPlace,
    more: SpanAttributes,
    events: Vec<SpanEvent>,
) -> EndedSpan {
    let mut attributes = of_task(job, task);
    attributes.extend(more);
    EndedSpan {
        context: place.context,
        parent: Some(place.parent),
        name: "task",
        role: SpanRole::Client,
        began,
        ended,
        attributes,
        events,
        error: None,
    }
}
