//! A target in an object store: whole objects by put-if-absent, large ones by multipart uploads.

use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::store::error::StoreError;
use deepclone_common::store::requests::{StoredChecksum, delete_if_match};
use deepclone_common::store::streaming::{Flow, Stored, StreamingStore, UploadId};
use deepclone_common::store::table::TableStore;
use object_store::multipart::PartId;
use object_store::{ObjectStoreExt, PutMode};

use super::written::Written;
use crate::copy::counts::Counts;
use crate::copy::etag::{ETag, recorded};
use crate::copy::key::ObjectKey;

/// A table's folder in an object store.
#[derive(Clone, Debug)]
pub(crate) struct StoreTarget {
    pub(crate) table: TableStore,
    pub(crate) streaming: StreamingStore,
    pub(crate) counts: Arc<Counts>,
}

/// The multipart upload of one object.
#[derive(Debug)]
pub(crate) struct StoreUpload {
    target: StoreTarget,
    object: ObjectKey,
    id: UploadId,
}

impl StoreTarget {
    pub(crate) async fn put(
        &self,
        object: &ObjectKey,
        chunks: &[Bytes],
    ) -> Result<Written, StoreError> {
        self.counts.request();
        let body = chunks.iter().cloned().collect();
        let put = self.table.store.put_opts(&object.path, body, PutMode::Create.into()).await;
        // Its checksum was in the request, where the store takes one.
        let stored = put.map(|result| Stored { etag: result.e_tag, checksum: None });
        Written::of(stored.map_err(StoreError::from))
    }

    pub(crate) async fn put_flow(
        &self,
        object: &ObjectKey,
        flow: Flow,
    ) -> Result<Written, StoreError> {
        self.counts.request();
        Written::of(self.streaming.put(&object.path, flow).await)
    }

    pub(crate) async fn open(&self, object: &ObjectKey) -> Result<StoreUpload, StoreError> {
        self.counts.request();
        let id = self.streaming.create(&object.path).await?;
        Ok(StoreUpload { target: self.clone(), object: object.clone(), id })
    }

    pub(crate) async fn delete(
        &self,
        object: &ObjectKey,
        etag: Option<&ETag>,
    ) -> Result<(), StoreError> {
        self.counts.request();
        Ok(delete_if_match(&*self.table.store, &object.path, &recorded(etag)).await?)
    }

    /// The tag of an object whose completion did not tell it.
    async fn tag(&self, object: &ObjectKey) -> Option<ETag> {
        self.counts.request();
        ETag::of(&self.table.store.head(&object.path).await.ok()?)
    }
}

impl StoreUpload {
    pub(crate) async fn put_part(
        &self,
        number: usize,
        flow: Flow,
    ) -> Result<(PartId, Option<StoredChecksum>), StoreError> {
        self.target.counts.request();
        self.target.streaming.put_part(&self.id, number, flow).await
    }

    pub(crate) async fn finish(&self, parts: &[PartId]) -> Result<Written, StoreError> {
        self.target.counts.request();
        let ended = Written::of(self.target.streaming.complete(&self.id, parts.to_vec()).await)?;
        Ok(match ended {
            Written::New { etag: None, checksum } => {
                Written::New { etag: self.target.tag(&self.object).await, checksum }
            }
            ended => ended,
        })
    }

    pub(crate) async fn sweep(&self) {
        self.target.counts.request();
        match self.target.streaming.abort_others(&self.id.path).await {
            Ok(0) => {}
            Ok(count) => {
                let key = &self.object.key;
                tracing::info!(key, count, "uploads of earlier attempts were thrown away");
            }
            // `deepclone doctor` finds them.
            Err(error) => tracing::debug!(key = self.object.key, %error, "uploads are not listed"),
        }
    }

    pub(crate) async fn abort(&self) {
        // An upload that cannot be aborted is left to the bucket's lifecycle rule.
        if let Err(error) = self.target.streaming.abort(&self.id).await {
            tracing::warn!(key = self.object.key, %error, "cannot abort an upload");
        }
    }
}
