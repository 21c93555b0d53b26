//! Objects that several workers share: the model of each step, and its checks.

use std::collections::BTreeMap;

use deepclone_core::evidence::{Described, Prior, Verdict, is_replaceable, judge};
use deepclone_core::group::{GroupPlace, GroupStep};
use deepclone_core::ids::{GrantKey, JobId, TaskFingerprint};
use deepclone_core::machine::{Fact, PlanTask};
use deepclone_core::receipt::{
    ObjectReceipt, PartReceipt, Proof, Receipt, SharedUpload, TaskFailureKind,
};

use crate::content::Content;
use crate::scenario::{Kind, Scenario, task_bytes, task_objects};
use crate::steps::{
    FINISH, FIRST_PART, OPEN, PARTS, StepGrant, Upload, at_step, bytes_of, step_of,
};
use crate::store::Store;
use crate::world::World;

impl World {
    /// The names of the tasks of a number, as the job's newest plan has them.
    pub(crate) fn names(&self, job: JobId, number: u8) -> Vec<TaskFingerprint> {
        let name = self.fingerprint(job, number);
        if !self.scenario.is_shared(number) {
            return vec![name];
        }
        let steps = (OPEN..FIRST_PART + PARTS).chain([FINISH]);
        steps.map(|step| at_step(name, step)).collect()
    }

    /// The name of the task with which the object of a number is done.
    pub(crate) fn last_name(&self, job: JobId, number: u8) -> TaskFingerprint {
        self.names(job, number).pop().unwrap()
    }

    /// The tasks of a plan, each with its number.
    pub(crate) fn plan_tasks(&self, job: JobId, numbers: &[u8]) -> Vec<(u8, PlanTask)> {
        let mut tasks = Vec::new();
        let mut group = 0;
        for &number in numbers {
            for fingerprint in self.names(job, number) {
                let step = step_of(fingerprint);
                let objects = match step {
                    None => task_objects(number),
                    Some(GroupStep::Finish) => 1,
                    Some(GroupStep::Open | GroupStep::Parts) => 0,
                };
                let bytes = bytes_of(fingerprint);
                let place = step.map(|step| GroupPlace { group, step });
                tasks.push((number, PlanTask { fingerprint, bytes, objects, group: place }));
            }
            group += u32::from(self.scenario.is_shared(number));
        }
        tasks
    }

    /// A grant leaves: what the step depends on is durable, and is sent with it.
    pub(crate) fn step_is_granted(&mut self, key: &GrantKey) {
        let name = key.fingerprint;
        let Some(step) = step_of(name) else { return };
        let steps = &self.seen.steps;
        let mut grant = StepGrant::default();
        if step != GroupStep::Open {
            let upload = steps.uploads.get(&(key.job, at_step(name, OPEN)));
            assert!(upload.is_some(), "{key:?} is granted, and no upload is a fact");
            grant.upload = upload.cloned();
        }
        if step == GroupStep::Finish {
            for part in FIRST_PART..FIRST_PART + PARTS {
                let parts = steps.parts.get(&(key.job, at_step(name, part)));
                assert!(parts.is_some(), "{key:?} is granted, and part {part} is no fact");
                grant.parts.extend(parts.into_iter().flatten().cloned());
            }
        }
        self.grants.insert(*key, grant);
    }

