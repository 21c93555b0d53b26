//! Lets a store copy bytes by itself: from one of its objects into a part of an upload to it, or,
//! at Google Cloud Storage, into an object ([`google`]). None of them come here.
//!
//! The `object_store` client has no such request between two buckets. It is asked to write an empty
//! part, and a task-local value tells the connector of [`super::client`] what the part is a copy
//! of. The connector adds the headers of `UploadPartCopy` ([`s3`]) or of `Put Block From URL`
//! ([`azure`]), signs again, and shows the client the entity tag of the answer where it looks for
//! one. The two find each other as in [`super::streaming`], and an empty part that no connector
//! replaced is an error here, too.
//!
//! The copy is of one state of the source (an `If-Match` of its own). The completion of the upload
//! has its condition as ever, so nothing is overwritten.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::response::Parts;
use object_store::PutPayload;
use object_store::client::{HttpError, HttpRequest};
use object_store::multipart::PartId;

pub use self::azure::{AzureAuthority, AzureSource};
use super::error::{StoreError, StoreErrorKind};
use super::signing::Signing;
use super::stall::STALL_TIMEOUT;
use super::stored_checksum::StoredChecksum;
use super::streaming::{StreamingStore, UploadId};

mod azure;
pub mod google;
mod header;
mod s3;

/// The slowest rate of a store's own copy.
const FLOOR_BYTES_PER_SECOND: u64 = 1 << 20;

tokio::task_local! {
    /// What the part that this task writes is a copy of.
    static COPYING: Arc<CopyOrder>;
    /// Set while this task opens an upload whose object is to have its checksum.
    static CHECKSUMMED: ();
    /// The MD5 that the object has at its source, while this task makes the copy of it.
    static CARRIED: [u8; 16];
}

/// Where a store copies from by itself.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// The bucket of this name in a store of S3's kind.
    S3(String),
    /// A container of Azure.
    Azure(Arc<AzureSource>),
    /// The bucket of this name in Google Cloud Storage.
    Google(String),
}

/// Bytes of one state of an object.
#[derive(Clone, Debug)]
pub struct CopyRange {
    pub source: CopySource,
    pub key: String,
    /// The entity tag of that state, a strong one.
    pub etag: String,
    /// `None` for all bytes: stores cut only objects of more than 5 MB.
    pub range: Option<Range<u64>>,
    /// How many bytes there are.
    pub length: u64,
    /// Their MD5, which Azure is to compare with what it copies. S3 is not told it.
    pub md5: Option<[u8; 16]>,
}

/// A part that the store copied.
#[derive(Clone, Debug)]
pub struct CopiedPart {
    pub id: PartId,
    /// The checksum of its bytes, where the store says it.
    pub checksum: Option<StoredChecksum>,
}

/// Lets the store write a part, from 0, by a copy of its own.
///
/// # Errors
/// `Precondition` when the source is in another state; `ChecksumMismatch` when its bytes do not
/// have the MD5; `Unsupported` when the store's client has no such request; else the store's.
pub async fn copy_part(
    store: &StreamingStore,
    upload: &UploadId,
    number: usize,
    source: CopyRange,
) -> Result<CopiedPart, StoreError> {
    let order = Arc::new(CopyOrder {
        source,
        is_taken: AtomicBool::new(false),
        checksum: OnceLock::new(),
        in_completion: OnceLock::new(),
    });
    let empty = PutPayload::default();
    let put = store.plain_uploads().put_part(&upload.path, &upload.id, number, empty);
    let part = COPYING.scope(Arc::clone(&order), put).await?;
    if !order.is_taken.load(Ordering::Relaxed) {
        let message = "the store's client cannot let it copy by itself";
        return Err(StoreError::new(StoreErrorKind::Unsupported, message));
    }
    let id = match order.in_completion.get() {
        Some(checksum) => s3::with_checksum(&part, checksum),
        None => part,
    };
    Ok(CopiedPart { id, checksum: order.checksum.get().copied() })
}

/// Opens an upload by `open` whose object has a checksum of all its bytes, where the store can.
pub async fn checksummed<T>(open: impl Future<Output = T>) -> T {
    CHECKSUMMED.scope((), open).await
}

/// Completes an upload by `complete` whose object is to say the MD5 that its source says, where the
/// store does not compute one of its own (Azure).
pub async fn carrying<T>(md5: Option<[u8; 16]>, complete: impl Future<Output = T>) -> T {
    match md5 {
        Some(md5) => CARRIED.scope(md5, complete).await,
        None => complete.await,
    }
}

