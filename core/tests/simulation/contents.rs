//! What objects hold: the sources' bytes over time, what receipts recorded of them, and the model
//! of one copy. Names and sizes are the same at every source: only contents tell objects apart.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::evidence::{
    Described, Freshness, Prior, Recorded, Verdict, is_fresh, is_replaceable, judge, prior,
    prior_age_max_ms,
};
use deepclone_core::ids::{JobId, SourceKey, TaskFingerprint};
use deepclone_core::machine::Fact;
use deepclone_core::receipt::{ObjectReceipt, TaskFailureKind};

use crate::scenario::{Kind, Scenario};
use crate::store::{Key, Store};
use crate::world::World;

/// The source of objects that somebody else writes.
const FOREIGN: u8 = 9;

/// The bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) source: u8,
    pub(crate) number: u8,
    /// How often the file was replaced in place before.
    pub(crate) generation: u8,
}

impl Content {
    pub(crate) fn digest(self) -> u64 {
        u64::from_be_bytes([1, self.source, self.number, self.generation, 0, 0, 0, 0])
    }
}

/// A file of source 0 that is replaced in place, and when its log says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    pub(crate) number: u8,
    pub(crate) at_ms: u64,
    pub(crate) logged_ms: u64,
}

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

/// What a receipt recorded.
#[derive(Clone, Debug)]
pub(crate) struct KnownCopy {
    job: JobId,
    source: u8,
    object: ObjectReceipt,
    recorded_ms: i64,
}

/// Everything that is known of copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    evidence: BTreeMap<Key, KnownCopy>,
    /// Jobs whose commit may be in a log.
    published: BTreeSet<JobId>,
    /// What workers are told of the objects of the newest plans.
    pub(crate) priors: BTreeMap<(JobId, TaskFingerprint), Prior>,
    /// How long targets keep objects that no commit refers to.
    retention_ms: i64,
}

impl Known {
    pub(crate) fn new(retention_ms: u64) -> Self {
        Self { retention_ms: retention_ms.cast_signed(), ..Self::default() }
    }

    /// A fact is durable: what its receipt says is kept.
    pub(crate) fn record(&mut self, fact: &Fact, source: u8, now: u64) {
        let Fact::TaskDone { job, fingerprint, receipt } = fact else { return };
        let key = (fingerprint.0[0], fingerprint.0[1]);
        let recorded_ms = (now as i64).saturating_sub_unsigned(receipt.elapsed_ms);
        let object = receipt.objects[0].clone();
        self.evidence.insert(key, KnownCopy { job: *job, source, object, recorded_ms });
    }

    /// The object turned out to be gone, or another one.
    pub(crate) fn forget(&mut self, key: Key) {
        self.evidence.remove(&key);
    }

    /// The commit of a job may be in the log from here on.
    pub(crate) fn intend(&mut self, job: JobId) {
        self.published.insert(job);
    }

    /// What a worker is told of an object.
    pub(crate) fn prior(&self, job: JobId, source: u8, key: Key, in_use: bool, now: u64) -> Prior {
        let known = self
            .evidence
            .get(&key)
            .filter(|known| now as i64 - known.recorded_ms < prior_age_max_ms(self.retention_ms));
        let recorded = known.map(|known| Recorded {
            source: source_key(known.source),
            crc64nvme: known.object.crc64nvme,
            source_etag: known.object.source_etag.clone(),
            target_etag: known.object.target_etag.clone(),
            existed: known.object.existed,
            may_be_published: known.job != job && self.published.contains(&known.job),
        });
        prior(recorded, source_key(source), in_use)
    }

    /// True when the object of a task is at the target for all that the job that publishes knows,
    /// and looks at.
    pub(crate) fn is_there(
        &self,
        store: &Store,
        job: JobId,
        source: u8,
        key: Key,
        now: u64,
    ) -> bool {
        let Some(known) = self.evidence.get(&key) else { return false };
        let freshness = Freshness {
            source: source_key(known.source),
            is_own: known.job == job,
            existed: known.object.existed,
            age_ms: now as i64 - known.recorded_ms,
        };
        if is_fresh(&freshness, source_key(source), self.retention_ms) {
            return true;
        }
        let is_ours = known.job == job && known.source == source;
        let there = store.objects.get(&key);
        is_ours && there.is_some_and(|object| object.etag == known.object.target_etag)
    }
}

fn source_key(source: u8) -> SourceKey {
    SourceKey([source; 32])
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
    };
    if *prior != Prior::Absent
        && let Some(there) = store.objects.get(&key).cloned()
    {
        let described =
            |etag: &str, crc64nvme| Described { size: 1, etag: etag.to_owned(), crc64nvme };
        let target = described(&there.etag, stored(there.content));
        let digest = match judge(prior, &described(&source_etag, stored(held)), &target) {
            Verdict::Same { crc64nvme } => {
                let receipt = receipt(there.etag, true);
                return Ok(ObjectReceipt { crc64nvme, ..receipt });
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
        known.is_some_and(|known| crate::safety::ends(self).contains_key(&known.job))
    }
}
