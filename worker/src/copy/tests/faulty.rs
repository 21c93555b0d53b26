//! A store that breaks on order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use deepclone_common::store::copying::google::{self, RewriteSource};
use deepclone_common::store::copying::{self, CopyRange, CopySource};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::requests::Wanted;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_common::store::streaming::hear;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartId,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use super::{BUCKET, KEY};

/// What happens to the n-th request of a kind (`get`, `put`, `upload`, `part`, `copy`, `complete`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::copy) enum Fault {
    /// The answer is 503.
    Throttle,
    /// A GET's body ends in an error after this many bytes.
    Cut(usize),
    /// A GET's body ends without an error after this many bytes.
    Short(usize),
    /// The write is done and its answer lost.
    LoseAnswer,
    /// A GET shows another tag.
    OtherTag,
    /// A part is written, or copied by the store, an hour later.
    Slow,
    /// Another write is done just before, and this one is refused.
    Overtaken,
    /// The answer has this status.
    Status(u16),
    /// The store copies other bytes.
    OtherBytes,
    /// The store copies the half of them.
    Half,
    /// The store does not end its copy, and says that so many bytes are copied.
    More(u64),
    /// The store takes no write without a checksum in the request.
    WantChecksum,
}

/// The faults to come, and the requests that came.
#[derive(Debug, Default)]
struct Script {
    faults: Mutex<BTreeMap<(&'static str, u32), Fault>>,
    seen: Mutex<BTreeMap<&'static str, u32>>,
}

impl Script {
    fn fault(&self, kind: &'static str) -> Option<Fault> {
        let mut seen = self.seen.lock().unwrap();
        let number = seen.entry(kind).or_default();
        *number += 1;
        self.faults.lock().unwrap().remove(&(kind, *number))
    }
}

/// How a store computes the checksums that it says.
pub(super) type Says = fn(&[u8]) -> StoredChecksum;

/// A store in memory that breaks on order, counts its requests, and says checksums if it is told
/// to.
#[derive(Debug)]
pub(in crate::copy) struct Faulty {
    pub(in crate::copy) inner: Arc<InMemory>,
    script: Arc<Script>,
    /// Of the bytes of a PUT or of a part, without being asked.
    pub(super) says_of_bodies: OnceLock<Says>,
    /// Of the object that a completed upload made.
    pub(super) says_of_uploads: OnceLock<Says>,
    /// Of an object that is read or looked at, if it is asked.
    pub(super) says_of_objects: OnceLock<Says>,
    /// Of a part that it copied by itself, unless it was told an MD5.
    pub(super) says_of_copies: OnceLock<Says>,
    /// The side of the same store that it can copy from by itself.
    pub(super) other_side: OnceLock<Arc<Faulty>>,
    /// The blocks that Azure copied, by their ids.
    blocks: Mutex<BTreeMap<String, Bytes>>,
    /// True once a copy of Google's was begun and not ended.
    is_begun: AtomicBool,
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faulty")
    }
}

pub(super) fn broken(text: &str) -> Error {
    Error::Generic { store: "faulty", source: text.to_owned().into() }
}

fn answered(status: u16) -> Error {
    broken(&format!("Server returned non-2xx status code: {status} It: "))
}

/// The error of a copy that the store does not make, or not soon.
async fn refused(fault: Option<Fault>) -> Result<()> {
    match fault {
        Some(Fault::Slow) => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Ok(())
        }
        Some(Fault::Throttle) => Err(unavailable()),
        Some(Fault::Status(412)) => {
            Err(Error::Precondition { path: KEY.to_owned(), source: "412".into() })
        }
        Some(Fault::Status(status)) => Err(answered(status)),
        _ => Ok(()),
    }
}

/// The bytes as a store copies them.
fn spoiled(bytes: Bytes, fault: Option<Fault>) -> Bytes {
    match fault {
        Some(Fault::OtherBytes) => bytes.iter().map(|byte| byte ^ 1).collect(),
        Some(Fault::Half) => bytes.slice(..bytes.len() / 2),
        _ => bytes,
    }
}

pub(super) fn md5(bytes: &[u8]) -> StoredChecksum {
    use md5::Digest as _;
    StoredChecksum::Md5(md5::Md5::digest(bytes).into())
}

/// An answer that is no object.
fn answer_of(text: String) -> GetResult {
    let (size, e_tag) = (text.len() as u64, None);
    let location = Path::from("answer");
    let meta = ObjectMeta { location, last_modified: <_>::default(), size, e_tag, version: None };
    let payload = GetResultPayload::Stream(stream::iter([Ok(text.into())]).boxed());
    let (attributes, extensions) = (<_>::default(), <_>::default());
    GetResult { payload, meta, range: 0..size, attributes, extensions }
}

fn unavailable() -> Error {
    broken("Server returned non-2xx status code: 503 Service Unavailable: ")
}

