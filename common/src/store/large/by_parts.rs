//! An object that is longer than one put may be: an upload by parts, which becomes the object by
//! one conditional request.
//!
//! Parts are sent again as other requests are. The completion is not: like a put-if-absent it is
//! sent once in an attempt, and whoever asked reads back what it did. The parts stay where they are
//! meanwhile, so that the next attempt completes the same upload, unless the store has lost it.
//! Before the first completion nothing of the object is to be seen, and a failure leaves nothing.

use std::ops::Range;
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, checksum_combine};
use deepclone_core::copy_plan::PartPlan;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use object_store::multipart::PartId;

use super::object::NewObject;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::operation::StoreOperation;
use crate::store::retry::{Patience, Retry, retrying};
use crate::store::store_counts::StoreCounts;
use crate::store::stored_checksum::StoredChecksum;
use crate::store::streaming::{StreamingStore, UploadId};

/// Parts that are sent at once while they flow; one that the client collects in memory is alone.
const PARTS_AT_ONCE: usize = 4;
/// The length of a part: a body of terabytes has fewer parts than any store allows.
const PART_BYTES: u64 = 64 << 20;

/// What a store takes by one put, and how longer objects are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutLimits {
    /// The longest object that one put may write.
    pub one_put_bytes_max: u64,
    /// The length of the parts of a longer one, but for the last.
    pub part_bytes: u64,
}

impl PutLimits {
    /// Of S3: 5 GiB, and parts of at least 5 MiB.
    pub const S3: Self = Self { one_put_bytes_max: 5 << 30, part_bytes: PART_BYTES };
    /// Of Azure: 5 000 MiB.
    pub const AZURE: Self = Self { one_put_bytes_max: 5_000 << 20, part_bytes: PART_BYTES };
}

/// An upload whose parts are all at the store.
struct Uploaded {
    id: UploadId,
    parts: Vec<PartId>,
    crc64nvme: u64,
}

/// A part that is at the store.
struct Part {
    id: PartId,
    crc64nvme: u64,
    bytes: u64,
}

/// The attempts at one object by parts.
pub(super) struct PartsPut {
    store: StreamingStore,
    part_bytes: u64,
    counts: Option<Arc<StoreCounts>>,
    uploaded: Option<Uploaded>,
    /// True when the last answer said that an object of this key is there.
    is_there: bool,
}

impl PartsPut {
    pub(super) fn new(
        store: StreamingStore,
        limits: PutLimits,
        counts: Option<Arc<StoreCounts>>,
    ) -> Self {
        Self { store, part_bytes: limits.part_bytes, counts, uploaded: None, is_there: false }
    }

    /// Uploads the parts unless they are there, and completes the upload once. Returns the object's
    /// entity tag, if the answer has one.
    ///
    /// # Errors
    /// As those of a put-if-absent. After one that leaves the outcome open, a further attempt
    /// completes the same upload.
    pub(super) async fn attempt(
        &mut self,
        object: &NewObject<'_>,
    ) -> Result<Option<String>, StoreError> {
        let uploaded = match self.uploaded.take() {
            Some(uploaded) => uploaded,
            None => self.upload(object).await?,
        };
        self.count();
        let completed = self.store.complete(&uploaded.id, uploaded.parts.clone()).await;
        let error = match completed {
            Ok(stored) => {
                self.is_there = true;
                return match stored.checksum {
                    Some(said) if is_other(said, uploaded.crc64nvme) => Err(made_otherwise()),
                    _ => Ok(stored.etag),
                };
            }
            Err(error) => error,
        };
        let refusals = [StoreErrorKind::AlreadyExists, StoreErrorKind::Precondition];
        self.is_there = refusals.contains(&error.kind);
        if error.kind != StoreErrorKind::UploadLost {
            self.uploaded = Some(uploaded);
        }
        Err(error)
    }

    /// Leaves nothing behind: throws away the upload that made no object, and, where one is there,
    /// those of others too, which can make none any more.
    pub(super) async fn end(mut self, object: &NewObject<'_>) {
        if let Some(uploaded) = self.uploaded.take() {
            self.abort(object, &uploaded.id).await;
        }
        if !self.is_there {
            return;
        }
        self.count();
        match self.store.abort_others(object.key, None).await {
            Ok(0) => {}
            Ok(count) => {
                let key = object.relative;
                tracing::info!(key, count, "uploads of earlier attempts were thrown away");
            }
            // `deepclone doctor` finds them.
            Err(error) => tracing::debug!(key = object.relative, %error, "uploads are not listed"),
        }
    }

