//! Tables of cases. A [`Rig`] is a machine with a clock; its invariants hold after every step.

mod announce;
mod clock;
mod denials;
mod groups;
mod holds;
mod invariants;
mod late;
mod leases;
mod life;
mod notices;
mod random_events;
mod recovery;
mod replan;
mod reports;
mod shares;
mod spent;
mod starve;
mod tail;

use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;
use crate::ids::{
    Attempt, ConnectionKey, Epoch, GrantKey, JobId, PlanDigest, TargetKey, TaskFingerprint,
    TaskIndex, WorkerId,
};
use crate::job_limits::JobLimits;
use crate::limits::Limits;
use crate::receipt::{AttemptCounts, ObjectReceipt, Proof, Receipt, TaskFailure, TaskFailureKind};
use crate::task::Capacity;

pub(super) const MIB: u64 = 1 << 20;

pub(super) fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

pub(super) fn worker(number: u128) -> WorkerId {
    WorkerId(Uuid::from_u128(number))
}

pub(super) fn route() -> Route {
    Route { source: ConnectionKey([1; 32]), target: ConnectionKey([2; 32]) }
}

pub(super) fn name(task: u8) -> TaskFingerprint {
    TaskFingerprint([task; 32])
}

/// One object of this size.
pub(super) fn task(number: u8, bytes: u64) -> PlanTask {
    PlanTask { fingerprint: name(number), bytes, objects: 1, group: None }
}

pub(super) fn plan(tasks: Vec<PlanTask>) -> Plan {
    let (digest, replica_version) = (PlanDigest([7; 32]), Some(2));
    Plan { digest, source_version: 5, replica_version, source_is_newest: true, tasks }
}

pub(super) fn receipt(bytes: u64) -> Receipt {
    let object = ObjectReceipt {
        size: bytes,
        crc64nvme: 1,
        source_etag: String::new(),
        target_etag: String::new(),
        existed: false,
        proof: Proof::StoredChecksum,
    };
    Receipt {
        objects: vec![object],
        bytes_read: bytes,
        bytes_written: bytes,
        requests: 2,
        ..Receipt::default()
    }
}

pub(super) fn failed(kind: TaskFailureKind) -> TaskOutcome {
    TaskOutcome::Failed(TaskFailure {
        index: Some(0),
        kind,
        message: "`a.parquet`".to_owned(),
        spent: AttemptCounts::default(),
    })
}

