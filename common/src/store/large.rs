//! Writes of objects that are not held in memory: to a store as a body that flows, or by parts
//! where it is too long for one put; to a folder by a file that appears whole.

mod by_parts;
mod object;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::by_parts::PartsPut;
pub use self::by_parts::PutLimits;
pub use self::object::{LargeBody, NewObject};
use super::error::{StoreError, StoreErrorKind};
use super::store_counts::StoreCounts;
use super::streaming::StreamingStore;
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
    /// `None` where one put takes an object of any length.
    limits: Option<PutLimits>,
    counts: Option<Arc<StoreCounts>>,
}

/// The attempts at one object, until whoever asked for it knows the outcome.
pub struct LargePut<'a> {
    writes: &'a LargeWrites,
    parts: Option<PartsPut>,
}

impl LargeWrites {
    #[must_use]
    pub fn new(writes: Writes) -> Self {
        Self { writes, limits: None, counts: None }
    }

    /// The same for a store that has these limits.
    #[must_use]
    pub fn within(self, limits: PutLimits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// The same, and its requests are counted.
    pub(super) fn counted(self, counts: Arc<StoreCounts>) -> Self {
        Self { counts: Some(counts), ..self }
    }

    /// True when an object of `length` bytes is written by parts.
    #[must_use]
    pub fn is_by_parts(&self, length: u64) -> bool {
        self.limits.is_some_and(|limits| length > limits.one_put_bytes_max)
    }

    /// Begins to write an object of `length` bytes where none is. Nothing is sent yet.
    #[must_use]
    pub fn begin(&self, length: u64) -> LargePut<'_> {
        let parts = match (&self.writes, self.limits) {
            (Writes::Store(store), Some(limits)) if self.is_by_parts(length) => {
                Some(PartsPut::new(store.clone(), limits, self.counts.clone()))
            }
            _ => None,
        };
        LargePut { writes: self, parts }
    }
}

impl LargePut<'_> {
    /// Writes the object where none is, by one conditional request. Returns its entity tag, if the
    /// answer has one.
    ///
    /// # Errors
    /// `AlreadyExists` where one is; else the store's, or the disk's. After one that leaves the
    /// outcome open, the caller reads back what is there before it tries again.
    pub async fn attempt(&mut self, object: &NewObject<'_>) -> Result<Option<String>, StoreError> {
        if let Some(parts) = &mut self.parts {
            return parts.attempt(object).await;
        }
        if let Some(counts) = &self.writes.counts {
            counts.write();
        }
        match &self.writes.writes {
            Writes::Store(store) => put_whole(store, object).await,
            Writes::Folder(folder) => put_file(folder.clone(), object).await,
        }
    }

    /// Ends the attempts. What they left at the store and made no object is thrown away.
    pub async fn end(self, object: &NewObject<'_>) {
        if let Some(parts) = self.parts {
            parts.end(object).await;
        }
    }
}

/// Writes it by one put, whose request has a checksum of the bytes where the store takes one.
async fn put_whole(
    store: &StreamingStore,
    object: &NewObject<'_>,
) -> Result<Option<String>, StoreError> {
    let NewObject { key, body, .. } = *object;
    let stored = match store.checked.is_some() {
        true => {
            let crc64nvme = body.crc64nvme(object.all()).await?;
            store.put_known(key, body.flow(object.all()), crc64nvme).await?
        }
        false => store.put(key, body.flow(object.all())).await?,
    };
    Ok(stored.etag)
}

async fn put_file(
    folder: LocalFolder,
    object: &NewObject<'_>,
) -> Result<Option<String>, StoreError> {
    let name = object.relative.to_owned();
    let staged = Arc::new(blocking(move || StagedFile::create(&folder, &name)).await?);
    staged.write_flow(0, object.body.flow(object.all())).await?;
    match blocking(move || staged.link()).await? {
        Linked::New => Ok(None),
        Linked::Exists => {
            Err(StoreError::new(StoreErrorKind::AlreadyExists, "a file is there already"))
        }
    }
}
