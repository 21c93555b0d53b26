//! Writes of bytes whose CRC-64/NVME is known before they are sent: it goes with the request where
//! the store takes checksums, so that the store takes no other bytes.

use object_store::PutMode;
use object_store::multipart::PartId;
use object_store::path::Path;

use super::{Flow, Sending, Stored, StoredChecksum, Streaming, StreamingStore, UploadId};
use crate::store::error::StoreError;

impl StreamingStore {
    /// The same for a store whose parts of uploads may have a CRC-64/NVME in their requests: the
    /// client's own checksums are of that kind, and its requests can be signed again.
    #[must_use]
    pub fn with_checked_parts(mut self) -> Self {
        if let Some(checked) = &mut self.checked {
            checked.has_parts = true;
        }
        self
    }

    /// Writes an object where none is whose CRC-64/NVME is known before: a store that takes
    /// checksums in headers refuses other bytes.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_known(
        &self,
        path: &Path,
        flow: Flow,
        crc64nvme: u64,
    ) -> Result<Stored, StoreError> {
        let Some(checked) = &self.checked else { return self.put(path, flow).await };
        let is_sent = self.streaming == Streaming::Sent;
        // Over bytes that are in memory the client computes it itself.
        let client = if is_sent { &self.client } else { &checked.client };
        let put = |body| client.objects.put_opts(path, body, PutMode::Create.into());
        let (result, checksum) = match is_sent {
            true => self.send_as(Sending::new(flow, Some(crc64nvme)), put).await?,
            false => self.send_collected(flow, put).await?,
        };
        Ok(Stored { etag: result.e_tag, checksum, is_checked: true })
    }

    /// Opens an upload for [`Self::put_part_known`].
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_known(&self, path: &Path) -> Result<UploadId, StoreError> {
        let Some(checked) = self.checked.as_ref().filter(|checked| checked.has_parts) else {
            return self.create(path).await;
        };
        let id = checked.client.uploads.create_multipart(path).await?;
        Ok(UploadId { path: path.clone(), id, is_checked: true })
    }

    /// Writes a part, from 0, whose CRC-64/NVME is known before.
    ///
    /// # Errors
    /// As [`Self::put_part`], and `ChecksumMismatch` where other bytes came.
    pub async fn put_part_known(
        &self,
        upload: &UploadId,
        number: usize,
        flow: Flow,
        crc64nvme: u64,
    ) -> Result<(PartId, Option<StoredChecksum>), StoreError> {
        if !self.flows_checked(upload) {
            return self.put_part(upload, number, flow).await;
        }
        let uploads = &self.client_of(upload).uploads;
        let put = |body| uploads.put_part(&upload.path, &upload.id, number, body);
        // The connector puts this checksum in the place of that of the stand-in.
        self.send_as(Sending::new(flow, Some(crc64nvme)), put).await
    }

    /// Bytes of a part of `length` bytes that are in memory at once while it is written by
    /// [`Self::put_part_known`].
    #[must_use]
    pub fn holds_of(&self, upload: &UploadId, length: u64) -> u64 {
        match (self.streaming, upload.is_checked) {
            (Streaming::Sent, false) => 0,
            _ if self.flows_checked(upload) => 0,
            _ => length,
        }
    }

    /// True when the parts of this upload flow with a checksum that is known before.
    fn flows_checked(&self, upload: &UploadId) -> bool {
        let has_parts = self.checked.as_ref().is_some_and(|checked| checked.has_parts);
        upload.is_checked && has_parts && self.streaming == Streaming::Sent
    }
}
