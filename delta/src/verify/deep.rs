//! Compares the bytes of every live object by their CRC-64/NVME: from the store, from the ledger
//! for a source object that is unchanged, or by reading.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::{Described, same_object};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::report::{DeepReport, Difference, DifferenceKind};
use super::sample::Sample;
use crate::error::DeltaError;
use crate::ledger::{self, LedgerEntry};
use crate::snapshot::Snapshot;
use crate::{dv, io};

/// Objects that are described or read at once.
pub(super) const OBJECTS_AT_ONCE_MAX: usize = 16;

/// Both sides, and how much was read of them so far.
pub(super) struct Sides<'a> {
    source: &'a TableStore,
    target: &'a TableStore,
    /// The source's keys of the objects that have another one at the target.
    sources: &'a BTreeMap<String, String>,
    ledger: BTreeMap<String, LedgerEntry>,
    source_bytes_read: AtomicU64,
    target_bytes_read: AtomicU64,
}

/// Lists the objects behind the live files, with their sizes; of deletion vectors the least one.
pub(super) fn sizes(uri: &str, snapshot: &Snapshot) -> Result<BTreeMap<String, u64>, DeltaError> {
    let mut sizes = BTreeMap::new();
    for (key, add) in &snapshot.files {
        sizes.insert(key.path.clone(), add.size);
        if let Some((path, least)) = dv::object_of(uri, add)? {
            let known = sizes.entry(path).or_insert(least);
            *known = least.max(*known);
        }
    }
    Ok(sizes)
}

impl<'a> Sides<'a> {
    pub(super) fn new(
        source: &'a TableStore,
        target: &'a TableStore,
        sources: &'a BTreeMap<String, String>,
    ) -> Self {
        let (source_bytes_read, target_bytes_read) = Default::default();
        let ledger = BTreeMap::new();
        Self { source, target, sources, ledger, source_bytes_read, target_bytes_read }
    }

    /// Compares the objects that both snapshots refer to, or a sample, by the target's keys.
    pub(super) async fn compare(
        mut self,
        wanted: &Snapshot,
        replica: &Snapshot,
        sample: Option<Sample>,
        found: &mut Vec<Difference>,
    ) -> Result<DeepReport, DeltaError> {
        let theirs = sizes(&self.target.uri, replica)?;
        let mut both = sizes(&self.source.uri, wanted)?;
        both.retain(|key, _| theirs.contains_key(key));
        let shared = match sample {
            Some(sample) => sample.of(&both),
            None => both.keys().cloned().collect(),
        };
        self.ledger = ledger::read(self.target, &shared).await?;
        let looks: Vec<_> = shared.iter().map(|key| self.compare_one(key).boxed()).collect();
        let differences: Vec<Option<Difference>> =
            stream::iter(looks).buffer_unordered(OBJECTS_AT_ONCE_MAX).try_collect().await?;
        found.extend(differences.into_iter().flatten());
        Ok(DeepReport {
            objects: shared.len() as u64,
            source_bytes_read: self.source_bytes_read.into_inner(),
            target_bytes_read: self.target_bytes_read.into_inner(),
            bytes: shared.iter().filter_map(|key| both.get(key)).sum(),
            bytes_total: both.values().sum(),
            sample,
        })
    }

    async fn compare_one(&self, key: &str) -> Result<Option<Difference>, DeltaError> {
        let tell = |kind, detail: String| Difference { kind, subject: key.to_owned(), detail };
        // A missing object is a difference of its own kind.
        let Some(target) = io::describe(self.target, key).await? else { return Ok(None) };
        let source_key = self.sources.get(key).map_or(key, String::as_str);
        let source = io::describe(self.source, source_key).await?;
        if let Some(source) = &source
            && source.size != target.size
        {
            let detail =
                format!("{} bytes at the target, {} at the source", target.size, source.size);
            return Ok(Some(tell(DifferenceKind::ObjectBytes, detail)));
        }
        let wanted = self.source_digest((key, source_key), source.as_ref()).await?;
        let Some(wanted) = wanted else {
            let detail = "gone at the source, and no ledger tells its digest".to_owned();
            return Ok(Some(tell(DifferenceKind::ObjectUnproven, detail)));
        };
        let has = match target.crc64nvme {
            Some(stored) => Some(stored),
            None => io::digest(self.target, key, &self.target_bytes_read).await?,
        };
        // Deleted while it was read: it counts as missing.
        let Some(has) = has else { return Ok(None) };
        let detail = || format!("crc64nvme {has:016x} at the target, {wanted:016x} at the source");
        Ok((has != wanted).then(|| tell(DifferenceKind::ObjectBytes, detail())))
    }

    /// Finds the digest of the source's bytes; `None` when they are gone and no ledger has it.
    async fn source_digest(
        &self,
        (key, source_key): (&str, &str),
        source: Option<&Described>,
    ) -> Result<Option<u64>, DeltaError> {
        let recorded = self.ledger.get(key);
        let Some(source) = source else { return Ok(recorded.map(|entry| entry.crc64nvme)) };
        if source.crc64nvme.is_some() {
            return Ok(source.crc64nvme);
        }
        let unchanged = recorded.filter(|entry| {
            entry.size == source.size && same_object(&entry.source_etag, &source.etag)
        });
        match unchanged {
            Some(entry) => Ok(Some(entry.crc64nvme)),
            None => io::digest(self.source, source_key, &self.source_bytes_read).await,
        }
    }
}