/// A machine with a clock.
#[derive(Clone)]
pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) now: u64,
    pub(super) facts: Vec<Fact>,
    /// The answers to reports: known, and what was refused.
    pub(super) heard: Vec<(bool, Vec<GrantKey>)>,
    pub(super) noticed: Vec<Notice>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let machine = Machine::new(Epoch(1), limits);
        Self { machine, now: 1_000, facts: Vec::new(), heard: Vec::new(), noticed: Vec::new() }
    }

    /// Applies an event; returns what is to be done, without [`Action::Changed`], the answers to
    /// reports, and what is noticed.
    pub(super) fn step(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.machine.step(Moment(self.now), event, &mut actions);
        assert_eq!(self.machine.violations(), []);
        let violated = actions.iter().find(|action| matches!(action, Action::Violated(_)));
        assert_eq!(violated, None);
        self.heard.extend(actions.iter().filter_map(|action| match action {
            Action::Heard { known, refused, .. } => Some((*known, refused.clone())),
            _ => None,
        }));
        self.noticed.extend(actions.iter().filter_map(|action| match action {
            Action::Noticed(notice) => Some(*notice),
            _ => None,
        }));
        actions.retain(|action| {
            !matches!(action, Action::Changed { .. } | Action::Heard { .. } | Action::Noticed(_))
        });
        self.note_facts(&actions);
        actions
    }

    fn note_facts(&mut self, actions: &[Action]) {
        self.facts.extend(actions.iter().filter_map(|action| match action {
            Action::Record(fact) => Some(fact.clone()),
            _ => None,
        }));
    }

    /// Lets time pass as the driver does: at every deadline a step.
    pub(super) fn wait(&mut self, ms: u64) -> Vec<Action> {
        let until = self.now + ms;
        let mut actions = Vec::new();
        while let Some(deadline) = self.machine.next_deadline().filter(|next| next.0 <= until) {
            self.now = self.now.max(deadline.0);
            actions.extend(self.step(Event::DeadlineReached));
        }
        self.now = until;
        actions
    }

    /// Dies and comes back in the next epoch; returns what recovery wants done.
    pub(super) fn restart(&mut self) -> Vec<Action> {
        let epoch = Epoch(self.machine.epoch().0 + 1);
        let mut actions = Vec::new();
        let facts = std::mem::take(&mut self.facts);
        let (limits, now) = (self.machine.limits, Moment(self.now));
        self.machine = Machine::recover(epoch, limits, now, facts.iter().cloned(), &mut actions);
        self.facts = facts;
        assert_eq!(self.machine.violations(), []);
        actions.retain(|action| !matches!(action, Action::Changed { .. }));
        self.note_facts(&actions);
        actions
    }

    pub(super) fn submit(&mut self, number: u128, target: u8) -> Vec<Action> {
        self.submit_with(number, target, JobLimits::default())
    }

    pub(super) fn submit_with(
        &mut self,
        number: u128,
        target: u8,
        limits: JobLimits,
    ) -> Vec<Action> {
        let (job, target) = (job(number), TargetKey([target; 32]));
        self.step(Event::Submitted { job, target, route: route(), spec: vec![9], limits })
    }

    pub(super) fn planned(&mut self, number: u128, tasks: Vec<PlanTask>) -> Vec<Action> {
        self.step(Event::Planned { job: job(number), plan: plan(tasks) })
    }

    pub(super) fn register(&mut self, number: u128, held: Vec<GrantKey>) -> Vec<Action> {
        let readable = BTreeSet::from([route().source]);
        let writable = BTreeSet::from([route().target]);
        let worker = worker(number);
        self.step(Event::WorkerRegistered { worker, readable, writable, held })
    }

    /// A question that waits for 20 s.
    pub(super) fn ask(&mut self, number: u128, bytes_free: u64) -> Vec<Action> {
        let deadline = Moment(self.now + 20_000);
        let capacity = Capacity { bytes: bytes_free, objects: 1_000 };
        self.step(Event::TasksWanted { worker: worker(number), capacity, deadline })
    }

    pub(super) fn report(&mut self, by: u128, key: GrantKey, end: TaskOutcome) -> Vec<Action> {
        self.step(Event::Reported { worker: worker(by), outcomes: vec![(key, end)] })
    }

    pub(super) fn done(&mut self, by: u128, key: GrantKey, bytes: u64) -> Vec<Action> {
        self.report(by, key, TaskOutcome::Done(receipt(bytes)))
    }

    /// A heartbeat; returns what to abandon.
    pub(super) fn beat(&mut self, number: u128, held: &[GrantKey]) -> Vec<GrantKey> {
        let held =
            held.iter().map(|&task| HeldTask { key: task, bytes_done: 1, bytes_read: 0 }).collect();
        let actions = self.step(Event::Heartbeat { worker: worker(number), held });
        match &actions[..] {
            [Action::Beat { abandon, known: true, .. }] => abandon.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn state(&self, number: u128) -> JobState {
        let state = self.machine.job(job(number)).unwrap().state;
        assert_eq!(self.machine.job_state(job(number)), Some(state));
        state
    }

    /// A job with these tasks, copied by worker 1, who got as many as fit into `bytes_free`.
    pub(super) fn copying(tasks: Vec<PlanTask>, bytes_free: u64) -> (Self, Vec<GrantKey>) {
        let mut rig = Self::new();
        rig.register(1, vec![]);
        rig.submit(1, 1);
        rig.planned(1, tasks);
        let keys = granted(&rig.ask(1, bytes_free));
        (rig, keys)
    }
}

/// Every grant among these actions.
pub(super) fn granted(actions: &[Action]) -> Vec<GrantKey> {
    let grants = actions.iter().filter_map(|action| match action {
        Action::Grant { tasks, .. } => Some(tasks),
        _ => None,
    });
    grants.flatten().map(|grant| grant.key).collect()
}

/// A grant of the first job.
pub(super) fn key(task: u8, attempt: u32, epoch: u64) -> GrantKey {
    let (attempt, epoch) = (Attempt(attempt), Epoch(epoch));
    GrantKey { job: job(1), fingerprint: name(task), attempt, epoch }
}
