//! A target in an object store: whole objects by put-if-absent, large ones by multipart uploads.

use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::requests::delete_if_match;
use deepclone_common::store::table::TableStore;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{MultipartUpload, ObjectStoreExt, PutMode, PutMultipartOptions};

use super::written::Written;
use crate::copy::counts::Counts;
use crate::copy::etag::{ETag, recorded};
use crate::copy::key::ObjectKey;

/// A table's folder in an object store.
#[derive(Clone, Debug)]
pub(crate) struct StoreTarget {
    pub(crate) table: TableStore,
    pub(crate) counts: Arc<Counts>,
}

/// The multipart upload of one object.
#[derive(Debug)]
pub(crate) struct StoreUpload {
    target: StoreTarget,
    object: ObjectKey,
    upload: Box<dyn MultipartUpload>,
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
        match put.map_err(StoreError::from) {
            Ok(result) => Ok(Written::New(result.e_tag.and_then(ETag::new))),
            Err(error) => exists(error),
        }
    }

    pub(crate) async fn open(&self, object: &ObjectKey) -> Result<StoreUpload, StoreError> {
        self.counts.request();
        let (store, options) = (&self.table.store, PutMultipartOptions::default());
        let upload = store.put_multipart_opts(&object.path, options).await?;
        Ok(StoreUpload { target: self.clone(), object: object.clone(), upload })
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
    pub(crate) fn put_part(
        &mut self,
        chunks: &[Bytes],
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        self.target.counts.request();
        let sent = self.upload.put_part(chunks.iter().cloned().collect());
        async move { Ok(sent.await?) }.boxed()
    }

    pub(crate) async fn finish(mut self) -> Result<Written, StoreError> {
        self.target.counts.request();
        match self.upload.complete().await.map_err(StoreError::from) {
            Ok(result) => {
                let etag = match result.e_tag.and_then(ETag::new) {
                    None => self.target.tag(&self.object).await,
                    known => known,
                };
                Ok(Written::New(etag))
            }
            Err(error) => {
                let ended = exists(error);
                if ended.is_ok() {
                    // Refused: the parts lie there until they are thrown away.
                    self.abort().await;
                }
                ended
            }
        }
    }

    pub(crate) async fn abort(mut self) {
        // An upload that cannot be aborted is left to the bucket's lifecycle rule.
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(error = %StoreError::from(error), "cannot abort an upload");
        }
    }
}

/// A refusal of the condition is an outcome, every other error is one.
fn exists(error: StoreError) -> Result<Written, StoreError> {
    match error.kind {
        StoreErrorKind::AlreadyExists | StoreErrorKind::Precondition => Ok(Written::Exists),
        _ => Err(error),
    }
}