impl Faulty {
    pub(super) fn new(faults: &[(&'static str, u32, Fault)]) -> Arc<Self> {
        let faults = faults.iter().map(|(kind, number, fault)| ((*kind, *number), *fault));
        let script = Script { faults: Mutex::new(faults.collect()), seen: Mutex::default() };
        Self::over(Arc::default(), Arc::new(script))
    }

    fn over(inner: Arc<InMemory>, script: Arc<Script>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            script,
            says_of_bodies: OnceLock::new(),
            says_of_uploads: OnceLock::new(),
            says_of_objects: OnceLock::new(),
            says_of_copies: OnceLock::new(),
            other_side: OnceLock::new(),
            blocks: Mutex::default(),
            is_begun: AtomicBool::default(),
        })
    }

    /// Another handle on the same objects, with counts of its own.
    pub(super) fn beside(&self) -> Arc<Self> {
        Self::over(Arc::clone(&self.inner), Arc::default())
    }

    fn hear(&self, says: &OnceLock<Says>, body: PutPayload) {
        if let Some(says) = says.get() {
            hear(says(&Bytes::from(body)));
        }
    }

    fn fault(&self, kind: &'static str) -> Option<Fault> {
        self.script.fault(kind)
    }

    async fn answer(&self, at: &Path, how: GetOptions, says: Option<&Says>) -> Result<GetResult> {
        let mut answer = self.inner.get_opts(at, how).await?;
        answer.meta.version = answer.meta.e_tag.clone();
        if let Some(says) = says {
            let bytes = self.inner.get(at).await?.bytes().await?;
            answer.extensions.insert(says(&bytes));
        }
        Ok(answer)
    }

    /// The bytes of a part that the store copies by itself.
    async fn copied(&self, side: &Self, source: &CopyRange) -> Result<PutPayload> {
        let fault = self.fault("copy");
        refused(fault).await?;
        let answer = side.inner.get(&Path::parse(&source.key).unwrap()).await?;
        let is_source = match &source.source {
            CopySource::S3(bucket) => bucket == BUCKET,
            CopySource::Azure(container) => container.container == BUCKET,
            CopySource::Google(_) => false,
        };
        assert!(is_source, "{source:?}");
        assert_eq!(answer.meta.e_tag.as_ref(), Some(&source.etag));
        let range = source.range.clone().unwrap_or(0..answer.meta.size);
        assert_eq!(range.end - range.start, source.length);
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let bytes = spoiled(answer.bytes().await?.slice(range), fault);
        if let Some(said) = source.md5 {
            if StoredChecksum::Md5(said) != md5(&bytes) {
                let mismatch = StoreError::new(StoreErrorKind::ChecksumMismatch, "Md5Mismatch");
                return Err(Error::Generic { store: "faulty", source: mismatch.into() });
            }
        } else if let Some(says) = self.says_of_copies.get() {
            copying::tell(says(&bytes));
        }
        Ok(bytes.into())
    }

