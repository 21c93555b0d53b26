//! The stores: objects under put-if-absent, and one log of commits a target.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::JobId;

/// A task's objects at a target: (target, task).
pub(crate) type Key = (u8, u8);

/// Both sides of the truth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    /// What is at the targets.
    pub(crate) objects: BTreeSet<Key>,
    /// How often each was written.
    pub(crate) writes: BTreeMap<Key, u64>,
    /// What a vacuum ate.
    pub(crate) eaten: BTreeMap<Key, u64>,
    /// The commits of each target: whose, and what they reference.
    pub(crate) logs: BTreeMap<u8, Vec<Commit>>,
}

/// One commit.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// Our job, or none: a foreign sync.
    pub(crate) job: Option<JobId>,
    /// The tasks whose objects it references.
    pub(crate) tasks: Vec<u8>,
}

impl Store {
    /// Put if absent. True when it was there already.
    pub(crate) fn put(&mut self, key: Key) -> bool {
        if !self.objects.insert(key) {
            return true;
        }
        *self.writes.entry(key).or_default() += 1;
        false
    }

    /// A vacuum removes what no commit references.
    pub(crate) fn vacuum(&mut self, key: Key) -> bool {
        if self.referenced(key.0).contains(&key.1) || !self.objects.remove(&key) {
            return false;
        }
        *self.eaten.entry(key).or_default() += 1;
        true
    }

    /// Tasks whose objects the target's commits reference.
    pub(crate) fn referenced(&self, target: u8) -> BTreeSet<u8> {
        let log = self.logs.get(&target).into_iter().flatten();
        log.flat_map(|commit| commit.tasks.iter().copied()).collect()
    }

    /// The newest version; none: no table yet.
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
