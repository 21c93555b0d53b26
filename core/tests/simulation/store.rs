//! The stores: objects under put-if-absent, and one log of commits a target.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::JobId;

use crate::content::Content;
use crate::steps::Upload;

/// A task's objects at a target: (target, task).
pub(crate) type Key = (u8, u8);

/// What is at the targets, and how it came there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    /// What is at the targets.
    pub(crate) objects: BTreeMap<Key, Object>,
    /// Objects that were ever written: their tags are never used again.
    written: u64,
    /// Uploads that are open, by their ids.
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// Uploads that were ever opened.
    pub(crate) opened: u64,
    /// How often each was written.
    pub(crate) writes: BTreeMap<Key, u64>,
    /// How often each was deleted.
    pub(crate) deleted: BTreeMap<Key, u64>,
    /// The commits of each target: whose, and what they reference.
    pub(crate) logs: BTreeMap<u8, Vec<Commit>>,
}

/// An object as a target holds it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) content: Content,
    pub(crate) etag: String,
    pub(crate) written_ms: u64,
}

/// A commit in a target's log.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// The job; `None` for another writer's commit.
    pub(crate) job: Option<JobId>,
    /// The source that it is of.
    pub(crate) source: u8,
    /// The tasks whose objects it references, each with the generation that the log told.
    pub(crate) tasks: BTreeMap<u8, u8>,
}

impl Store {
    /// Puts if absent, and returns what was there already.
    pub(crate) fn put(&mut self, key: Key, content: Content, now: u64) -> Option<Object> {
        if let Some(there) = self.objects.get(&key) {
            return Some(there.clone());
        }
        self.written += 1;
        let etag = format!("t{}", self.written);
        self.objects.insert(key, Object { content, etag, written_ms: now });
        *self.writes.entry(key).or_default() += 1;
        None
    }

    /// Deletes an object, which may be written again.
    pub(crate) fn delete(&mut self, key: Key) {
        self.objects.remove(&key);
        *self.deleted.entry(key).or_default() += 1;
    }

    /// A vacuum removes what no commit references.
    pub(crate) fn vacuum(&mut self, key: Key) {
        if self.objects.contains_key(&key) && !self.referenced(key.0).contains(&key.1) {
            self.delete(key);
        }
    }

    /// Tasks whose objects the target's commits reference.
    pub(crate) fn referenced(&self, target: u8) -> BTreeSet<u8> {
        let log = self.logs.get(&target).into_iter().flatten();
        log.flat_map(|commit| commit.tasks.keys().copied()).collect()
    }

    /// Tasks that the replica's head shows as this source's, with these generations: what our own
    /// newest commits left, unless another source's came in between.
    pub(crate) fn proven(&self, target: u8, source: u8) -> BTreeMap<u8, u8> {
        let log = self.logs.get(&target).into_iter().flatten();
        let ours = log.filter(|commit| commit.job.is_some());
        ours.fold(BTreeMap::new(), |mut proven, commit| {
            if commit.source != source {
                proven.clear();
            } else {
                proven.extend(&commit.tasks);
            }
            proven
        })
    }

    /// The newest version; `None` before the first commit.
    pub(crate) fn head(&self, target: u8) -> Option<u64> {
        (self.logs.get(&target).map_or(0, Vec::len) as u64).checked_sub(1)
    }

    /// The version of a job's commit.
    pub(crate) fn version_of(&self, target: u8, job: JobId) -> Option<u64> {
        let log = self.logs.get(&target)?;
        log.iter().position(|commit| commit.job == Some(job)).map(|version| version as u64)
    }

    /// Puts a commit at the version after `base`, if absent.
    pub(crate) fn commit(&mut self, target: u8, base: Option<u64>, commit: Commit) {
        if self.head(target) == base {
            self.logs.entry(target).or_default().push(commit);
        }
    }
}
