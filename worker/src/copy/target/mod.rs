//! The target of a task: takes whole objects, or parts of them, and overwrites nothing.
//!
//! Whether it is a store or a disk is asked here and nowhere else. Its requests are counted where
//! they are sent; errors are not retried here.

pub(crate) mod disk;
pub(crate) mod store;
pub(crate) mod written;

use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::connections::{Opened, Writes};
use deepclone_common::store::copying::google::{RewriteSource, RewriteStep};
use deepclone_common::store::copying::{CopiedPart, CopyRange};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_common::store::streaming::Flow;
use deepclone_common::store::table::TableStore;
use deepclone_core::receipt::SharedUpload;
use deepclone_core::spec::Verification;
use object_store::multipart::PartId;

use self::disk::{DiskTarget, DiskUpload};
use self::store::{StoreTarget, StoreUpload, Swept};
use self::written::Written;
use super::counts::Counts;
use super::digests::SecondDigest;
use super::etag::ETag;
use super::key::ObjectKey;

/// The target's table, as objects are written to it.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// In an object store.
    Store(StoreTarget),
    /// On a disk of this machine.
    Disk(DiskTarget),
}

/// An object that is written by parts.
#[derive(Debug)]
pub(crate) enum Upload {
    /// To an object store.
    Store(StoreUpload),
    /// To a disk of this machine.
    Disk(DiskUpload),
}

impl Target {
    /// The target that a connection opened.
    pub(crate) fn new(opened: Opened, counts: Arc<Counts>) -> Self {
        let Opened { table, writes } = opened;
        match writes {
            Writes::Folder(folder) => Self::Disk(DiskTarget { table, folder, counts }),
            Writes::Store(streaming) => Self::Store(StoreTarget { table, streaming, counts }),
        }
    }

    /// Bytes of a write of `length` bytes that are in memory at once.
    pub(crate) fn holds(&self, length: u64) -> u64 {
        match self {
            Self::Store(target) => target.streaming.holds(length),
            Self::Disk(_) => 0,
        }
    }

    /// The target's table, to read from.
    pub(crate) fn table(&self) -> &TableStore {
        match self {
            Self::Store(target) => &target.table,
            Self::Disk(target) => &target.table,
        }
    }

    /// Removes what killed processes left half written, as far as it can be told.
    pub(crate) async fn sweep(&self) {
        match self {
            // A lifecycle rule of the bucket removes uploads that never end.
            Self::Store(_) => {}
            Self::Disk(target) => target.sweep().await,
        }
    }

    /// The digest of the checksums that the target says, if it is not CRC-64/NVME.
    pub(crate) fn second_digest(&self) -> Option<SecondDigest> {
        match self {
            Self::Store(target) => target.second_digest(),
            Self::Disk(_) => None,
        }
    }

    /// Writes a whole object that is in memory, with a checksum unless only its size counts.
    pub(crate) async fn put(
        &self,
        object: &ObjectKey,
        chunks: &[Bytes],
        verification: Verification,
    ) -> Result<Written, StoreError> {
        match self {
            Self::Store(target) => target.put(object, chunks, verification).await,
            Self::Disk(target) => target.put(object, chunks).await,
        }
    }

    /// Writes a whole object whose bytes flow.
    pub(crate) async fn put_flow(
        &self,
        object: &ObjectKey,
        flow: Flow,
    ) -> Result<Written, StoreError> {
        match self {
            Self::Store(target) => target.put_flow(object, flow).await,
            Self::Disk(target) => target.put_flow(object, flow).await,
        }
    }

    /// Lets the store make the object by a copy of its own, or go on with that.
    pub(crate) async fn rewrite_step(
        &self,
        object: &ObjectKey,
        source: &RewriteSource,
        token: Option<&str>,
    ) -> Result<RewriteStep, StoreError> {
        match self {
            Self::Store(target) => target.rewrite_step(object, source, token).await,
            Self::Disk(_) => Err(no_copies()),
        }
    }

    /// Opens an object that is written by parts.
    pub(crate) async fn open(&self, object: &ObjectKey) -> Result<Upload, StoreError> {
        Ok(match self {
            Self::Store(target) => Upload::Store(target.open(object).await?),
            Self::Disk(target) => Upload::Disk(target.open(object).await?),
        })
    }

    /// An upload that another task opened; `None` on a disk, which has none.
    pub(crate) fn resume(&self, object: &ObjectKey, shared: &SharedUpload) -> Option<Upload> {
        match self {
            Self::Store(target) => Some(Upload::Store(target.resume(object, shared))),
            Self::Disk(_) => None,
        }
    }

    /// Deletes the object with this tag, and no other; one that is gone is fine.
    pub(crate) async fn delete(
        &self,
        object: &ObjectKey,
        etag: Option<&ETag>,
    ) -> Result<(), StoreError> {
        let deleted = match self {
            Self::Store(target) => target.delete(object, etag).await,
            Self::Disk(target) => target.delete(object, etag).await,
        };
        match deleted {
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
            settled => settled,
        }
    }
}

impl Upload {
    /// What other workers need to write to it; `None` on a disk, which no other worker writes to.
    pub(crate) fn shared(&self, source_etag: Option<&ETag>) -> Option<SharedUpload> {
        match self {
            Self::Store(upload) => Some(upload.shared(source_etag)),
            Self::Disk(_) => None,
        }
    }

    /// True when each part is written with a checksum, which the store checks.
    pub(crate) fn is_checked(&self) -> bool {
        match self {
            Self::Store(upload) => upload.is_checked(),
            Self::Disk(_) => false,
        }
    }

    /// Writes a part, which begins at `offset` of the object. One that was written before is
    /// replaced.
    pub(crate) async fn put_part(
        &self,
        number: usize,
        offset: u64,
        flow: Flow,
    ) -> Result<(PartId, Option<StoredChecksum>), StoreError> {
        match self {
            Self::Store(upload) => upload.put_part(number, flow).await,
            Self::Disk(upload) => {
                upload.put_part(offset, flow).await?;
                Ok((PartId { content_id: String::new() }, None))
            }
        }
    }

    /// Lets the store write a part by a copy of its own.
    pub(crate) async fn copy_part(
        &self,
        number: usize,
        source: CopyRange,
    ) -> Result<CopiedPart, StoreError> {
        match self {
            Self::Store(upload) => upload.copy_part(number, source).await,
            Self::Disk(_) => Err(no_copies()),
        }
    }

    /// Makes the object of its parts, once all are written.
    pub(crate) async fn finish(&self, parts: &[PartId]) -> Result<Written, StoreError> {
        match self {
            Self::Store(upload) => upload.finish(parts).await,
            Self::Disk(upload) => upload.finish().await,
        }
    }

    /// Throws away what other attempts left of this object, once it is at the target or given up.
    pub(crate) async fn sweep(&self) {
        match self {
            Self::Store(upload) => upload.sweep(Swept::All).await,
            // A sweep of the folder finds temporary files.
            Self::Disk(_) => {}
        }
    }

    /// Throws away what other attempts at opening this upload left.
    pub(crate) async fn sweep_others(&self) {
        match self {
            Self::Store(upload) => upload.sweep(Swept::Others).await,
            Self::Disk(_) => {}
        }
    }

    /// Gives up, and leaves nothing behind as far as the target allows.
    pub(crate) async fn abort(&self) {
        match self {
            Self::Store(upload) => upload.abort().await,
            // Its temporary file is removed when it is dropped.
            Self::Disk(_) => {}
        }
    }
}

fn no_copies() -> StoreError {
    StoreError::new(StoreErrorKind::Unsupported, "a disk copies nothing by itself")
}
