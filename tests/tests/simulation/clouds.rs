//! What the two clouds hold, the trace of what happened, and which rules were broken.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};

use bytes::Bytes;

/// When every simulation begins, in milliseconds since 1970.
pub(crate) const START_MS: i64 = 1_900_000_000_000;
/// The bucket of the sources.
pub(crate) const NORTH: &str = "north";
/// The bucket of the replicas.
pub(crate) const SOUTH: &str = "south";

/// An object of a store.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) tag: String,
    pub(crate) written_ms: i64,
}

/// Who changes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A coordinator or a worker.
    Us,
    /// Somebody else: a writer of the source, a VACUUM, another engine at the target.
    Others,
    /// A disk, a tool or a hand that damages a replica.
    Damage,
}

/// A change of a target, which the checkers have yet to look at.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: String,
    pub(crate) by: By,
    /// Something was there before.
    pub(crate) was_there: bool,
    /// Something is there now.
    pub(crate) is_there: bool,
}

/// The buckets with everything in them.
pub(crate) struct Clouds {
    buckets: BTreeMap<&'static str, BTreeMap<String, Object>>,
    /// Tags are counted for each key alone: two objects of one tag need not have the same bytes.
    counts_by_key: bool,
    tags: BTreeMap<String, u64>,
    pub(crate) now_ms: i64,
    pub(crate) changes: Vec<Change>,
    /// What broke a rule, in the order in which it was seen.
    pub(crate) violations: Vec<String>,
    trace: DefaultHasher,
    is_told: bool,
}

impl Clouds {
    pub(crate) fn new(counts_by_key: bool, is_told: bool) -> Self {
        Self {
            buckets: BTreeMap::from([(NORTH, BTreeMap::new()), (SOUTH, BTreeMap::new())]),
            counts_by_key,
            tags: BTreeMap::new(),
            now_ms: START_MS,
            changes: Vec::new(),
            violations: Vec::new(),
            trace: DefaultHasher::new(),
            is_told,
        }
    }

    /// Notes what happened: two runs of one seed must have the same trace.
    pub(crate) fn note(&mut self, what: &fmt::Arguments<'_>) {
        let line = format!("{:>9} {what}", self.now_ms - START_MS);
        self.trace.write(line.as_bytes());
        if self.is_told {
            eprintln!("{line}");
        }
    }

    /// The hash of everything that happened.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub(crate) fn violate(&mut self, what: String) {
        self.note(&format_args!("VIOLATION {what}"));
        self.violations.push(what);
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.buckets.get(bucket)?.get(key)
    }

    /// The objects whose keys begin with `prefix`, in order.
    pub(crate) fn list<'a>(
        &'a self,
        bucket: &str,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Object)> {
        let bucket = self.buckets.get(bucket).into_iter();
        bucket
            .flat_map(move |keys| keys.range(prefix.to_owned()..))
            .take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Writes an object over whatever is there; gives its tag.
    pub(crate) fn put(&mut self, bucket: &'static str, key: &str, bytes: Bytes, by: By) -> String {
        let counted = if self.counts_by_key { key } else { "" };
        let count = self.tags.entry(format!("{bucket}/{counted}")).or_default();
        *count += 1;
        let tag = format!("\"{count}\"");
        let object = Object { bytes, tag: tag.clone(), written_ms: self.now_ms };
        let keys = self.buckets.entry(bucket).or_default();
        let was_there = keys.insert(key.to_owned(), object).is_some();
        self.note(&format_args!("{by:?} put {bucket}/{key} tag {tag}"));
        if bucket == SOUTH {
            self.changes.push(Change { key: key.to_owned(), by, was_there, is_there: true });
        }
        tag
    }

    pub(crate) fn remove(&mut self, bucket: &'static str, key: &str, by: By) {
        if self.buckets.entry(bucket).or_default().remove(key).is_none() {
            return;
        }
        self.note(&format_args!("{by:?} remove {bucket}/{key}"));
        if bucket == SOUTH {
            let (was_there, is_there) = (true, false);
            self.changes.push(Change { key: key.to_owned(), by, was_there, is_there });
        }
    }
}