    /// A fact of a step is durable.
    pub(crate) fn step_recorded(&mut self, fact: &Fact) {
        match fact {
            Fact::TaskDone { job, fingerprint, receipt } => {
                let Some(step) = step_of(*fingerprint) else { return };
                let steps = &mut self.seen.steps;
                let task = (*job, *fingerprint);
                if !receipt.objects.is_empty() {
                    // The object is whole, by its end or because the target had it.
                    self.seen.done.insert((*job, at_step(*fingerprint, 0)));
                    steps.uploads.remove(&(*job, at_step(*fingerprint, OPEN)));
                    return;
                }
                match step {
                    GroupStep::Open => {
                        steps.uploads.insert(task, receipt.upload.clone().unwrap());
                    }
                    GroupStep::Parts => {
                        let open = &steps.uploads[&(*job, at_step(*fingerprint, OPEN))];
                        let upload = receipt.upload.as_ref();
                        assert_eq!(upload, Some(open), "parts of another upload count");
                        steps.parts.insert(task, receipt.parts.clone());
                    }
                    GroupStep::Finish => panic!("an end without its object"),
                }
            }
            Fact::GroupRestarted { job, fingerprints } => {
                self.abort(*job, Some(fingerprints));
                for name in fingerprints {
                    self.seen.steps.parts.remove(&(*job, *name));
                    self.seen.stale.insert(*name);
                    *self.spent.excused.entry((*job, *name)).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// The coordinator throws away the uploads of these tasks of a job, or of all.
    pub(crate) fn abort(&mut self, job: JobId, tasks: Option<&[TaskFingerprint]>) {
        let store = &mut self.store;
        self.seen.steps.uploads.retain(|(of, task), upload| {
            let is_kept = *of != job || tasks.is_some_and(|tasks| !tasks.contains(task));
            if !is_kept {
                store.uploads.remove(&upload.id);
            }
            is_kept
        });
    }

    /// A store loses an upload, by a lifecycle rule or by somebody's hand.
    pub(crate) fn lose_an_upload(&mut self) {
        let chance = self.faults().vacuum / 4;
        if self.scenario.shares && chance > 0 && self.random.chance(chance) {
            self.store.uploads.pop_first();
        }
    }
}

/// A step as a worker does it.
pub(crate) fn step(
    store: &mut Store,
    scenario: &Scenario,
    (key, grant): (&GrantKey, &StepGrant),
    prior: &Prior,
    now: u64,
) -> Result<Receipt, TaskFailureKind> {
    let name = key.fingerprint;
    let held = scenario.held(name.0[2], name.0[1], now);
    match step_of(name) {
        Some(GroupStep::Parts) => write(store, held, key, grant),
        Some(GroupStep::Finish) => finish(store, held, (key, grant), prior, now),
        Some(GroupStep::Open) | None => open(store, scenario, (key, held), prior),
    }
}

fn open(
    store: &mut Store,
    scenario: &Scenario,
    (grant, held): (&GrantKey, Content),
    prior: &Prior,
) -> Result<Receipt, TaskFailureKind> {
    let key = (grant.fingerprint.0[0], grant.fingerprint.0[1]);
    let source_etag = format!("s{}", held.generation);
    if let Some(there) = store.objects.get(&key).cloned() {
        let stored = |content: Content| scenario.stored_checksums.then_some(content.digest());
        let described =
            |etag: &str, crc64nvme| Described { size: 1, etag: etag.to_owned(), crc64nvme };
        let target = described(&there.etag, stored(there.content));
        let is_same = match judge(prior, &described(&source_etag, stored(held)), &target) {
            Verdict::Same { .. } => Some(true),
            Verdict::ReadTarget { crc64nvme } => Some(crc64nvme == there.content.digest()),
            Verdict::Different => Some(false),
            // The end of the upload will tell.
            Verdict::ReadSource => None,
        };
        match is_same {
            Some(true) => return Ok(of_object(key.1, there.content, &there.etag, true)),
            Some(false) if !is_replaceable(prior, &there.etag) => {
                return Err(TaskFailureKind::TargetConflict);
            }
            Some(false) => store.delete(key),
            None => {}
        }
    }
    if grant.attempt.0 > 1 {
        store.uploads.retain(|_, upload| upload.key != key);
    }
    store.opened += 1;
    let id = format!("u{:06}", store.opened);
    store.uploads.insert(id.clone(), Upload { key, content: held, parts: BTreeMap::new() });
    let upload = Some(SharedUpload { id, is_checked: false, source_etag });
    Ok(Receipt { upload, requests: 3, ..Receipt::default() })
}

fn write(
    store: &mut Store,
    held: Content,
    key: &GrantKey,
    grant: &StepGrant,
) -> Result<Receipt, TaskFailureKind> {
    let shared = grant.upload.as_ref().unwrap();
    let upload = store.uploads.get_mut(&shared.id).ok_or(TaskFailureKind::UploadLost)?;
    if shared.source_etag != format!("s{}", held.generation) {
        return Err(TaskFailureKind::SourceChanged);
    }
    assert_eq!(upload.content, held, "a part is of another state than its upload");
    let number = u32::from(key.fingerprint.0[4] - FIRST_PART);
    upload.parts.insert(number, held);
    let size = bytes_of(key.fingerprint);
    let id = format!("{}-{number}", shared.id);
    let part = PartReceipt { number, size, crc64nvme: held.digest(), id, is_proved: true };
    Ok(Receipt {
        upload: Some(shared.clone()),
        parts: vec![part],
        bytes_read: size,
        bytes_written: size,
        requests: 2,
        ..Receipt::default()
    })
}

fn finish(
    store: &mut Store,
    held: Content,
    (grant, step): (&GrantKey, &StepGrant),
    prior: &Prior,
    now: u64,
) -> Result<Receipt, TaskFailureKind> {
    let key = (grant.fingerprint.0[0], grant.fingerprint.0[1]);
    let shared = step.upload.as_ref().unwrap();
    let digest = step.parts[0].crc64nvme;
    let receipt = |content, etag: &str, existed| {
        let upload = Some(shared.clone());
        Receipt { upload, ..of_object(key.1, content, etag, existed) }
    };
    let upload = store.uploads.get(&shared.id).cloned();
    if let Some(there) = store.objects.get(&key).cloned() {
        store.uploads.retain(|_, upload| upload.key != key);
        if there.content.digest() == digest {
            return Ok(receipt(there.content, &there.etag, true));
        }
        if !is_replaceable(prior, &there.etag) {
            return Err(TaskFailureKind::TargetConflict);
        }
        store.delete(key);
        return Err(TaskFailureKind::UploadLost);
    }
    let upload = upload.ok_or(TaskFailureKind::UploadLost)?;
    for number in 0..u32::from(PARTS) {
        assert_eq!(upload.parts.get(&number), Some(&upload.content), "part {number} of {grant:?}");
    }
    assert!(upload.content.generation <= held.generation);
    store.uploads.retain(|_, upload| upload.key != key);
    store.put(key, upload.content, now);
    Ok(receipt(upload.content, &store.objects[&key].etag.clone(), false))
}

fn of_object(number: u8, content: Content, target_etag: &str, existed: bool) -> Receipt {
    let object = ObjectReceipt {
        size: task_bytes(number),
        crc64nvme: content.digest(),
        source_etag: format!("s{}", content.generation),
        target_etag: target_etag.to_owned(),
        existed,
        proof: Proof::StoredChecksum,
    };
    Receipt { objects: vec![object], requests: 2, ..Receipt::default() }
}

/// When all is over: no upload is left while no worker died, and none was lost on the way.
pub(crate) fn at_the_end(world: &World) {
    if matches!(world.scenario.kind, Kind::Calm | Kind::Stalls) {
        assert!(world.store.uploads.is_empty(), "left open: {:?}", world.store.uploads);
    }
}