    /// Makes an object by a copy of the store's own, as Google Cloud Storage does. Each step but
    /// the first goes on with the token of the one before.
    async fn rewritten(
        &self,
        side: &Self,
        (source, token): (RewriteSource, Option<String>),
        at: &Path,
    ) -> Result<GetResult> {
        let fault = self.fault("copy");
        refused(fault).await?;
        let is_begun = self.is_begun.load(Ordering::Relaxed);
        assert_eq!((source.bucket.as_str(), token.is_some()), (BUCKET, is_begun));
        if let Some(Fault::More(copied)) = fault {
            self.is_begun.store(true, Ordering::Relaxed);
            let json = r#"{"done":false,"rewriteToken":"next","totalBytesRewritten":"COPIED"}"#;
            return Ok(answer_of(json.replace("COPIED", &copied.to_string())));
        }
        let read = side.inner.get(&Path::parse(&source.key).unwrap()).await?;
        if read.meta.e_tag != Some(source.generation) || self.inner.head(at).await.is_ok() {
            return Err(Error::Precondition { path: at.to_string(), source: "412".into() });
        }
        let bytes = spoiled(read.bytes().await?, fault);
        let size = bytes.len();
        self.inner.put(at, bytes.into()).await?;
        if fault == Some(Fault::LoseAnswer) {
            return Err(unavailable());
        }
        Ok(answer_of(format!(r#"{{"done":true,"resource":{{"size":"{size}"}}}}"#)))
    }

    /// Requests of one kind.
    pub(in crate::copy) fn count(&self, kind: &str) -> u32 {
        self.script.seen.lock().unwrap().get(kind).copied().unwrap_or(0)
    }

    /// Requests of all kinds.
    pub(super) fn total(&self) -> u64 {
        u64::from(self.script.seen.lock().unwrap().values().sum::<u32>())
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        assert_eq!(how.mode, PutMode::Create, "an object may be overwritten");
        self.hear(&self.says_of_bodies, body.clone());
        match self.fault("put") {
            Some(Fault::Throttle) => Err(unavailable()),
            Some(Fault::WantChecksum) => {
                let wanted = StoreError::new(StoreErrorKind::ChecksumWanted, "a checksum");
                Err(Error::Generic { store: "faulty", source: wanted.into() })
            }
            Some(Fault::LoseAnswer) => {
                self.inner.put_opts(at, body, how).await?;
                Err(unavailable())
            }
            _ => self.inner.put_opts(at, body, how).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        if let Some(side) = self.other_side.get()
            && let Some(order) = google::take(&how.extensions)
        {
            return self.rewritten(side, order, at).await;
        }
        let is_asked = how.extensions.get() == Some(&Wanted::StoredChecksum);
        let says = self.says_of_objects.get().filter(|_| is_asked);
        if how.head {
            self.fault("head");
            return self.answer(at, how, says).await;
        }
        let fault = self.fault("get");
        if fault == Some(Fault::Throttle) {
            return Err(unavailable());
        }
        let mut answer = self.answer(at, how, says).await?;
        let (meta, range) = (answer.meta.clone(), answer.range.clone());
        match fault {
            Some(Fault::OtherTag) => answer.meta.e_tag = Some("other".to_owned()),
            Some(Fault::Cut(after) | Fault::Short(after)) => {
                let attributes = answer.attributes.clone();
                let bytes = answer.bytes().await?.slice(..after);
                let mut frames = vec![Ok(bytes)];
                if matches!(fault, Some(Fault::Cut(_))) {
                    frames.push(Err(unavailable()));
                }
                let payload = GetResultPayload::Stream(stream::iter(frames).boxed());
                let extensions = <_>::default();
                return Ok(GetResult { payload, meta, range, attributes, extensions });
            }
            _ => {}
        }
        Ok(answer)
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.fault("list");
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

#[async_trait::async_trait]
impl MultipartStore for Faulty {
    async fn create_multipart(&self, at: &Path) -> Result<MultipartId> {
        match self.fault("upload") {
            Some(Fault::Throttle) => Err(unavailable()),
            _ => self.inner.create_multipart(at).await,
        }
    }

    async fn put_part(
        &self,
        at: &Path,
        id: &MultipartId,
        number: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        // Like a client without the connector, a store alone writes the empty part.
        if let Some(side) = self.other_side.get()
            && let Some(source) = copying::take()
        {
            assert_eq!(data.content_length(), 0);
            let data = self.copied(side, &source).await?;
            if let CopySource::Azure(_) = &source.source {
                let mut blocks = self.blocks.lock().unwrap();
                let content_id = format!("block {}", blocks.len());
                blocks.insert(content_id.clone(), data.into());
                return Ok(PartId { content_id });
            }
            return self.inner.put_part(at, id, number, data).await;
        }
        match self.fault("part") {
            Some(Fault::Slow) => tokio::time::sleep(Duration::from_secs(3_600)).await,
            Some(Fault::Throttle) => return Err(unavailable()),
            Some(Fault::Status(status)) => return Err(answered(status)),
            _ => {}
        }
        self.hear(&self.says_of_bodies, data.clone());
        self.inner.put_part(at, id, number, data).await
    }

    async fn complete_multipart(
        &self,
        at: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let fault = self.fault("complete");
        match fault {
            Some(Fault::Throttle) => return Err(unavailable()),
            Some(Fault::Status(status)) => return Err(answered(status)),
            _ => {}
        }
        // As the connector asks of every store that has such a condition.
        if self.inner.head(at).await.is_ok() {
            return Err(Error::AlreadyExists { path: at.to_string(), source: "412".into() });
        }
        let block = |part: &PartId| self.blocks.lock().unwrap().get(&part.content_id).cloned();
        let blocks: Option<Vec<Bytes>> = parts.iter().map(block).collect();
        let mut completed = match blocks.filter(|blocks| !blocks.is_empty()) {
            Some(blocks) => self.inner.put(at, blocks.into_iter().collect()).await?,
            None => self.inner.complete_multipart(at, id, parts).await?,
        };
        if let Some(says) = self.says_of_uploads.get() {
            let bytes = self.inner.get(at).await?.bytes().await?;
            completed.extensions.insert(says(&bytes));
        }
        match fault {
            Some(Fault::LoseAnswer) => Err(unavailable()),
            Some(Fault::Overtaken) => {
                Err(Error::AlreadyExists { path: KEY.to_owned(), source: "409".into() })
            }
            _ => Ok(completed),
        }
    }

    async fn abort_multipart(&self, at: &Path, id: &MultipartId) -> Result<()> {
        self.fault("abort");
        self.inner.abort_multipart(at, id).await
    }
}