/// Takes the copy that the write of this task is to be: for a store that has no connector.
#[must_use]
pub fn take() -> Option<CopyRange> {
    let order = COPYING.try_with(Arc::clone).ok()?;
    let is_first = !order.is_taken.swap(true, Ordering::Relaxed);
    is_first.then(|| order.source.clone())
}

/// Tells the checksum of the part that the write of this task is: for a store that has no
/// connector.
pub fn tell(checksum: StoredChecksum) {
    // Nobody listens to a write that is no copy.
    let _unheard = COPYING.try_with(|order| order.checksum.set(checksum));
}

/// A copy between the caller and the connector.
#[derive(Debug)]
struct CopyOrder {
    source: CopyRange,
    is_taken: AtomicBool,
    /// The checksum of the part.
    checksum: OnceLock<StoredChecksum>,
    /// The same in the form in which the completion has it.
    in_completion: OnceLock<String>,
}

/// A request for a copy that is under way.
pub(super) struct Copying(Arc<CopyOrder>);

/// Makes the request of a task that copies one for a copy, and returns it; asks for a checksum
/// where an upload is opened that wants one, and carries an MD5 where a copy is completed.
pub(super) async fn extend(
    request: &mut HttpRequest,
    signing: &Signing,
) -> Result<Option<Copying>, HttpError> {
    match signing {
        Signing::S3(_) if signing.can_sign(request) => {}
        Signing::Azure(_) => {}
        Signing::S3(_) | Signing::Token | Signing::Unknown => return Ok(None),
    }
    let is_s3 = matches!(signing, Signing::S3(_));
    if is_s3 && s3::opens_upload(request) && CHECKSUMMED.try_with(|()| ()).is_ok() {
        s3::ask_for_checksum(request.headers_mut());
        signing.sign(request).await?;
        return Ok(None);
    }
    if !is_s3
        && azure::completes(request)
        && let Ok(md5) = CARRIED.try_with(|md5| *md5)
    {
        request.headers_mut().insert(azure::BLOB_MD5, azure::md5_header(md5)?);
        signing.sign(request).await?;
        return Ok(None);
    }
    let writes_part = if is_s3 { s3::writes_part(request) } else { azure::writes_block(request) };
    if !writes_part || request.body().content_length() > 0 {
        return Ok(None);
    }
    let Ok(order) = COPYING.try_with(Arc::clone) else { return Ok(None) };
    let is_of_store = match order.source.source {
        CopySource::S3(_) => is_s3,
        CopySource::Azure(_) => !is_s3,
        CopySource::Google(_) => false,
    };
    if !is_of_store || order.is_taken.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    name_source(request, &order.source).await?;
    signing.sign(request).await?;
    Ok(Some(Copying(order)))
}

async fn name_source(request: &mut HttpRequest, copied: &CopyRange) -> Result<(), HttpError> {
    let CopyRange { source, key, etag, range, md5, .. } = copied;
    let (headers, range) = (request.headers_mut(), range.as_ref());
    match source {
        CopySource::S3(bucket) => s3::name_source(headers, (bucket, key), etag, range),
        CopySource::Azure(container) => {
            container.name_source(headers, key, etag, range).await?;
            if let Some(md5) = md5 {
                headers.insert(azure::SOURCE_MD5, azure::md5_header(*md5)?);
            }
            Ok(())
        }
        CopySource::Google(_) => Ok(()),
    }
}

impl Copying {
    /// How long the store may take.
    pub(super) fn deadline(&self) -> Duration {
        deadline_for(self.0.source.length)
    }

    /// Makes the successful answer that to the write of a part, and keeps what it says of the
    /// bytes.
    pub(super) fn note(&self, parts: &mut Parts, body: &[u8]) {
        let order = &self.0;
        if let CopySource::S3(_) = order.source.source
            && let Some(checksum) = s3::as_of_part(parts, body)
        {
            let _first = order.in_completion.set(checksum);
        }
        if let Some(checksum) = StoredChecksum::of_written(&parts.headers) {
            let _first = order.checksum.set(checksum);
        }
    }
}

/// How long a store may take for a copy of so many bytes.
fn deadline_for(length: u64) -> Duration {
    STALL_TIMEOUT + Duration::from_secs(length / FLOOR_BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests;
