//! A file of a local folder that appears whole: it is written under another name, and becomes the
//! file by a hard link. A rename would overwrite, and a file that grows in place is seen before it
//! is whole.
//!
//! A temporary file is locked while it is written, so the files that a killed process left are
//! known by their free locks, and swept away.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;

use crate::local_folder::{LocalFolder, lacks_hard_links};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::streaming::{BodyCut, Flow};

/// The folder of temporary files below a table's; readers and VACUUM leave it alone.
pub const TEMPORARY: &str = "_deepclone/tmp";
/// Bytes of one write to a file, but for the last one.
const WRITE_BYTES_MIN: u64 = 1 << 20;

/// A temporary file; removed when it is dropped.
#[derive(Debug)]
pub struct StagedFile {
    file: File,
    path: PathBuf,
    folder: LocalFolder,
    key: String,
}

/// How a link of a temporary file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// The file is there now.
    New,
    /// A file was there already, and still is.
    Exists,
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // What cannot be removed lies in our own folder, and a later sweep finds it.
        let _result = std::fs::remove_file(&self.path);
    }
}

impl StagedFile {
    /// Creates what is to be the file `key` of the folder.
    ///
    /// # Errors
    /// A link leads out of the folder's root; the disk refuses.
    pub fn create(folder: &LocalFolder, key: &str) -> io::Result<Self> {
        // Refused now rather than when the object is whole.
        folder.resolve(key)?;
        let name = uuid::Uuid::new_v4();
        let path = folder.resolve_or_create(&format!("{TEMPORARY}/{name}"))?;
        let file = File::create_new(&path)?;
        // Refused by a sweep, which removes the file then: its link fails, and is tried again.
        let _locked = file.try_lock();
        Ok(Self { file, path, folder: folder.clone(), key: key.to_owned() })
    }

    /// Writes these bytes from `offset` on.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn write(&self, chunks: &[Bytes], mut offset: u64) -> io::Result<()> {
        for chunk in chunks {
            self.file.write_all_at(chunk, offset)?;
            offset += chunk.len() as u64;
        }
        Ok(())
    }

    /// Writes what flows from `offset` on, some of it at a time.
    ///
    /// # Errors
    /// The bytes end early; the disk is full, or fails.
    pub async fn write_flow(
        self: &Arc<Self>,
        mut offset: u64,
        flow: Flow,
    ) -> Result<(), StoreError> {
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
            let (staged, at) = (Arc::clone(self), offset);
            blocking(move || staged.write(&chunks, at)).await?;
            offset += bytes;
            left = left.saturating_sub(bytes);
        }
        Ok(())
    }

    /// Makes it the file, unless one is there.
    ///
    /// # Errors
    /// A link leads out of the folder's root; the file system has no hard links, or fails.
    pub fn link(&self) -> io::Result<Linked> {
        self.file.sync_all()?;
        let object = self.folder.resolve_or_create(&self.key)?;
        let folder = object.parent().unwrap_or(Path::new("/"));
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

/// Removes the temporary files of a folder that nobody writes any more.
///
/// # Errors
/// There is no folder yet, or another one sweeps too: what is left is found again.
pub fn sweep(folder: &LocalFolder) -> io::Result<()> {
    for entry in std::fs::read_dir(folder.resolve(TEMPORARY)?)? {
        let path = entry?.path();
        // The lock of one that is written is taken; without locks, nothing is done.
        if File::open(&path)?.try_lock().is_ok() {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Runs work that waits for a disk outside the async threads.
///
/// # Errors
/// That of the work.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()));
    Ok(done?)
}
