//! The objects that a checkup writes: in a folder of its own, and none of them is left.

use bytes::Bytes;
use futures::stream;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use crate::connections::Opened;
use crate::random;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::streaming::{Flow, StreamingStore, UploadId};

/// What is written: small, and not empty.
pub(super) const BYTES: Bytes = Bytes::from_static(b"deepclone doctor\n");

/// A folder of this checkup alone.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: Path,
    /// What may be there.
    names: Vec<&'static str>,
    uploads: Vec<UploadId>,
}

impl Scratch {
    pub(super) fn new(opened: &Opened) -> Self {
        let name = format!("doctor-{}", random::uuid());
        let folder = opened.table.root.clone().join("_deepclone").join(name);
        Self { folder, names: Vec::new(), uploads: Vec::new() }
    }

    /// Returns the folder's key, for what is said of it.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the key of an object, which is removed at the end.
    pub(super) fn key(&mut self, name: &'static str) -> Path {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        self.folder.clone().join(name)
    }

    /// Opens an upload, which is thrown away at the end if nobody ended it.
    pub(super) async fn open(
        &mut self,
        store: &StreamingStore,
        name: &'static str,
    ) -> Result<UploadId, StoreError> {
        let key = self.key(name);
        let upload = store.create(&key).await?;
        self.uploads.push(upload.clone());
        Ok(upload)
    }

    /// Notes that an upload was ended.
    pub(super) fn ended(&mut self, upload: &UploadId) {
        self.uploads.retain(|other| other != upload);
    }

    /// Removes everything, and returns the first error.
    pub(super) async fn clear(
        &mut self,
        opened: &Opened,
        store: &StreamingStore,
    ) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        for upload in std::mem::take(&mut self.uploads) {
            match store.abort(&upload).await {
                Err(error) if error.kind != StoreErrorKind::UploadLost && outcome.is_ok() => {
                    outcome = Err(error);
                }
                _ => {}
            }
        }
        for name in std::mem::take(&mut self.names) {
            let removed = opened.table.store.delete(&self.folder.clone().join(name)).await;
            match removed.map_err(StoreError::from) {
                Err(error) if error.kind != StoreErrorKind::NotFound && outcome.is_ok() => {
                    outcome = Err(error);
                }
                _ => {}
            }
        }
        outcome
    }
}

/// The bytes as they flow.
pub(super) fn flow() -> Flow {
    let pieces = Box::pin(stream::iter([Ok(BYTES)]));
    Flow { length: BYTES.len() as u64, pieces }
}
