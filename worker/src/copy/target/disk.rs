//! A target on a disk of this machine: each object is a file that appears whole.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::local_folder::LocalFolder;
use deepclone_common::staged_file::{self, Linked, StagedFile, blocking};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::streaming::Flow;
use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::same_object;
use object_store::ObjectStoreExt;

use super::written::Written;
use crate::copy::counts::Counts;
use crate::copy::etag::{ETag, recorded};
use crate::copy::key::ObjectKey;

/// A table's folder on a disk.
#[derive(Clone, Debug)]
pub(crate) struct DiskTarget {
    /// The folder as a store, to read from.
    pub(crate) table: TableStore,
    pub(crate) folder: LocalFolder,
    pub(crate) counts: Arc<Counts>,
}

/// An object whose parts are written to a temporary file.
#[derive(Debug)]
pub(crate) struct DiskUpload {
    target: DiskTarget,
    object: ObjectKey,
    staged: Arc<StagedFile>,
}

impl DiskTarget {
    pub(crate) async fn put(
        &self,
        object: &ObjectKey,
        chunks: &[Bytes],
    ) -> Result<Written, StoreError> {
        self.counts.write();
        let (folder, key, chunks) = (self.folder.clone(), object.key.clone(), chunks.to_vec());
        let write = move || {
            let staged = StagedFile::create(&folder, &key)?;
            staged.write(&chunks, 0)?;
            staged.link()
        };
        let linked = blocking(write).await?;
        Ok(self.written(object, linked).await)
    }

    pub(crate) async fn put_flow(
        &self,
        object: &ObjectKey,
        flow: Flow,
    ) -> Result<Written, StoreError> {
        let upload = self.open(object).await?;
        upload.put_part(0, flow).await?;
        upload.link().await
    }

    pub(crate) async fn open(&self, object: &ObjectKey) -> Result<DiskUpload, StoreError> {
        self.counts.write();
        let (folder, key) = (self.folder.clone(), object.key.clone());
        let staged = blocking(move || StagedFile::create(&folder, &key)).await?;
        let (target, object) = (self.clone(), object.clone());
        Ok(DiskUpload { target, object, staged: Arc::new(staged) })
    }

    /// A file system has no condition: between the look and the deletion no worker writes to a key
    /// that is in use.
    pub(crate) async fn delete(
        &self,
        object: &ObjectKey,
        etag: Option<&ETag>,
    ) -> Result<(), StoreError> {
        self.counts.write();
        let found = ETag::of(&self.table.store.head(&object.path).await?);
        if !same_object(&recorded(etag), &recorded(found.as_ref())) {
            let message = "another object is there now";
            return Err(StoreError::new(StoreErrorKind::Precondition, message));
        }
        Ok(self.table.store.delete(&object.path).await?)
    }

    /// Removes the temporary files that nobody writes any more.
    pub(crate) async fn sweep(&self) {
        let folder = self.folder.clone();
        let _swept = blocking(move || staged_file::sweep(&folder)).await;
    }

    /// A file's tag is read after its link; it is no request to a store.
    async fn written(&self, object: &ObjectKey, linked: Linked) -> Written {
        match linked {
            Linked::New => {
                let meta = self.table.store.head(&object.path).await;
                let etag = meta.ok().and_then(|meta| ETag::of(&meta));
                // Its bytes were written by this process, and nothing else speaks for them.
                Written::New { etag, checksum: None, is_checked: false }
            }
            Linked::Exists => Written::Exists,
        }
    }
}

impl DiskUpload {
    /// Writes what flows, some of it at a time.
    pub(crate) async fn put_part(&self, offset: u64, flow: Flow) -> Result<(), StoreError> {
        self.staged.write_flow(offset, flow).await
    }

    pub(crate) async fn finish(&self) -> Result<Written, StoreError> {
        self.target.counts.write();
        self.link().await
    }

    async fn link(&self) -> Result<Written, StoreError> {
        let staged = Arc::clone(&self.staged);
        let linked = blocking(move || staged.link()).await?;
        Ok(self.target.written(&self.object, linked).await)
    }
}
