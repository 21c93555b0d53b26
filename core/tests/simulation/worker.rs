//! A model worker: registers, asks, copies, beats, reports until it is told that it was heard.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::{ConnectionKey, Epoch, GrantKey, JobId, TaskFingerprint, WorkerId};
use deepclone_core::machine::{Event, GrantedTask, HeldTask, Moment, TaskOutcome};
use deepclone_core::receipt::{ObjectReceipt, Receipt, TaskFailure, TaskFailureKind};
use deepclone_core::task::Capacity;

use crate::random::Random;
use crate::scenario::{Faults, SLOW_COPY_MS, task_bytes, task_objects};
use crate::steps::bytes_of;

const HEARTBEAT_MS: u64 = 5_000;
const RETRY_MS: u64 = 500;
const LEASE_MS: u64 = 30_000;
const CAPACITY_BYTES: u64 = 512 << 20;

/// A worker process, as the model knows it.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    /// The highest epoch that it heard of; `None` while it is not registered.
    pub(crate) epoch: Option<Epoch>,
    work: BTreeMap<GrantKey, Work>,
    /// When each began and how it ended, until the coordinator answers the report.
    unheard: BTreeMap<GrantKey, (u64, TaskOutcome)>,
    register_at: u64,
    beat_at: u64,
    ask_at: u64,
    report_at: u64,
}

/// A copy under way.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    begun_at: u64,
    ends_at: u64,
    deadline: u64,
    failure: Option<TaskFailureKind>,
}

/// What the coordinator sends.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Registered(Epoch),
    Granted(Epoch, Vec<GrantedTask>),
    Beat {
        epoch: Epoch,
        abandon: Vec<GrantKey>,
        known: bool,
    },
    Heard(Vec<GrantKey>),
    /// The worker is not known: nothing was taken of its report.
    Unknown,
}

impl Worker {
    pub(crate) fn new(number: u64, incarnation: u64, now: u64) -> Self {
        Self {
            id: WorkerId::derive(&format!("w{number}"), &incarnation.to_be_bytes()),
            epoch: None,
            work: BTreeMap::new(),
            unheard: BTreeMap::new(),
            register_at: now,
            beat_at: now,
            ask_at: now,
            report_at: now,
        }
    }

    /// Since when it copies a task.
    pub(crate) fn copies_since(&self, job: JobId, task: TaskFingerprint) -> Option<u64> {
        let same = |key: &GrantKey| key.job == job && key.fingerprint == task;
        self.work.iter().find(|(key, _)| same(key)).map(|(_, work)| work.begun_at)
    }

    /// Bytes that it has moved of a task.
    fn bytes_done(&self, key: &GrantKey, now: u64) -> u64 {
        let bytes = task_bytes(key.fingerprint.0[1]);
        self.work.get(key).map_or(bytes, |work| {
            bytes * (now - work.begun_at) / (work.ends_at - work.begun_at).max(1)
        })
    }

    /// What it works on, or has not been heard on.
    pub(crate) fn unfinished(&self) -> Vec<GrantKey> {
        self.work.keys().chain(self.unheard.keys()).copied().collect()
    }

    /// The next moment at which it does something by itself.
    pub(crate) fn next(&self) -> u64 {
        let work = self.work.values().map(|work| work.ends_at.min(work.deadline));
        let reports = (!self.unheard.is_empty()).then_some(self.report_at);
        let own =
            if self.epoch.is_none() { self.register_at } else { self.beat_at.min(self.ask_at) };
        work.chain(reports).fold(own, u64::min)
    }

    /// Does what is due; returns what it sends.
    pub(crate) fn act(
        &mut self,
        now: u64,
        copy: impl FnMut(&GrantKey) -> Result<Receipt, TaskFailureKind>,
    ) -> Vec<Event> {
        let mut sent = Vec::new();
        self.end_work(now, copy);
        let worker = self.id;
        if self.epoch.is_none() {
            if self.register_at <= now {
                self.register_at = now + RETRY_MS;
                let held = self.unfinished();
                let both = connections();
                let (readable, writable) = (both.clone(), both);
                sent.push(Event::WorkerRegistered { worker, readable, writable, held });
            }
        } else {
            if self.beat_at <= now {
                // Unheard, it is sent again soon; the answer moves it to the next interval.
                self.beat_at = now + RETRY_MS;
                let held = self.unfinished().into_iter();
                let held = held
                    .map(|key| {
                        let bytes_done = self.bytes_done(&key, now);
                        HeldTask { key, bytes_done, bytes_read: bytes_done }
                    })
                    .collect();
                sent.push(Event::Heartbeat { worker, held });
            }
            if self.ask_at <= now {
                self.ask_at = now + 3_000;
                let taken: u64 = self.work.keys().map(|key| bytes_of(key.fingerprint)).sum();
                let capacity =
                    Capacity { bytes: CAPACITY_BYTES.saturating_sub(taken), objects: 300 };
                let deadline = Moment(now + 2_500);
                sent.push(Event::TasksWanted { worker, capacity, deadline });
            }
        }
        if !self.unheard.is_empty() && self.report_at <= now {
            self.report_at = now + RETRY_MS;
            let outcomes =
                self.unheard.iter().map(|(key, ended)| (*key, aged(ended, now))).collect();
            sent.push(Event::Reported { worker, outcomes });
        }
        sent
    }

