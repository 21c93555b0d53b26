//! The ledger: what each sync copied, with the digest of every object, kept beside the replica in
//! `_deepclone/ledger/<job id>/<nnnn>.parquet`.
//!
//! It is written before the commit and outlives the coordinator's database: `verify --deep` finds
//! in it the digests of source objects that it need not read again. Readers and VACUUM ignore
//! `_deepclone`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use object_store::ObjectMeta;

use crate::error::DeltaError;
use crate::io::{self, ReadBound};

mod entry;
mod file;
#[cfg(test)]
mod tests;

pub use entry::LedgerEntry;
use file::LedgerFileWriter;

/// The folder of all ledgers below the table's.
pub(crate) const FOLDER: &str = "_deepclone/ledger";
/// The most rows of one file, which takes some tens of MiB while it is written.
const ENTRIES_PER_FILE: usize = 250_000;

/// Writes the ledger of one sync, file by file.
#[derive(Debug)]
pub struct LedgerWriter<'a> {
    target: &'a TableStore,
    job: JobId,
    number: u32,
    /// The file that is being written.
    open: Option<LedgerFileWriter>,
}

impl<'a> LedgerWriter<'a> {
    /// Starts the ledger of the sync `job`; a second attempt overwrites the first.
    #[must_use]
    pub fn new(target: &'a TableStore, job: JobId) -> Self {
        Self { target, job, number: 0, open: None }
    }

    /// Adds rows, and writes every file that is full.
    ///
    /// # Errors
    /// A storage error.
    pub async fn append(
        &mut self,
        entries: impl IntoIterator<Item = LedgerEntry>,
    ) -> Result<(), DeltaError> {
        let mut entries: Vec<LedgerEntry> = entries.into_iter().collect();
        while !entries.is_empty() {
            let mut file = match self.open.take() {
                Some(file) => file,
                None => LedgerFileWriter::new()?,
            };
            let rest = entries.split_off(entries.len().min(ENTRIES_PER_FILE - file.rows()));
            let append = move || file.append(&entries).map(|()| file);
            self.open = Some(io::compute(append).await?);
            if self.open.as_ref().is_some_and(|file| file.rows() == ENTRIES_PER_FILE) {
                self.close().await?;
            }
            entries = rest;
        }
        Ok(())
    }

    /// Writes the rows that are left.
    ///
    /// # Errors
    /// A storage error.
    pub async fn finish(mut self) -> Result<(), DeltaError> {
        self.close().await
    }

    /// Writes the file that is open.
    async fn close(&mut self) -> Result<(), DeltaError> {
        let Some(file) = self.open.take() else { return Ok(()) };
        let name = format!("{FOLDER}/{}/{:04}.parquet", self.job, self.number);
        self.number += 1;
        io::put(self.target, &name, Bytes::from(file.finish()?).into()).await
    }
}

/// A file of a ledger in the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerFile {
    /// Its key, relative to the table's folder.
    pub(crate) path: String,
    /// The folder that it lies in, named by its sync.
    pub(crate) job: String,
    /// When it was written, in milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// Lists the files of all ledgers of the replica.
///
/// # Errors
/// A storage error.
pub(crate) async fn files(target: &TableStore) -> Result<Vec<LedgerFile>, DeltaError> {
    let listed = io::list(target, FOLDER, None).await?.into_iter();
    let file = |(name, meta): (String, ObjectMeta)| LedgerFile {
        path: format!("{FOLDER}/{name}"),
        job: name.split('/').next().unwrap_or_default().to_owned(),
        modified_ms: meta.last_modified.timestamp_millis(),
    };
    Ok(listed.map(file).collect())
}

/// Reads the rows of one file; none when it was removed since the listing.
///
/// # Errors
/// A storage error, or a file that cannot be read: it is named.
pub(crate) async fn entries(
    target: &TableStore,
    path: &str,
) -> Result<Vec<LedgerEntry>, DeltaError> {
    let Some(fetched) = io::get(target, path, ReadBound::LOG).await? else { return Ok(Vec::new()) };
    let path = path.to_owned();
    io::compute(move || file::decode(&path, fetched.bytes)).await
}

/// Finds the newest entry of each of these keys in all ledgers of the replica.
///
/// # Errors
/// A storage error, or a ledger that cannot be read: the file is named.
pub async fn read(
    target: &TableStore,
    keys: &BTreeSet<String>,
) -> Result<BTreeMap<String, LedgerEntry>, DeltaError> {
    let mut newest: BTreeMap<String, LedgerEntry> = BTreeMap::new();
    for file in files(target).await? {
        // Without one that was removed since, objects are only read again.
        for entry in entries(target, &file.path).await? {
            let is_newer = newest.get(&entry.key).is_none_or(|known| known.seen_ms < entry.seen_ms);
            if is_newer && keys.contains(&entry.key) {
                newest.insert(entry.key.clone(), entry);
            }
        }
    }
    Ok(newest)
}
