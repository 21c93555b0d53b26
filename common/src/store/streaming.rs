//! Writes objects, and parts of uploads, whose bytes flow through and are never all in memory.
//!
//! The `object_store` client takes only bodies that it holds. It is given a stand-in of the same
//! length, which is one shared block many times; the connector of [`super::client`] sends the real
//! body in its place. The two find each other by a task-local value: the client calls its connector
//! within the task that asked. So the client addresses, signs and judges each request as ever.
//!
//! A stand-in that no connector replaced would be an object of wrong bytes, so an answer to a
//! request whose body was not taken is refused ([`Streaming::Collected`] is for stores without such
//! a connector).

mod known;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use http::Method;
use object_store::client::HttpRequest;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutPayload};

use super::error::{StoreError, StoreErrorKind};
pub use super::flow_body::BodyCut;
use super::flow_body::{FlowBody, Supply};
use super::stored_checksum::StoredChecksum;
use super::uploads::{OpenUpload, open_uploads};

/// Length of the block that stand-ins repeat.
const BLOCK_BYTES: usize = 1 << 20;
static BLOCK: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

tokio::task_local! {
    /// The body that the request of this task is to send.
    static SENDING: Arc<Sending>;
}

/// Bytes to be written, as they come.
pub struct Flow {
    /// How many bytes there are.
    pub length: u64,
    pub pieces: BoxStream<'static, Result<Bytes, BodyCut>>,
}

/// Writes to an object store what flows.
#[derive(Clone)]
pub struct StreamingStore {
    client: Client,
    streaming: Streaming,
    pub(super) checked: Option<Checked>,
    /// True once the store has said a CRC-64/NVME of what it took.
    says_crc64nvme: Arc<AtomicBool>,
}

/// Two handles of one client.
#[derive(Clone)]
struct Client {
    objects: Arc<dyn ObjectStore>,
    uploads: Arc<dyn MultipartStore>,
}

/// The same store with checksums in headers, for which the client needs all bytes of a body.
#[derive(Clone)]
pub(super) struct Checked {
    client: Client,
    /// True once the store has refused a write without one.
    is_wanted: Arc<AtomicBool>,
    /// True when parts may flow with a checksum that is known before.
    has_parts: bool,
}

/// Whether the store's client can send what flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    Sent,
    /// The bytes are collected in memory first.
    Collected,
}

/// The upload of one object by parts. Its id is the store's; Azure's uploads have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadId {
    pub path: Path,
    pub id: String,
    /// True when its parts have checksums in headers.
    is_checked: bool,
}

/// What the store answered to a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    pub etag: Option<String>,
    /// The checksum of the whole object that the store computed, where it says one.
    pub checksum: Option<StoredChecksum>,
    /// True when the request had a checksum of the bytes, and the store took it.
    pub is_checked: bool,
}

impl UploadId {
    /// True when each part is written with a checksum in its request.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.is_checked
    }
}

impl fmt::Debug for StreamingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingStore").field("streaming", &self.streaming).finish_non_exhaustive()
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("length", &self.length).finish_non_exhaustive()
    }
}

impl StreamingStore {
    /// Both handles are of one store. With [`Streaming::Sent`] their client must be built over the
    /// connector of [`super::client`], without checksums in headers and without signed payloads:
    /// the client would compute them of the stand-in.
    pub fn new(
        objects: Arc<dyn ObjectStore>,
        uploads: Arc<dyn MultipartStore>,
        streaming: Streaming,
    ) -> Self {
        let client = Client { objects, uploads };
        Self { client, streaming, checked: None, says_crc64nvme: Arc::default() }
    }

    /// Adds handles of the same store that send checksums in headers: for objects that are in
    /// memory, and for a bucket with Object Lock, which takes no write without.
    #[must_use]
    pub fn or_checked(
        self,
        objects: Arc<dyn ObjectStore>,
        uploads: Arc<dyn MultipartStore>,
    ) -> Self {
        let client = Client { objects, uploads };
        let checked = Checked { client, is_wanted: Arc::default(), has_parts: false };
        Self { checked: Some(checked), ..self }
    }

