//! Jobs that only the database knows: they ended, and the machine forgot them since.
//!
//! A question for one waits until the turn is durable, asks the database beside the loop, and
//! comes back as a message. Questions for one job share one look-up; by the time that its answer
//! comes the machine may know the job, and then the machine answers. So a request id that was used
//! before finds its job however long ago that ended, and never makes a second one.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::limits::RECALLS_MAX;
use deepclone_core::machine::Event;
use deepclone_core::reason::Reason;
use tokio::sync::watch;

use super::Driver;
use super::book::{JobSnapshot, ended_snapshot};
use super::message::{Message, Reply, Submission};
use super::take::{Answer, submitted, unknown_job};
use crate::state::{Entry, StateError};

/// Who asks for a job that the machine does not know.
pub(super) enum Recall {
    /// A client that shows or cancels it.
    Show(Reply<Arc<JobSnapshot>>),
    /// A client that follows it.
    Watch(Reply<watch::Receiver<Arc<JobSnapshot>>>),
    /// A client that wants it made, unless it was before.
    Submit(Box<Submission>, Reply<Arc<JobSnapshot>>),
}

impl Recall {
    fn fail(self, failure: Failure) {
        // Who asked may have gone.
        match self {
            Self::Show(reply) | Self::Submit(_, reply) => drop(reply.send(Err(failure))),
            Self::Watch(reply) => drop(reply.send(Err(failure))),
        }
    }
}

impl Driver {
    /// Asks the database for a job; everything that the machine forgot of it is durable there.
    pub(super) fn recall(&mut self, job: JobId, recall: Recall) {
        let waiting: usize = self.recalls.values().map(Vec::len).sum();
        if waiting >= RECALLS_MAX {
            let message = format!("{waiting} requests wait for the database already: try later");
            recall.fail(Failure::new(Reason::Overloaded, message));
            return;
        }
        let asking = self.recalls.entry(job).or_default();
        asking.push(recall);
        if asking.len() > 1 {
            return;
        }
        let (store, sender) = (Arc::clone(&self.context.store), self.sender.clone());
        self.reading.spawn(async move {
            let found = store.find(job).await;
            let _gone = sender.send(Message::Recalled(job, found)).await;
        });
    }

    /// The database answered.
    pub(super) fn recalled(
        &mut self,
        job: JobId,
        found: Result<Option<Vec<Entry>>, StateError>,
        answers: &mut Vec<Answer>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let found = found.and_then(|entries| entries.as_deref().map(ended_snapshot).transpose());
        for recall in self.recalls.remove(&job).unwrap_or_default() {
            if self.machine.job_state(job).is_some() {
                answers.push(match recall {
                    Recall::Show(reply) | Recall::Submit(_, reply) => Answer::Job(job, reply),
                    Recall::Watch(reply) => Answer::Watch(job, reply),
                });
                continue;
            }
            match (&found, recall) {
                (Err(error), recall) => recall.fail(error.failure()),
                (Ok(Some(old)), Recall::Show(reply) | Recall::Submit(_, reply)) => {
                    drop(reply.send(Ok(Arc::clone(old))));
                }
                (Ok(Some(old)), Recall::Watch(reply)) => {
                    drop(reply.send(Ok(watch::Sender::new(Arc::clone(old)).subscribe())));
                }
                (Ok(None), Recall::Submit(submission, reply)) => {
                    answers.push(Answer::Job(job, reply));
                    events.push(submitted(*submission));
                }
                (Ok(None), recall) => recall.fail(unknown_job(job)),
            }
        }
        events
    }
}
