//! Lets Google Cloud Storage copy an object by itself (`rewriteTo` of its JSON API), in one step or
//! in several.
//!
//! The `object_store` client speaks the XML API. There a copy is a PUT with one header more, and a
//! server that does not know the header would make an empty object; a server that does not know
//! `rewriteTo` has no such address. The client is asked for the target's object, and the request's
//! extensions tell the connector of [`crate::store::client`] to ask for the copy instead. An answer
//! that no connector asked for is refused.
//!
//! Each step copies one generation of the source, and only where the target has no object.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Extensions, Method};
use object_store::client::{HttpError, HttpRequest};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::signing::Signing;
use crate::store::stall::STALL_TIMEOUT;
use crate::store::uri::with_path_and_query;

/// One step copies as much as it can in about 30 seconds, and answers then.
const STEP_TIMEOUT: Duration = Duration::from_secs(60).saturating_add(STALL_TIMEOUT);

/// One generation of an object, as the source of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteSource {
    pub bucket: String,
    pub key: String,
    pub generation: String,
}

/// How a step of a copy ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewriteStep {
    /// The object is at the target.
    Done {
        size: u64,
        /// What the store says of the copy.
        crc32c: Option<u32>,
    },
    /// The next step goes on with this token.
    More {
        token: String,
        /// Bytes that are copied up to now.
        copied: u64,
    },
}

/// Lets the store copy the object, or go on with it, by one request.
///
/// # Errors
/// `Precondition` when the source is of another generation or the target has an object;
/// `Unsupported` when the store's client has no such request; else the store's.
pub async fn rewrite_step(
    store: &dyn ObjectStore,
    source: &RewriteSource,
    target: &Path,
    token: Option<&str>,
) -> Result<RewriteStep, StoreError> {
    let order = RewriteOrder {
        source: source.clone(),
        token: token.map(ToOwned::to_owned),
        is_taken: Arc::default(),
    };
    let mut options = GetOptions::default();
    options.extensions.insert(order.clone());
    let answer = store.get_opts(target, options).await;
    if !order.is_taken.load(Ordering::Relaxed) {
        let message = "the store's client cannot let it copy by itself";
        return Err(StoreError::new(StoreErrorKind::Unsupported, message));
    }
    step_of(&answer?.bytes().await?)
}

/// Takes the copy that a read is to be: for a store that has no connector. Its answer is of the
/// JSON API. Returns the source, and the token of a copy that goes on.
#[must_use]
pub fn take(extensions: &Extensions) -> Option<(RewriteSource, Option<String>)> {
    let order = extensions.get::<RewriteOrder>()?;
    order.is_taken.store(true, Ordering::Relaxed);
    Some((order.source.clone(), order.token.clone()))
}

/// What the caller wants, in the extensions of a request.
#[derive(Clone, Debug)]
struct RewriteOrder {
    source: RewriteSource,
    token: Option<String>,
    /// Set by the connector once the request asks for the copy.
    is_taken: Arc<AtomicBool>,
}

/// Makes a request whose extensions want that ask for a copy. Returns how long the store may take
/// then.
pub(in crate::store) fn ask(
    request: &mut HttpRequest,
    signing: &Signing,
) -> Result<Option<Duration>, HttpError> {
    let Some(order) = request.extensions().get::<RewriteOrder>().cloned() else { return Ok(None) };
    if !matches!(signing, Signing::Token) {
        return Ok(None);
    }
    // The client's last two segments are the bucket and the key, whose slashes are encoded.
    let mut segments = request.uri().path().rsplitn(3, '/');
    let (key, bucket) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let base = segments.next().unwrap_or_default();
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let RewriteSource { bucket: from, key: of, generation } = &order.source;
    let mut whole = format!(
        "{base}/storage/v1/b/{}/o/{}/rewriteTo/b/{bucket}/o/{key}\
         ?ifGenerationMatch=0&ifSourceGenerationMatch={}",
        encoded(from),
        encoded(of),
        encoded(generation),
    );
    if let Some(token) = &order.token {
        whole.push_str("&rewriteToken=");
        whole.push_str(&encoded(token));
    }
    *request.uri_mut() = with_path_and_query(request.uri(), &whole)?;
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    order.is_taken.store(true, Ordering::Relaxed);
    Ok(Some(STEP_TIMEOUT))
}

/// The answer to a step. The JSON API writes large numbers as texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    done: bool,
    #[serde(default)]
    total_bytes_rewritten: String,
    rewrite_token: Option<String>,
    resource: Option<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    size: String,
    crc32c: Option<String>,
}

fn step_of(body: &[u8]) -> Result<RewriteStep, StoreError> {
    let unreadable = || {
        let message = "the store's answer to a copy of its own is no such answer";
        StoreError::new(StoreErrorKind::Other, message)
    };
    let answer: Answered = serde_json::from_slice(body).map_err(|_| unreadable())?;
    if !answer.done {
        let token = answer.rewrite_token.ok_or_else(unreadable)?;
        let copied = answer.total_bytes_rewritten.parse().unwrap_or_default();
        return Ok(RewriteStep::More { token, copied });
    }
    let Resource { size, crc32c } = answer.resource.ok_or_else(unreadable)?;
    let size = size.parse().map_err(|_| unreadable())?;
    let crc32c = crc32c.and_then(|text| BASE64_STANDARD.decode(text).ok()?.try_into().ok());
    Ok(RewriteStep::Done { size, crc32c: crc32c.map(u32::from_be_bytes) })
}
