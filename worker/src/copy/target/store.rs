//! A target in an object store: whole objects by put-if-absent, large ones by multipart uploads.

use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::connections::Side;
use deepclone_common::store::copying::google::{RewriteSource, RewriteStep, rewrite_step};
use deepclone_common::store::copying::{CopiedPart, CopyRange, copy_part};
use deepclone_common::store::error::StoreError;
use deepclone_common::store::requests::delete_if_match;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_common::store::streaming::{Flow, StreamingStore, UploadId};
use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::receipt::SharedUpload;
use deepclone_core::spec::Verification;
use object_store::ObjectStoreExt;
use object_store::multipart::PartId;

use super::written::Written;
use crate::copy::counts::Counts;
use crate::copy::digests::SecondDigest;
use crate::copy::etag::{ETag, recorded};
use crate::copy::key::ObjectKey;

/// A table's folder in an object store.
#[derive(Clone, Debug)]
pub(crate) struct StoreTarget {
    pub(crate) table: TableStore,
    pub(crate) streaming: StreamingStore,
    pub(crate) counts: Arc<Counts>,
}

/// The uploads of an object that are thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    /// All that were not ended.
    All,
    /// All but the upload itself, which is under way.
    Others,
}

/// The multipart upload of one object.
#[derive(Debug)]
pub(crate) struct StoreUpload {
    target: StoreTarget,
    object: ObjectKey,
    id: UploadId,
}

impl StoreTarget {
    /// The digest of the checksums that the store says, if it is not CRC-64/NVME.
    pub(crate) fn second_digest(&self) -> Option<SecondDigest> {
        match self.table.kind() {
            StoreKind::Gcs => Some(SecondDigest::Crc32c),
            // It costs more than the copy, and only emulators say nothing better.
            StoreKind::Azure if !self.streaming.says_crc64nvme() => Some(SecondDigest::Md5),
            StoreKind::Azure | StoreKind::S3 | StoreKind::Local | StoreKind::Other => None,
        }
    }

    pub(crate) async fn put(
        &self,
        object: &ObjectKey,
        chunks: &[Bytes],
        verification: Verification,
    ) -> Result<Written, StoreError> {
        self.counts.write();
        let body = chunks.iter().cloned().collect();
        Written::of(match verification {
            Verification::Size => self.streaming.put_held(&object.path, body).await,
            Verification::Digest | Verification::ReadBack => {
                self.streaming.put_checked(&object.path, body).await
            }
        })
    }

    pub(crate) async fn put_flow(
        &self,
        object: &ObjectKey,
        flow: Flow,
    ) -> Result<Written, StoreError> {
        self.counts.write();
        Written::of(self.streaming.put(&object.path, flow).await)
    }

    pub(crate) async fn rewrite_step(
        &self,
        object: &ObjectKey,
        source: &RewriteSource,
        token: Option<&str>,
    ) -> Result<RewriteStep, StoreError> {
        self.counts.write();
        rewrite_step(&*self.table.store, source, &object.path, token).await
    }

    pub(crate) async fn open(&self, object: &ObjectKey) -> Result<StoreUpload, StoreError> {
        self.counts.write();
        let id = self.streaming.create(&object.path).await?;
        Ok(StoreUpload { target: self.clone(), object: object.clone(), id })
    }

    /// An upload that another task opened.
    pub(crate) fn resume(&self, object: &ObjectKey, shared: &SharedUpload) -> StoreUpload {
        let id = self.streaming.resume(&object.path, &shared.id, shared.is_checked);
        StoreUpload { target: self.clone(), object: object.clone(), id }
    }

    pub(crate) async fn delete(
        &self,
        object: &ObjectKey,
        etag: Option<&ETag>,
    ) -> Result<(), StoreError> {
        self.counts.write();
        Ok(delete_if_match(&*self.table.store, &object.path, &recorded(etag)).await?)
    }

    /// The tag of an object whose completion did not tell it.
    async fn tag(&self, object: &ObjectKey) -> Option<ETag> {
        self.counts.read_at(Side::Target);
        ETag::of(&self.table.store.head(&object.path).await.ok()?)
    }
}

impl StoreUpload {
    /// What other workers need to write to it, for a copy from this state of the source.
    pub(crate) fn shared(&self, source_etag: Option<&ETag>) -> SharedUpload {
        let (id, is_checked) = (self.id.id.clone(), self.id.is_checked());
        SharedUpload { id, is_checked, source_etag: recorded(source_etag) }
    }

    pub(crate) fn is_checked(&self) -> bool {
        self.id.is_checked()
    }

    pub(crate) async fn put_part(
        &self,
        number: usize,
        flow: Flow,
    ) -> Result<(PartId, Option<StoredChecksum>), StoreError> {
        self.target.counts.write();
        self.target.streaming.put_part(&self.id, number, flow).await
    }

    pub(crate) async fn copy_part(
        &self,
        number: usize,
        source: CopyRange,
    ) -> Result<CopiedPart, StoreError> {
        self.target.counts.write();
        copy_part(&self.target.streaming, &self.id, number, source).await
    }

    pub(crate) async fn finish(&self, parts: &[PartId]) -> Result<Written, StoreError> {
        self.target.counts.write();
        let ended = Written::of(self.target.streaming.complete(&self.id, parts.to_vec()).await)?;
        Ok(match ended {
            Written::New { etag: None, checksum, is_checked } => {
                let etag = self.target.tag(&self.object).await;
                Written::New { etag, checksum, is_checked }
            }
            ended => ended,
        })
    }

    /// Throws away the uploads of the object, all of them or but this one.
    pub(crate) async fn sweep(&self, swept: Swept) {
        let kept = match swept {
            Swept::All => None,
            Swept::Others => Some(self.id.id.as_str()),
        };
        self.target.counts.write();
        match self.target.streaming.abort_others(&self.id.path, kept).await {
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
