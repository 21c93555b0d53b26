//! How Azure is asked to copy a block by itself (`Put Block From URL`).
//!
//! Azure reads the source by a URL, and never by the authority of the request itself: a shared
//! access signature goes into that URL, a token into a header of its own. With the account's key a
//! signature is made that lets this one blob be read for some minutes. URL and token are in headers
//! that are marked as sensitive, and in no error and no log.

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::DateTime;
use http::Method;
use http::header::{HeaderMap, HeaderName};
use object_store::azure::{AzureCredential, AzureCredentialProvider};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;

use super::header::{ENCODED, secret, value};
use crate::clock::Clock;

pub(super) const COPY_SOURCE: HeaderName = HeaderName::from_static("x-ms-copy-source");
pub(super) const SOURCE_AUTHORIZATION: HeaderName =
    HeaderName::from_static("x-ms-copy-source-authorization");
pub(super) const SOURCE_RANGE: HeaderName = HeaderName::from_static("x-ms-source-range");
pub(super) const SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-ms-source-if-match");
pub(super) const SOURCE_MD5: HeaderName = HeaderName::from_static("x-ms-source-content-md5");
pub(super) const BLOB_MD5: HeaderName = HeaderName::from_static("x-ms-blob-content-md5");

/// How long a signature of ours counts. The clocks of this machine and of the store may differ by
/// 15 minutes, as they may for the requests themselves.
const COUNTS_MS: i64 = 30 * 60 * 1_000;
/// The longest URL by which Azure reads a source is of 2 KiB, with the signature in it.
const URL_BYTES_MAX: usize = 2_048 - 640;
/// The version of the form of a signature.
const SIGNED_VERSION: &str = "2023-11-03";
/// A signature for one blob, which lets it be read.
const PERMISSION: &str = "r";
const RESOURCE: &str = "b";

/// A container whose blobs Azure may be asked to copy.
pub struct AzureSource {
    /// The URL of the account.
    pub url: String,
    pub account: String,
    pub container: String,
    /// Goes into the URL by which Azure reads a blob, or beside it.
    pub authority: AzureAuthority,
}

/// What authorizes reads of a container.
pub enum AzureAuthority {
    /// By it a signature is made for each blob.
    Key(hmac::Key),
    /// Signatures or tokens, which are asked for each time.
    Credentials(AzureCredentialProvider),
}

impl fmt::Debug for AzureSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureSource").field("container", &self.container).finish_non_exhaustive()
    }
}

impl AzureAuthority {
    /// By the account's key, in base64; `None` when it is no key.
    #[must_use]
    pub fn key(base64: &str) -> Option<Self> {
        let key = BASE64_STANDARD.decode(base64).ok()?;
        Some(Self::Key(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }
}

/// A URL to read a blob by, and the header that goes with it.
struct Readable {
    url: String,
    authorization: Option<String>,
}

impl AzureSource {
    /// Returns whether Azure takes a URL of this key: it may be too long for it.
    #[must_use]
    pub fn can_name(&self, key: &str) -> bool {
        self.url_of(key).len() <= URL_BYTES_MAX
    }

    fn url_of(&self, key: &str) -> String {
        let Self { url, container, .. } = self;
        format!("{url}/{container}/{}", utf8_percent_encode(key, ENCODED))
    }

    /// Names the bytes that a block is a copy of, the state of their blob, and their MD5, which the
    /// store compares.
    pub(super) async fn name_source(
        &self,
        headers: &mut HeaderMap,
        key: &str,
        etag: &str,
        range: Option<&Range<u64>>,
    ) -> Result<(), HttpError> {
        let Readable { url, authorization } = self.readable(key, Clock::System.now_ms()).await?;
        headers.insert(COPY_SOURCE, secret(url)?);
        if let Some(authorization) = authorization {
            headers.insert(SOURCE_AUTHORIZATION, secret(authorization)?);
        }
        headers.insert(SOURCE_IF_MATCH, value(etag.to_owned())?);
        if let Some(Range { start, end }) = range {
            let last = end.saturating_sub(1);
            headers.insert(SOURCE_RANGE, value(format!("bytes={start}-{last}"))?);
        }
        Ok(())
    }

    async fn readable(&self, key: &str, now_ms: i64) -> Result<Readable, HttpError> {
        let url = self.url_of(key);
        let credentials = match &self.authority {
            AzureAuthority::Key(signing) => {
                let query = self.signed(signing, key, now_ms)?;
                return Ok(Readable { url: format!("{url}?{query}"), authorization: None });
            }
            AzureAuthority::Credentials(credentials) => credentials,
        };
        Ok(match &*credentials.get_credential().await.map_err(unusable)? {
            AzureCredential::BearerToken(token) => {
                Readable { url, authorization: Some(format!("Bearer {token}")) }
            }
            AzureCredential::SASToken(pairs) => {
                let pairs = pairs.iter().map(|(name, value)| pair(name, value));
                let query = pairs.collect::<Vec<_>>().join("&");
                Readable { url: format!("{url}?{query}"), authorization: None }
            }
            // The settings have no key, or the store would be asked with it.
            AzureCredential::AccessKey(_) => return Err(unusable(NoAuthority)),
        })
    }

    /// The query that lets one blob be read, signed with the account's key.
    fn signed(&self, signing: &hmac::Key, key: &str, now_ms: i64) -> Result<String, HttpError> {
        let ends = DateTime::from_timestamp_millis(now_ms.saturating_add(COUNTS_MS));
        let ends = ends.ok_or_else(|| unusable(NoAuthority))?.format("%Y-%m-%dT%H:%M:%SZ");
        let ends = ends.to_string();
        let blob = format!("/blob/{}/{}/{key}", self.account, self.container);
        // By their places: no start, identifier, address and protocol before the version; no
        // snapshot, scope and headers of the answer behind the resource.
        let text = format!(
            "{PERMISSION}\n\n{ends}\n{blob}\n\n\n\n{SIGNED_VERSION}\n{RESOURCE}\n\n\n\n\n\n\n"
        );
        let tag = hmac::sign(signing, text.as_bytes());
        let signature = BASE64_STANDARD.encode(tag);
        let pairs = [
            ("sv", SIGNED_VERSION),
            ("sp", PERMISSION),
            ("se", &ends),
            ("sr", RESOURCE),
            ("sig", &signature),
        ];
        Ok(pairs.map(|(name, value)| pair(name, value)).join("&"))
    }
}

fn pair(name: &str, value: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("{}={}", encoded(name), encoded(value))
}

/// An MD5 as a header has it.
pub(super) fn md5_header(md5: [u8; 16]) -> Result<http::HeaderValue, HttpError> {
    value(BASE64_STANDARD.encode(md5))
}

/// Whether a request writes a block.
pub(super) fn writes_block(request: &HttpRequest) -> bool {
    *request.method() == Method::PUT && is(request, "comp=block")
}

/// Whether a request makes a blob of its blocks.
pub(super) fn completes(request: &HttpRequest) -> bool {
    *request.method() == Method::PUT && is(request, "comp=blocklist")
}

fn is(request: &HttpRequest, pair: &str) -> bool {
    request.uri().query().unwrap_or_default().split('&').any(|found| found == pair)
}

#[derive(Debug, thiserror::Error)]
#[error("no credentials let the store read the source")]
struct NoAuthority;

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}
