//! The sources' bytes over time, the model of one copy, and the VACUUM of a target. Names and sizes
//! are the same at every source: only contents tell objects apart.

use deepclone_core::evidence::{Described, Prior, Verdict, is_replaceable, judge};
use deepclone_core::ids::TaskFingerprint;
use deepclone_core::receipt::{ObjectReceipt, Proof, TaskFailureKind};

use crate::content::{Content, Replaced};
use crate::scenario::{Kind, Scenario};
use crate::store::{Key, Store};
use crate::world::World;

/// The source of objects that somebody else writes.
const FOREIGN: u8 = 9;

impl Scenario {
    /// What a source holds under a name.
    pub(crate) fn held(&self, source: u8, number: u8, now: u64) -> Content {
        let was = |replaced: &&Replaced| {
            source == 0 && replaced.number == number && replaced.at_ms <= now
        };
        let generation = self.replaced.iter().filter(was).count() as u8;
        Content { source, number, generation }
    }

    /// The generation that a source's log tells.
    pub(crate) fn logged(&self, source: u8, number: u8, now: u64) -> u8 {
        let was = |replaced: &&Replaced| {
            source == 0 && replaced.number == number && replaced.logged_ms <= now
        };
        self.replaced.iter().filter(was).count() as u8
    }
}

/// One copy of a task's object, as a worker makes it.
pub(crate) fn copy(
    store: &mut Store,
    scenario: &Scenario,
    (fingerprint, prior): (TaskFingerprint, &Prior),
    now: u64,
) -> Result<ObjectReceipt, TaskFailureKind> {
    let [target, number, source, ..] = fingerprint.0;
    let key = (target, number);
    let held = scenario.held(source, number, now);
    // Two sources may use the same tags for other bytes.
    let source_etag = format!("s{}", held.generation);
    let stored = |content: Content| scenario.stored_checksums.then_some(content.digest());
    let receipt = |target_etag: String, existed| ObjectReceipt {
        size: 1,
        crc64nvme: held.digest(),
        source_etag: source_etag.clone(),
        target_etag,
        existed,
        proof: Proof::Length,
    };
    if *prior != Prior::Absent
        && let Some(there) = store.objects.get(&key).cloned()
    {
        let described =
            |etag: &str, crc64nvme| Described { size: 1, etag: etag.to_owned(), crc64nvme };
        let target = described(&there.etag, stored(there.content));
        let digest = match judge(prior, &described(&source_etag, stored(held)), &target) {
            Verdict::Same { crc64nvme, proof } => {
                let receipt = receipt(there.etag, true);
                return Ok(ObjectReceipt { crc64nvme, proof, ..receipt });
            }
            Verdict::Different => None,
            Verdict::ReadTarget { crc64nvme } => Some(crc64nvme),
            Verdict::ReadSource => Some(held.digest()),
        };
        if digest == Some(there.content.digest()) {
            return Ok(receipt(there.etag, true));
        }
        if !is_replaceable(prior, &there.etag) {
            return Err(TaskFailureKind::TargetConflict);
        }
        let is_live = store.referenced(key.0).contains(&number);
        assert!(!is_live, "{key:?} is deleted, and a commit refers to it");
        store.delete(key);
    }
    match store.put(key, held, now) {
        None => Ok(receipt(store.objects[&key].etag.clone(), false)),
        Some(there) if there.content == held => Ok(receipt(there.etag, true)),
        Some(_) => Err(TaskFailureKind::TargetConflict),
    }
}

impl World {
    /// A vacuum deletes what no commit refers to once it is old; not in the moment between the
    /// last look and the commit, which no store can close. Somebody else may use the name then, or
    /// that of a leftover.
    pub(crate) fn vacuum(&mut self) {
        let now = self.now;
        let keys: Vec<Key> = self.store.objects.keys().copied().collect();
        for key in keys {
            let is_awaited = self.in_flight.iter().any(|(target, _)| *target == key.0);
            let is_old = self.store.objects[&key].written_ms + self.scenario.retention_ms <= now;
            let is_contended = self.scenario.kind == Kind::Contents;
            let is_leftover = is_contended && self.is_leftover(key) && self.random.chance(500);
            if is_awaited || !(is_old || is_leftover) {
                continue;
            }
            self.store.vacuum(key);
            let is_free = !self.store.objects.contains_key(&key);
            if is_free && is_contended && (is_leftover || self.random.chance(300)) {
                let content = Content { source: FOREIGN, number: key.1, generation: 0 };
                self.store.put(key, content, now);
            }
        }
    }

    /// True when no job that goes on made the object.
    fn is_leftover(&self, key: Key) -> bool {
        let known = self.known.evidence.get(&key);
        known.is_some_and(|known| self.seen.ends.contains_key(&known.job))
    }
}
