//! Where bytes go: a multipart upload, or a temporary file that becomes the object by a hard link
//! (a rename would overwrite, and a file that grows in place is seen before it is whole).
//!
//! A temporary file is locked for as long as somebody writes it, so that the ones that a killed
//! process left are known by their free locks: [`sweep`].

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path as FilePath, PathBuf};

use bytes::Bytes;
use deepclone_common::local_folder::{LocalFolder, lacks_hard_links};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload};

/// The folder of temporary files below a table's; readers and VACUUM leave it alone.
const TEMPORARY: &str = "_deepclone/tmp";

/// A large object being written. Parts come in order.
pub(crate) enum Sink {
    /// At an object store.
    Upload(Box<dyn MultipartUpload>),
    /// On this machine's disk.
    File(StagedFile),
}

/// How [`Sink::finish`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// The object is there, under this tag.
    Written {
        /// Empty where there is none.
        etag: String,
    },
    /// Something is there already.
    Exists,
}

/// A temporary file; removed when it is dropped.
pub(crate) struct StagedFile {
    file: Option<File>,
    staged: PathBuf,
    directory: LocalFolder,
    key: String,
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // What cannot be removed lies in our own folder and harms nobody.
        let _result = std::fs::remove_file(&self.staged);
    }
}

impl Sink {
    /// Opens an upload at a store.
    pub(crate) async fn upload(store: &dyn ObjectStore, path: &Path) -> Result<Self, StoreError> {
        Ok(Self::Upload(store.put_multipart_opts(path, PutMultipartOptions::default()).await?))
    }

    /// Opens a temporary file for the object `key` of the table in `directory`.
    pub(crate) async fn file(directory: LocalFolder, key: String) -> Result<Self, StoreError> {
        blocking(move || Ok(Self::File(StagedFile::create(&directory, &key)?))).await
    }

    /// Makes the object of all parts.
    pub(crate) async fn finish(self) -> Result<Finished, StoreError> {
        match self {
            Self::Upload(mut upload) => {
                let error = match upload.complete().await {
                    Ok(result) => {
                        return Ok(Finished::Written { etag: result.e_tag.unwrap_or_default() });
                    }
                    Err(error) => StoreError::from(error),
                };
                match error.kind {
                    // Refused: the parts lie there until they are thrown away.
                    StoreErrorKind::AlreadyExists | StoreErrorKind::Precondition => {
                        Self::Upload(upload).abort().await;
                        Ok(Finished::Exists)
                    }
                    _ => Err(error),
                }
            }
            Self::File(staged) => blocking(move || staged.link()).await,
        }
    }

    /// Gives up: nothing is left, as far as the store allows.
    pub(crate) async fn abort(self) {
        if let Self::Upload(mut upload) = self {
            // An upload that cannot be aborted is swept up by the bucket's lifecycle rule.
            if let Err(error) = upload.abort().await {
                tracing::warn!(error = %StoreError::from(error), "cannot abort an upload");
            }
        }
    }
}

/// Writes the object `key` of the table in `directory`, unless something is there.
pub(crate) async fn put_file(
    directory: LocalFolder,
    key: String,
    chunks: Vec<Bytes>,
) -> Result<Finished, StoreError> {
    blocking(move || {
        let mut staged = StagedFile::create(&directory, &key)?;
        if let Some(file) = &mut staged.file {
            for chunk in &chunks {
                file.write_all(chunk)?;
            }
        }
        staged.link()
    })
    .await
}

/// Removes the temporary files that nobody writes any more from the table in `directory`.
pub(crate) async fn sweep(directory: LocalFolder) {
    let work = move || {
        for entry in std::fs::read_dir(directory.resolve(TEMPORARY)?)? {
            let path = entry?.path();
            // The lock of one that is written is taken; where there are no locks, nothing is done.
            if File::open(&path)?.try_lock().is_ok() {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    };
    // None yet, or another one sweeps too: what is left is found again.
    let _swept = blocking(work).await;
}

impl StagedFile {
    fn create(directory: &LocalFolder, key: &str) -> std::io::Result<Self> {
        // Refused now rather than when the object is whole.
        directory.resolve(key)?;
        let name = uuid::Uuid::new_v4();
        let staged = directory.resolve_or_create(&format!("{TEMPORARY}/{name}"))?;
        let file = File::create_new(&staged)?;
        // Refused by a sweep, which removes the file then: its link is made by the next try.
        let _locked = file.try_lock();
        Ok(Self { file: Some(file), staged, directory: directory.clone(), key: key.to_owned() })
    }

    /// Appends a part.
    pub(crate) async fn append(&mut self, chunks: Vec<Bytes>) -> Result<(), StoreError> {
        let Some(mut file) = self.file.take() else { return Err(lost_file()) };
        let file = blocking(move || {
            for chunk in &chunks {
                file.write_all(chunk)?;
            }
            Ok(file)
        })
        .await?;
        self.file = Some(file);
        Ok(())
    }

    fn link(self) -> std::io::Result<Finished> {
        if let Some(file) = &self.file {
            file.sync_all()?;
        }
        let object = self.directory.resolve_or_create(&self.key)?;
        let folder = object.parent().unwrap_or(FilePath::new("/"));
        match std::fs::hard_link(&self.staged, &object) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Finished::Exists),
            Err(error) if lacks_hard_links(&error) => {
                let message = format!("its file system has no hard links: {error}");
                return Err(std::io::Error::new(ErrorKind::Unsupported, message));
            }
            Err(error) => return Err(error),
        }
        File::open(folder)?.sync_all()?;
        Ok(Finished::Written { etag: String::new() })
    }
}

fn lost_file() -> StoreError {
    StoreError::new(StoreErrorKind::Other, "the temporary file was lost after a failed write")
}

/// The payload of chunks, without a copy.
pub(crate) fn payload(chunks: &[Bytes]) -> PutPayload {
    chunks.iter().cloned().collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()));
    Ok(done?)
}