    /// The same for a store that refuses checksums in headers.
    #[must_use]
    pub fn without_checked(self) -> Self {
        Self { checked: None, ..self }
    }

    /// True once the store has said a CRC-64/NVME of what it took: no other digest is of use.
    #[must_use]
    pub fn says_crc64nvme(&self) -> bool {
        self.says_crc64nvme.load(Ordering::Relaxed)
    }

    /// Bytes of a body that are in memory at once, besides what its source holds.
    #[must_use]
    pub fn holds(&self, length: u64) -> u64 {
        match self.streaming {
            Streaming::Sent if self.wanted().is_none() => 0,
            Streaming::Sent | Streaming::Collected => length,
        }
    }

    /// The client with checksums, once the store wants them.
    fn wanted(&self) -> Option<&Client> {
        let checked = self.checked.as_ref()?;
        checked.is_wanted.load(Ordering::Relaxed).then_some(&checked.client)
    }

    fn client_of(&self, upload: &UploadId) -> &Client {
        match &self.checked {
            Some(checked) if upload.is_checked => &checked.client,
            _ => &self.client,
        }
    }

    /// Notes that the store wants checksums: the next write has one.
    fn noted(&self, error: StoreError) -> StoreError {
        if let (StoreErrorKind::ChecksumWanted, Some(checked)) = (error.kind, &self.checked) {
            checked.is_wanted.store(true, Ordering::Relaxed);
        }
        error
    }

    /// The handle that writes parts, without checksums in headers.
    pub(super) fn plain_uploads(&self) -> &dyn MultipartStore {
        &*self.client.uploads
    }

    /// Writes an object that is in memory where none is, without a checksum in the request unless
    /// the store wants one.
    ///
    /// # Errors
    /// `AlreadyExists` where one is; else the store's.
    pub async fn put_held(&self, path: &Path, body: PutPayload) -> Result<Stored, StoreError> {
        if self.wanted().is_some() {
            return self.put_checked(path, body).await;
        }
        self.put_by(&*self.client.objects, path, body).await
    }

    /// As [`Self::put_held`], with a checksum in the request if the store takes one.
    ///
    /// # Errors
    /// As [`Self::put_held`], and a checksum that is not that of the bytes which came.
    pub async fn put_checked(&self, path: &Path, body: PutPayload) -> Result<Stored, StoreError> {
        let Some(checked) = &self.checked else {
            return self.put_by(&*self.client.objects, path, body).await;
        };
        let stored = self.put_by(&*checked.client.objects, path, body).await?;
        Ok(Stored { is_checked: true, ..stored })
    }

    async fn put_by(
        &self,
        store: &dyn ObjectStore,
        path: &Path,
        body: PutPayload,
    ) -> Result<Stored, StoreError> {
        let put = store.put_opts(path, body, PutMode::Create.into());
        let (result, checksum) = self.heard(Arc::default(), put).await?;
        Ok(Stored { etag: result.e_tag, checksum, is_checked: false })
    }

    /// Writes an object where none is.
    ///
    /// # Errors
    /// `AlreadyExists` where one is; else the store's.
    pub async fn put(&self, path: &Path, flow: Flow) -> Result<Stored, StoreError> {
        let mode = || PutMode::Create.into();
        let Some(checked) = self.wanted() else {
            let put = |body| self.client.objects.put_opts(path, body, mode());
            let (result, checksum) = self.send(flow, put).await?;
            return Ok(Stored { etag: result.e_tag, checksum, is_checked: false });
        };
        let put = |body| checked.objects.put_opts(path, body, mode());
        let (result, checksum) = self.send_collected(flow, put).await?;
        Ok(Stored { etag: result.e_tag, checksum, is_checked: true })
    }

