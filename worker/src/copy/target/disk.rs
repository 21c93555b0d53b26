//! A target on a disk of this machine: an object is written to a temporary file, which becomes the
//! object by a hard link. A rename would overwrite, and a file that grows in place is seen before
//! it is whole.
//!
//! A temporary file is locked while it is written, so the files that a killed process left are
//! known by their free locks, and swept away.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::local_folder::{LocalFolder, lacks_hard_links};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::streaming::{BodyCut, Flow};
use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::same_object;
use futures::StreamExt as _;
use object_store::ObjectStoreExt;

use super::written::Written;
use crate::copy::counts::Counts;
use crate::copy::etag::{ETag, recorded};
use crate::copy::key::ObjectKey;

/// The folder of temporary files below a table's; readers and VACUUM leave it alone.
const TEMPORARY: &str = "_deepclone/tmp";
/// Bytes of one write to a file, but for the last one.
const WRITE_BYTES_MIN: u64 = 1 << 20;

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

/// A temporary file; removed when it is dropped.
#[derive(Debug)]
struct StagedFile {
    file: File,
    path: PathBuf,
    folder: LocalFolder,
    key: String,
}

/// How a link of a temporary file ended.
enum Linked {
    New,
    Exists,
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
        let work = move || {
            for entry in std::fs::read_dir(folder.resolve(TEMPORARY)?)? {
                let path = entry?.path();
                // The lock of one that is written is taken; without locks, nothing is done.
                if File::open(&path)?.try_lock().is_ok() {
                    std::fs::remove_file(&path)?;
                }
            }
            Ok(())
        };
        // There is no folder yet, or another one sweeps too: what is left is found again.
        let _swept = blocking(work).await;
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
        let mut offset = offset;
        let mut pieces = flow.pieces;
        let mut left = flow.length;
        while left > 0 {
            let mut chunks = Vec::new();
            let mut bytes = 0;
            while bytes < left.min(WRITE_BYTES_MIN) {
                let cut = |BodyCut| StoreError::new(StoreErrorKind::Transient, BodyCut.to_string());
                let chunk = pieces.next().await.unwrap_or(Err(BodyCut)).map_err(cut)?;
                bytes += chunk.len() as u64;
                chunks.push(chunk);
            }
            let (staged, at) = (Arc::clone(&self.staged), offset);
            blocking(move || staged.write(&chunks, at)).await?;
            offset += bytes;
            left = left.saturating_sub(bytes);
        }
        Ok(())
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

impl Drop for StagedFile {
    fn drop(&mut self) {
        // What cannot be removed lies in our own folder, and a later sweep finds it.
        let _result = std::fs::remove_file(&self.path);
    }
}

impl StagedFile {
    fn create(folder: &LocalFolder, key: &str) -> io::Result<Self> {
        // Refused now rather than when the object is whole.
        folder.resolve(key)?;
        let name = uuid::Uuid::new_v4();
        let path = folder.resolve_or_create(&format!("{TEMPORARY}/{name}"))?;
        let file = File::create_new(&path)?;
        // Refused by a sweep, which removes the file then: its link fails, and is tried again.
        let _locked = file.try_lock();
        Ok(Self { file, path, folder: folder.clone(), key: key.to_owned() })
    }

    fn write(&self, chunks: &[Bytes], mut offset: u64) -> io::Result<()> {
        for chunk in chunks {
            self.file.write_all_at(chunk, offset)?;
            offset += chunk.len() as u64;
        }
        Ok(())
    }

    fn link(&self) -> io::Result<Linked> {
        self.file.sync_all()?;
        let object = self.folder.resolve_or_create(&self.key)?;
        let folder = object.parent().unwrap_or(FilePath::new("/"));
        match std::fs::hard_link(&self.path, &object) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Linked::Exists),
            Err(error) if lacks_hard_links(&error) => {
                let message = format!("its file system has no hard links: {error}");
                return Err(io::Error::new(ErrorKind::Unsupported, message));
            }
            Err(error) => return Err(error),
        }
        File::open(folder)?.sync_all()?;
        Ok(Linked::New)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()));
    Ok(done?)
}
