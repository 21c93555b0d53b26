//! Requests for a bucket that `object_store` does not offer: its open uploads, its lifecycle.
//!
//! The client is asked for an object of a made-up key, and the request's extensions tell the
//! connector of [`crate::store::client`] to ask for the bucket instead and to sign again. S3 and
//! Google Cloud Storage answer such requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, ETAG, HeaderValue, LAST_MODIFIED};
use object_store::client::{HttpError, HttpRequest};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};

use super::error::{StoreError, StoreErrorKind};
use super::signing::Signing;
use super::uri::with_path_and_query;

/// The key that the client is asked for: one segment, which no client encodes.
const STAND_IN: &str = "uploadsOfTheBucket";

/// What the caller wants, in the extensions of a request.
#[derive(Clone, Debug)]
struct OfBucket {
    /// The query of the request, encoded.
    query: String,
    /// Set by the connector once the request asks for the bucket.
    is_asked: Arc<AtomicBool>,
}

/// Asks the bucket by this query, and returns the body of its answer.
///
/// # Errors
/// `Unsupported` where the store has no such requests; else the store's.
pub(super) async fn of_bucket(store: &dyn ObjectStore, query: String) -> Result<Bytes, StoreError> {
    let wanted = OfBucket { query, is_asked: Arc::default() };
    let mut options = GetOptions::default();
    options.extensions.insert(wanted.clone());
    let answer = store.get_opts(&Path::from(STAND_IN), options).await;
    if !wanted.is_asked.load(Ordering::Relaxed) {
        let message = "the store has no listing of uploads that were not ended";
        return Err(StoreError::new(StoreErrorKind::Unsupported, message));
    }
    Ok(answer?.bytes().await?)
}

/// Makes a request whose extensions want that ask for its bucket. Returns whether it does.
pub(super) async fn ask(request: &mut HttpRequest, signing: &Signing) -> Result<bool, HttpError> {
    let Some(wanted) = request.extensions().get::<OfBucket>().cloned() else {
        return Ok(false);
    };
    if matches!(signing, Signing::Azure(_)) || !signing.can_sign(request) {
        return Ok(false);
    }
    let path = request.uri().path();
    let bucket = path.strip_suffix(STAND_IN).unwrap_or(path);
    let bucket = if bucket == "/" { bucket } else { bucket.trim_end_matches('/') };
    let whole = format!("{bucket}?{}", wanted.query);
    *request.uri_mut() = with_path_and_query(request.uri(), &whole)?;
    signing.sign(request).await?;
    wanted.is_asked.store(true, Ordering::Relaxed);
    Ok(true)
}

/// Gives an answer the headers that the client wants of an object.
pub(super) fn as_an_object(headers: &mut HeaderMap, length: usize) {
    headers.insert(ETAG, HeaderValue::from_static("\"bucket\""));
    headers.insert(LAST_MODIFIED, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}
