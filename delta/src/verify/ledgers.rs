//! The ledgers of a replica, as far as they are of its live objects, and what they lack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;

use deepclone_common::store::table::TableStore;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::deep::{self, OBJECTS_AT_ONCE_MAX};
use super::report::{Difference, DifferenceKind};
use crate::error::DeltaError;
use crate::io;
use crate::ledger::{self, LedgerEntry};
use crate::snapshot::Snapshot;

/// What the ledgers say of the live objects of a replica.
#[derive(Debug)]
pub(super) struct Ledgers {
    entries: BTreeMap<String, LedgerEntry>,
    /// Live objects that no ledger knows.
    pub(super) unknown: Vec<String>,
    /// Files that cannot be read.
    pub(super) damaged: Vec<String>,
}

/// Reads all ledgers of `replica`. Files that cannot be read are noted.
///
/// # Errors
/// The target does not answer.
pub(super) async fn read(target: &TableStore, replica: &Snapshot) -> Result<Ledgers, DeltaError> {
    let live = deep::sizes(&target.uri, replica)?;
    let mut entries: BTreeMap<String, LedgerEntry> = BTreeMap::new();
    let mut damaged = Vec::new();
    for file in ledger::files(target).await? {
        let read = match ledger::entries(target, &file.path).await {
            Ok(read) => read,
            Err(DeltaError::Damaged { .. }) => {
                damaged.push(file.path);
                continue;
            }
            Err(error) => return Err(error),
        };
        for entry in read {
            let is_newer =
                entries.get(&entry.key).is_none_or(|known| known.seen_ms < entry.seen_ms);
            if is_newer && live.contains_key(&entry.key) {
                entries.insert(entry.key.clone(), entry);
            }
        }
    }
    let unknown = live.into_keys().filter(|key| !entries.contains_key(key)).collect();
    Ok(Ledgers { entries, unknown, damaged })
}

impl Ledgers {
    /// Tells what is lost: one difference for each damaged file, and one for all unknown objects.
    pub(super) fn tell(&self, found: &mut Vec<Difference>) {
        let kind = DifferenceKind::Ledger;
        found.extend(self.damaged.iter().map(|path| {
            let detail = "it cannot be read".to_owned();
            Difference { kind, subject: path.clone(), detail }
        }));
        if let Some(first) = self.unknown.first() {
            let count = self.unknown.len();
            let detail =
                format!("no ledger has the digests of {count} live objects, as of {first}");
            found.push(Difference { kind, subject: ledger::FOLDER.to_owned(), detail });
        }
    }

    /// Compares the lengths at the target with those that were copied, where the log does not tell
    /// them: those of deletion vectors' objects.
    pub(super) fn compare_sizes(&self, sizes: &BTreeMap<String, u64>, found: &mut Vec<Difference>) {
        let named: BTreeSet<String> =
            found.iter().map(|difference| difference.subject.clone()).collect();
        for (key, entry) in &self.entries {
            let Some(there) = sizes.get(key) else { continue };
            if *there != entry.size && !named.contains(key) {
                let detail = format!("{there} bytes at the target, {} were copied", entry.size);
                let (kind, subject) = (DifferenceKind::ObjectSize, key.clone());
                found.push(Difference { kind, subject, detail });
            }
        }
    }

    /// Compares the digests of the objects of `keys` that are known here with what the target
    /// holds. Returns those that were compared, and the bytes that were read.
    ///
    /// # Errors
    /// The target does not answer.
    pub(super) async fn compare_bytes<'a>(
        &self,
        target: &TableStore,
        keys: &'a BTreeSet<String>,
        found: &mut Vec<Difference>,
    ) -> Result<(Vec<&'a str>, u64), DeltaError> {
        let read = AtomicU64::new(0);
        let known: Vec<(&'a str, &LedgerEntry)> =
            keys.iter().filter_map(|key| Some((key.as_str(), self.entries.get(key)?))).collect();
        let looks: Vec<_> =
            known.iter().map(|(_, entry)| compare_one(target, entry, &read).boxed()).collect();
        let differences: Vec<Option<Difference>> =
            stream::iter(looks).buffer_unordered(OBJECTS_AT_ONCE_MAX).try_collect().await?;
        found.extend(differences.into_iter().flatten());
        Ok((known.into_iter().map(|(key, _)| key).collect(), read.into_inner()))
    }
}

/// Compares one object with its entry. One that is deleted meanwhile is for the next look.
async fn compare_one(
    target: &TableStore,
    entry: &LedgerEntry,
    read: &AtomicU64,
) -> Result<Option<Difference>, DeltaError> {
    let Some(has) = digest(target, &entry.key, read).await? else { return Ok(None) };
    let (wanted, kind) = (entry.crc64nvme, DifferenceKind::ObjectBytes);
    let detail = format!("crc64nvme {has:016x} at the target, {wanted:016x} was copied");
    Ok((has != wanted).then(|| Difference { kind, subject: entry.key.clone(), detail }))
}

/// Returns the digest of an object: what its store keeps of it, or of the bytes that are read.
/// `None` when it is gone.
pub(super) async fn digest(
    table: &TableStore,
    key: &str,
    read: &AtomicU64,
) -> Result<Option<u64>, DeltaError> {
    let Some(described) = io::describe(table, key).await? else { return Ok(None) };
    match described.crc64nvme {
        Some(stored) => Ok(Some(stored)),
        None => io::digest(table, key, read).await,
    }
}