    fn end_work(
        &mut self,
        now: u64,
        mut copy: impl FnMut(&GrantKey) -> Result<Receipt, TaskFailureKind>,
    ) {
        let due = |work: &Work| work.ends_at.min(work.deadline) <= now;
        let ended: Vec<GrantKey> =
            self.work.iter().filter(|(_, work)| due(work)).map(|(key, _)| *key).collect();
        for key in ended {
            let work = self.work.remove(&key).unwrap();
            let late = work.deadline <= work.ends_at;
            let failure = if late { Some(TaskFailureKind::LeaseExpired) } else { work.failure };
            let copied = failure.map_or_else(|| copy(&key), Err);
            let outcome = match copied {
                Ok(receipt) => TaskOutcome::Done(receipt),
                Err(kind) => {
                    let message = "injected".to_owned();
                    TaskOutcome::Failed(TaskFailure {
                        index: Some(0),
                        kind,
                        message,
                        spent: Default::default(),
                    })
                }
            };
            self.unheard.insert(key, (work.begun_at, outcome));
            self.report_at = now;
            self.ask_at = now;
        }
    }

    /// Takes an answer in; returns the tasks that it begins, and as what they will fail.
    pub(crate) fn hear(
        &mut self,
        now: u64,
        answer: Answer,
        (faults, is_slow): (&Faults, bool),
        cannot: impl Fn(&GrantKey) -> Option<TaskFailureKind>,
        random: &mut Random,
    ) -> Vec<(GrantKey, Option<TaskFailureKind>)> {
        let mut begun = Vec::new();
        match answer {
            Answer::Registered(epoch) if self.epoch.is_none_or(|known| known <= epoch) => {
                self.epoch = Some(epoch);
                self.beat_at = now;
                self.ask_at = now;
            }
            Answer::Granted(epoch, grants) if self.epoch == Some(epoch) => {
                for GrantedTask { key: task, .. } in grants {
                    if self.work.contains_key(&task) || self.unheard.contains_key(&task) {
                        continue;
                    }
                    let rate = random.within(5..80) << 20;
                    let copy_ms = 100 + bytes_of(task.fingerprint) * 1_000 / rate;
                    // What moves no bytes is as fast as its requests.
                    let is_slow = is_slow && bytes_of(task.fingerprint) > 0;
                    let copy_ms = if is_slow { SLOW_COPY_MS } else { copy_ms };
                    let kind = match random.within(0..3) {
                        0 => TaskFailureKind::Transient,
                        1 => TaskFailureKind::Throttled,
                        _ => TaskFailureKind::Corrupt,
                    };
                    let failure = random.chance(faults.task_failure).then_some(kind);
                    let failure = cannot(&task).or(failure);
                    let (ends_at, deadline) = (now + copy_ms, now + LEASE_MS);
                    self.work.insert(task, Work { begun_at: now, ends_at, deadline, failure });
                    begun.push((task, failure));
                }
                self.ask_at = now;
            }
            Answer::Beat { epoch, abandon, known } => {
                if self.epoch.is_some_and(|own| own > epoch) {
                    return begun;
                }
                if !known {
                    self.epoch = None;
                    self.register_at = now;
                    return begun;
                }
                for key in abandon {
                    self.work.remove(&key);
                }
                self.beat_at = now + HEARTBEAT_MS;
                for work in self.work.values_mut() {
                    work.deadline = work.deadline.max(now + LEASE_MS - 1_000);
                }
            }
            Answer::Heard(keys) => {
                for key in keys {
                    self.unheard.remove(&key);
                }
            }
            Answer::Unknown => {
                self.epoch = None;
                self.register_at = now;
            }
            Answer::Registered(_) | Answer::Granted(..) => {}
        }
        begun
    }
}

/// An outcome as it is reported now.
fn aged((begun_at, outcome): &(u64, TaskOutcome), now: u64) -> TaskOutcome {
    let mut outcome = outcome.clone();
    if let TaskOutcome::Done(receipt) = &mut outcome {
        receipt.elapsed_ms = now - begun_at;
    }
    outcome
}

/// The receipt of a task whose bytes are all in its first object.
pub(crate) fn receipt(number: u8, first: ObjectReceipt) -> Receipt {
    let objects = task_objects(number);
    let bytes = task_bytes(number);
    let existed = first.existed;
    let object = |index: u32| {
        let size = if index == 0 { bytes } else { 0 };
        ObjectReceipt { size, ..first.clone() }
    };
    Receipt {
        objects: (0..objects).map(object).collect(),
        bytes_read: bytes,
        bytes_written: if existed { 0 } else { bytes },
        requests: objects * 2,
        ..Receipt::default()
    }
}

/// The two connections that everybody has.
fn connections() -> BTreeSet<ConnectionKey> {
    [ConnectionKey([1; 32]), ConnectionKey([2; 32])].into()
}