    /// Opens an upload by parts. A second one may be left behind when an answer is lost.
    ///
    /// # Errors
    /// The store's.
    pub async fn create(&self, path: &Path) -> Result<UploadId, StoreError> {
        let wanted = self.wanted();
        let id = wanted.unwrap_or(&self.client).uploads.create_multipart(path).await?;
        Ok(UploadId { path: path.clone(), id, is_checked: wanted.is_some() })
    }

    /// The upload that [`Self::create`] opened, here or in another process.
    #[must_use]
    pub fn resume(&self, path: &Path, id: &str, is_checked: bool) -> UploadId {
        UploadId { path: path.clone(), id: id.to_owned(), is_checked }
    }

    /// Writes a part, from 0. A part of the same number that was written before is replaced.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_part(
        &self,
        upload: &UploadId,
        number: usize,
        flow: Flow,
    ) -> Result<(PartId, Option<StoredChecksum>), StoreError> {
        let uploads = &self.client_of(upload).uploads;
        let put = |body| uploads.put_part(&upload.path, &upload.id, number, body);
        match upload.is_checked {
            true => self.send_collected(flow, put).await,
            false => self.send(flow, put).await,
        }
    }

    /// Makes the object of its parts, in their order, where none is and where the store has such a
    /// condition.
    ///
    /// # Errors
    /// `AlreadyExists` or `Precondition` where an object is; else the store's.
    pub async fn complete(
        &self,
        upload: &UploadId,
        parts: Vec<PartId>,
    ) -> Result<Stored, StoreError> {
        let uploads = &self.client_of(upload).uploads;
        let result = uploads.complete_multipart(&upload.path, &upload.id, parts).await?;
        let checksum = result.extensions.get().copied();
        Ok(Stored { etag: result.e_tag, checksum, is_checked: false })
    }

    /// The uploads whose keys begin with `prefix` that were opened and not ended.
    ///
    /// # Errors
    /// As [`open_uploads`].
    pub async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, StoreError> {
        open_uploads(&*self.client.objects, prefix).await
    }

    /// Throws away an upload that was listed.
    ///
    /// # Errors
    /// The store's.
    pub async fn abort_open(&self, upload: &OpenUpload) -> Result<(), StoreError> {
        let (path, id) = (upload.path.clone(), upload.id.clone());
        self.abort(&UploadId { path, id, is_checked: false }).await
    }

    /// Throws away all uploads of this object that were opened and not ended, but the one with the
    /// id `kept`. Returns how many.
    ///
    /// # Errors
    /// `Unsupported` where the store lists none; else the store's.
    pub async fn abort_others(&self, path: &Path, kept: Option<&str>) -> Result<usize, StoreError> {
        let found = self.open_uploads(path.as_ref()).await?;
        let is_other = |one: &OpenUpload| one.path == *path && kept != Some(one.id.as_str());
        let of_object: Vec<_> = found.into_iter().filter(is_other).collect();
        for one in &of_object {
            self.abort_open(one).await?;
        }
        Ok(of_object.len())
    }

    /// Throws an upload away with its parts. Azure does so by itself after a week.
    ///
    /// # Errors
    /// The store's.
    pub async fn abort(&self, upload: &UploadId) -> Result<(), StoreError> {
        Ok(self.client.uploads.abort_multipart(&upload.path, &upload.id).await?)
    }

    /// Sends one request with a body that flows.
    async fn send<T, F>(
        &self,
        flow: Flow,
        request: impl FnOnce(PutPayload) -> F,
    ) -> Result<(T, Option<StoredChecksum>), StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        if self.streaming == Streaming::Collected {
            return self.send_collected(flow, request).await;
        }
        self.send_as(Sending::new(flow, None), request).await
    }

    async fn send_as<T, F>(
        &self,
        sending: Sending,
        request: impl FnOnce(PutPayload) -> F,
    ) -> Result<(T, Option<StoredChecksum>), StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let stand_in = stand_in(sending.length);
        let sending = Stopped(Arc::new(sending));
        let answer = self.heard(Arc::clone(&sending.0), request(stand_in)).await?;
        if sending.0.is_taken() {
            return Ok(answer);
        }
        let message = "the store's client sent another body than the object's: report this";
        Err(StoreError::new(StoreErrorKind::Other, message))
    }

    /// Sends one request with a body that is collected in memory first.
    async fn send_collected<T, F>(
        &self,
        flow: Flow,
        request: impl FnOnce(PutPayload) -> F,
    ) -> Result<(T, Option<StoredChecksum>), StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let pieces: Vec<Bytes> = flow.pieces.try_collect().await?;
        self.heard(Arc::default(), request(pieces.into_iter().collect())).await
    }

    /// Waits for the answer to one request, and hears what the store says of the body.
    async fn heard<T>(
        &self,
        sending: Arc<Sending>,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<(T, Option<StoredChecksum>), StoreError> {
        let answer = SENDING.scope(Arc::clone(&sending), request).await;
        let answer = answer.map_err(|error| self.noted(error.into()))?;
        let checksum = sending.stored.get().copied();
        if matches!(checksum, Some(StoredChecksum::Crc64Nvme(_))) {
            self.says_crc64nvme.store(true, Ordering::Relaxed);
        }
        Ok((answer, checksum))
    }
}

