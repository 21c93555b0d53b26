//! What the driver knows of workers beside the machine, and the requests of theirs that wait for an
//! answer.

use std::collections::{BTreeMap, VecDeque};

use deepclone_core::ids::{GrantKey, WorkerId};
use deepclone_core::machine::{Machine, Moment};
use deepclone_core::task::Grant;

use super::message::{Beat, Reply};
use super::refusal::unknown_worker;
use super::snapshot::WorkerDescription;
use crate::flow::ByteFlow;

/// Every worker that is registered or waits for an answer.
#[derive(Default)]
pub(super) struct WorkerTable(BTreeMap<WorkerId, WorkerEntry>);

#[derive(Default)]
struct WorkerEntry {
    /// `None` when it never registered.
    info: Option<WorkerDescription>,
    flow: ByteFlow,
    /// Its request for tasks.
    acquire: Option<Reply<Vec<Grant>>>,
    /// Its heartbeats of this turn.
    heartbeats: Vec<Reply<Beat>>,
    /// Its reports of this turn, in the order of their events.
    reports: VecDeque<Reply<Vec<GrantKey>>>,
}

impl WorkerTable {
    pub(super) fn register(&mut self, worker: WorkerId, info: WorkerDescription) {
        self.entry(worker).info = Some(info);
    }

    /// `None` when the worker is not registered.
    pub(super) fn info(&self, worker: WorkerId) -> Option<&WorkerDescription> {
        self.0.get(&worker)?.info.as_ref()
    }

    /// Notes how many bytes a worker has copied so far, with those of tasks that are not done.
    pub(super) fn flowed(&mut self, worker: WorkerId, bytes: u64, now: Moment) {
        if let Some(entry) = self.0.get_mut(&worker) {
            entry.flow.note(bytes, now);
        }
    }

    /// What a worker copied lately, in bytes a second. `None` while that is not known.
    pub(super) fn bytes_per_second(&self, worker: WorkerId, now: Moment) -> Option<u64> {
        self.0.get(&worker)?.flow.bytes_per_second(now)
    }

    /// Keeps a request for tasks. An older one of the same worker is answered with nothing.
    pub(super) fn acquire(&mut self, worker: WorkerId, reply: Reply<Vec<Grant>>) {
        if let Some(older) = self.entry(worker).acquire.replace(reply) {
            let _gone = older.send(Ok(Vec::new()));
        }
    }

    pub(super) fn heartbeat(&mut self, worker: WorkerId, reply: Reply<Beat>) {
        self.entry(worker).heartbeats.push(reply);
    }

    pub(super) fn report(&mut self, worker: WorkerId, reply: Reply<Vec<GrantKey>>) {
        self.entry(worker).reports.push_back(reply);
    }

    /// Answers the request for tasks.
    pub(super) fn grant(&mut self, worker: WorkerId, grants: Vec<Grant>) {
        if let Some(reply) = self.0.get_mut(&worker).and_then(|entry| entry.acquire.take()) {
            let _gone = reply.send(Ok(grants));
        }
    }

    /// Answers the heartbeats. `None`: the machine does not know the worker.
    pub(super) fn beat(&mut self, worker: WorkerId, beat: Option<&Beat>) {
        let Some(entry) = self.0.get_mut(&worker) else { return };
        for reply in std::mem::take(&mut entry.heartbeats) {
            let _gone = reply.send(beat.cloned().ok_or_else(|| unknown_worker(worker)));
        }
    }

    /// Answers the oldest report. `None`: the machine does not know the worker.
    pub(super) fn heard(&mut self, worker: WorkerId, refused: Option<Vec<GrantKey>>) {
        let reply = self.0.get_mut(&worker).and_then(|entry| entry.reports.pop_front());
        if let Some(reply) = reply {
            let _gone = reply.send(refused.ok_or_else(|| unknown_worker(worker)));
        }
    }

    /// Drops the workers that the machine refused, or forgot since.
    pub(super) fn prune(&mut self, machine: &Machine) {
        if self.0.len() > machine.workers().len() {
            self.0.retain(|&worker, entry| {
                machine.worker(worker).is_some() || entry.waits_for_an_answer()
            });
        }
    }

    fn entry(&mut self, worker: WorkerId) -> &mut WorkerEntry {
        self.0.entry(worker).or_default()
    }
}

impl WorkerEntry {
    fn waits_for_an_answer(&self) -> bool {
        self.acquire.is_some() || !self.heartbeats.is_empty() || !self.reports.is_empty()
    }
}
