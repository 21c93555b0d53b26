//! Writes of objects that are not held in memory: to a store as a body that flows, to a folder by a
//! file that appears whole.

use std::sync::Arc;

use object_store::path::Path;

use super::error::{StoreError, StoreErrorKind};
use super::store_counts::StoreCounts;
use super::streaming::{Flow, StreamingStore};
use crate::local_folder::LocalFolder;
use crate::staged_file::{Linked, StagedFile, blocking};

/// What takes the objects of a table.
#[derive(Clone, Debug)]
pub enum Writes {
    /// A folder on this machine's disk.
    Folder(LocalFolder),
    Store(StreamingStore),
}

/// What takes objects that are not held in memory.
#[derive(Clone, Debug)]
pub struct LargeWrites {
    writes: Writes,
    counts: Option<Arc<StoreCounts>>,
}

impl LargeWrites {
    #[must_use]
    pub fn new(writes: Writes) -> Self {
        Self { writes, counts: None }
    }

    /// The same, and its requests are counted.
    pub(super) fn counted(self, counts: Arc<StoreCounts>) -> Self {
        Self { counts: Some(counts), ..self }
    }

    /// True when a checksum of the bytes that is known before goes with the request.
    #[must_use]
    pub fn takes_checksums(&self) -> bool {
        matches!(&self.writes, Writes::Store(store) if store.checked.is_some())
    }

    /// Writes the object `relative` of the table, whose key in the store is `key` and whose bytes
    /// have this checksum, if it is known, where none is, in one attempt. Returns its entity tag,
    /// if the answer has one.
    ///
    /// # Errors
    /// `AlreadyExists` where one is; else the store's, or the disk's.
    pub async fn put(
        &self,
        key: &Path,
        relative: &str,
        flow: Flow,
        crc64nvme: Option<u64>,
    ) -> Result<Option<String>, StoreError> {
        if let Some(counts) = &self.counts {
            counts.write();
        }
        let folder = match &self.writes {
            Writes::Store(store) => {
                let stored = match crc64nvme {
                    Some(crc64nvme) => store.put_known(key, flow, crc64nvme).await?,
                    None => store.put(key, flow).await?,
                };
                return Ok(stored.etag);
            }
            Writes::Folder(folder) => folder.clone(),
        };
        let name = relative.to_owned();
        let staged = Arc::new(blocking(move || StagedFile::create(&folder, &name)).await?);
        staged.write_flow(0, flow).await?;
        match blocking(move || staged.link()).await? {
            Linked::New => Ok(None),
            Linked::Exists => {
                Err(StoreError::new(StoreErrorKind::AlreadyExists, "a file is there already"))
            }
        }
    }
}