    async fn upload(&self, object: &NewObject<'_>) -> Result<Uploaded, StoreError> {
        let open = || {
            self.count();
            self.store.create_known(object.key)
        };
        let asked = object.asked(StoreOperation::OpenUpload);
        let id = retrying(Patience::LOG, asked, open).await?;
        let plan = PartPlan::with_parts_of(self.part_bytes, object.body.length());
        tracing::info!(
            key = object.relative,
            bytes = object.body.length(),
            parts = plan.count(),
            "an object that is too long for one put is written by parts"
        );
        match self.put_parts(object, &id, plan).await {
            Ok((parts, crc64nvme)) => Ok(Uploaded { id, parts, crc64nvme }),
            Err(error) => {
                self.abort(object, &id).await;
                Err(error)
            }
        }
    }

    async fn put_parts(
        &self,
        object: &NewObject<'_>,
        id: &UploadId,
        plan: PartPlan,
    ) -> Result<(Vec<PartId>, u64), StoreError> {
        let at_once = match self.store.holds_of(id, self.part_bytes) {
            0 => PARTS_AT_ONCE,
            _ => 1,
        };
        let puts: Vec<_> = plan
            .ranges()
            .enumerate()
            .map(|(number, range)| self.put_part(object, id, number, range).boxed())
            .collect();
        let mut puts = stream::iter(puts).buffered(at_once);
        let (mut parts, mut whole) = (Vec::new(), 0);
        while let Some(part) = puts.try_next().await? {
            let algorithm = CrcAlgorithm::Crc64Nvme;
            whole = checksum_combine(algorithm, whole, part.crc64nvme, part.bytes);
            parts.push(part.id);
        }
        Ok((parts, whole))
    }

    /// Writes one part, as often as a request may be sent.
    async fn put_part(
        &self,
        object: &NewObject<'_>,
        id: &UploadId,
        number: usize,
        range: Range<u64>,
    ) -> Result<Part, StoreError> {
        let NewObject { body, .. } = object;
        let (bytes, crc64nvme) = (range.end - range.start, body.crc64nvme(range.clone()).await?);
        let mut retry = Retry::new(Patience::LOG, object.asked(StoreOperation::PutPart));
        loop {
            self.count();
            let flow = body.flow(range.clone());
            let error = match self.store.put_part_known(id, number, flow, crc64nvme).await {
                Ok((_, Some(said))) if is_other(said, crc64nvme) => changed(),
                Ok((id, _)) => return Ok(Part { id, crc64nvme, bytes }),
                Err(error) if error.kind == StoreErrorKind::ChecksumMismatch => changed(),
                Err(error) => error,
            };
            let pause = if body.is_lost() { None } else { retry.next(&error) };
            let Some(pause) = pause else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn abort(&self, object: &NewObject<'_>, id: &UploadId) {
        let abort = || async {
            self.count();
            match self.store.abort(id).await {
                Err(error) if is_gone(&error) => Ok(()),
                settled => settled,
            }
        };
        let asked = object.asked(StoreOperation::AbortUpload);
        if let Err(error) = retrying(Patience::LOG, asked, abort).await {
            // It is left to the bucket's lifecycle rule, or to `deepclone doctor`.
            tracing::warn!(key = object.relative, %error, "cannot abort an upload");
        }
    }

    fn count(&self) {
        if let Some(counts) = &self.counts {
            counts.write();
        }
    }
}

fn is_gone(error: &StoreError) -> bool {
    matches!(error.kind, StoreErrorKind::UploadLost | StoreErrorKind::NotFound)
}

/// True when the store says another checksum of the kind that is known.
fn is_other(said: StoredChecksum, crc64nvme: u64) -> bool {
    matches!(said, StoredChecksum::Crc64Nvme(said) if said != crc64nvme)
}

fn changed() -> StoreError {
    let message = "the store took other bytes than those that were sent";
    StoreError::new(StoreErrorKind::Transient, message)
}

fn made_otherwise() -> StoreError {
    let message = "the store made an object of other bytes than those that were sent: delete it \
                   before anybody reads it";
    StoreError::new(StoreErrorKind::ChecksumMismatch, message)
}
