//! What receipts recorded of copies.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::evidence::{Freshness, Prior, Recorded, is_fresh, prior, prior_age_max_ms};
use deepclone_core::ids::{JobId, SourceKey, TaskFingerprint};
use deepclone_core::machine::Fact;
use deepclone_core::receipt::ObjectReceipt;

use crate::store::{Key, Store};

/// What a receipt recorded.
#[derive(Clone, Debug)]
pub(crate) struct KnownCopy {
    pub(crate) job: JobId,
    source: u8,
    object: ObjectReceipt,
    recorded_ms: i64,
}

/// Everything that is known of copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) evidence: BTreeMap<Key, KnownCopy>,
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
        let Some(object) = receipt.objects.first().cloned() else { return };
        let key = (fingerprint.0[0], fingerprint.0[1]);
        let recorded_ms = (now as i64).saturating_sub_unsigned(receipt.elapsed_ms);
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