/// Tells the task that sends a body what the store says of it. For connectors, and for stores
/// without one.
pub fn hear(checksum: StoredChecksum) {
    // Nobody listens to a request without a body of an object.
    let _unheard = SENDING.try_with(|sending| sending.stored.set(checksum));
}

/// The body that `request` is to send instead of its own; `None` for every other request, such as
/// one for credentials.
pub(super) fn sent_by_this_task(request: &HttpRequest) -> Option<SentBody> {
    SENDING.try_with(|sending| sending.body_of(request)).ok().flatten()
}

/// A body that is sent in the place of a stand-in.
pub(super) struct SentBody {
    pub(super) body: FlowBody,
    /// The checksum that the request is to tell the store.
    pub(super) crc64nvme: Option<u64>,
}

fn stand_in(length: u64) -> PutPayload {
    let block = Bytes::from_static(&BLOCK);
    let mut left = length;
    let blocks = std::iter::from_fn(|| {
        let next = left.min(BLOCK_BYTES as u64);
        left -= next;
        // No more than a block.
        usize::try_from(next).ok().filter(|bytes| *bytes > 0).map(|bytes| block.slice(..bytes))
    });
    blocks.collect()
}

/// A body between the caller and the connector.
#[derive(Default)]
struct Sending {
    length: u64,
    /// `None` once the connector has taken it, and for one that is in the request.
    body: Mutex<Option<FlowBody>>,
    crc64nvme: Option<u64>,
    supply: Arc<Supply>,
    /// The checksum that the store said of it.
    stored: OnceLock<StoredChecksum>,
}

/// Ends the flow when its request is over, however it ended: the client goes on to send a body
/// whose answer came early.
struct Stopped(Arc<Sending>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.supply.end();
    }
}

impl Sending {
    fn new(flow: Flow, crc64nvme: Option<u64>) -> Self {
        let Flow { length, pieces } = flow;
        let supply = Arc::new(Supply::new(pieces));
        let body = Mutex::new(Some(FlowBody::new(Arc::clone(&supply), length)));
        Self { length, body, crc64nvme, supply, stored: OnceLock::new() }
    }

    fn is_taken(&self) -> bool {
        self.body.lock().is_ok_and(|body| body.is_none())
    }

    fn body_of(&self, request: &HttpRequest) -> Option<SentBody> {
        let length = request.body().content_length() as u64;
        if *request.method() != Method::PUT || length != self.length || length == 0 {
            return None;
        }
        let body = self.body.lock().ok()?.take()?;
        Some(SentBody { body, crc64nvme: self.crc64nvme })
    }
}

#[cfg(test)]
mod tests;
