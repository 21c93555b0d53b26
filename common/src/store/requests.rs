//! Requests that the `object_store` crate does not offer: a HEAD with the checksum that S3 stores,
//! and a DELETE under `If-Match`.
//!
//! Both are sent as a HEAD whose extensions tell the connector of [`crate::store::client`] what is
//! wanted. The connector changes the request, signs it again, and returns the result in the
//! answer's extensions. A store without that connector answers a plain HEAD: then there is no
//! checksum, and [`delete_if_match`] fails.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use deepclone_core::evidence::Described;
use http::header::{CONTENT_LENGTH, HeaderValue, LAST_MODIFIED};
use http::{Extensions, HeaderMap, Method, StatusCode};
use object_store::client::{HttpError, HttpRequest, HttpResponse};
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore};

use crate::store::error::StoreError;
use crate::store::literal::ObjectPath;
use crate::store::signing::Signing;

const CHECKSUM_MODE: &str = "x-amz-checksum-mode";
const CHECKSUM: &str = "x-amz-checksum-crc64nvme";
const CHECKSUM_TYPE: &str = "x-amz-checksum-type";
const FULL_OBJECT: &str = "FULL_OBJECT";
/// The time in the answer to a DELETE, which has none, but which the client parses as a HEAD's.
const NO_TIME: HeaderValue = HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT");

/// What the caller wants instead of a plain HEAD, in the extensions of its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The checksum that the store keeps of the whole object.
    StoredChecksum,
    /// The removal of the object, under the `If-Match` of the request.
    Delete,
}

/// In the extensions of a result: the object is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted;

/// The checksum of a whole object that its store computed, in the extensions of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredChecksum {
    Crc64Nvme(u64),
}

/// Describes an object without reading it, with one request.
///
/// # Errors
/// The store's.
pub async fn describe(store: &dyn ObjectStore, at: &ObjectPath) -> Result<Described, StoreError> {
    let answer = at.get(store, head(Wanted::StoredChecksum, None)).await?;
    let crc64nvme = answer.extensions.get().map(|StoredChecksum::Crc64Nvme(crc64nvme)| *crc64nvme);
    let etag = answer.meta.e_tag.unwrap_or_default();
    Ok(Described { size: answer.meta.size, etag, crc64nvme })
}

/// Deletes the object if it has this entity tag, with one request.
///
/// # Errors
/// `Precondition` for another tag, `NotFound` for no object, `NotImplemented` when the store's
/// client has no such request; else the store's.
pub async fn delete_if_match(
    store: &dyn ObjectStore,
    path: &Path,
    etag: &str,
) -> Result<(), Error> {
    let answer = store.get_opts(path, head(Wanted::Delete, Some(etag.to_owned()))).await?;
    match answer.extensions.get() {
        Some(Deleted) => Ok(()),
        None => Err(Error::NotImplemented {
            operation: "delete if match".to_owned(),
            implementer: store.to_string(),
        }),
    }
}

fn head(wanted: Wanted, if_match: Option<String>) -> GetOptions {
    let mut extensions = Extensions::new();
    extensions.insert(wanted);
    GetOptions { head: true, if_match, extensions, ..GetOptions::default() }
}

/// What a changed request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked(Wanted);

/// Changes a request whose extensions ask for more than a HEAD. Returns `None` when they do
/// not, or when this store cannot do it.
pub(crate) async fn extend(
    request: &mut HttpRequest,
    signing: &Signing,
) -> Result<Option<Asked>, HttpError> {
    let Some(wanted) = request.extensions().get::<Wanted>().copied() else { return Ok(None) };
    match (signing, wanted) {
        (Signing::Unknown | Signing::Token, _) | (Signing::Azure(_), Wanted::StoredChecksum) => {
            return Ok(None);
        }
        (Signing::S3(_), _) if !signing.can_sign(request) => return Ok(None),
        (Signing::S3(_), Wanted::StoredChecksum) => {
            let enabled = HeaderValue::from_static("ENABLED");
            request.headers_mut().insert(CHECKSUM_MODE, enabled);
        }
        (Signing::S3(_) | Signing::Azure(_), Wanted::Delete) => {
            *request.method_mut() = Method::DELETE;
        }
    }
    signing.sign(request).await?;
    Ok(Some(Asked(wanted)))
}

impl Asked {
    /// Puts the result into the answer's extensions.
    pub(crate) fn note(self, answer: &mut HttpResponse) {
        match self.0 {
            Wanted::StoredChecksum => {
                if let Some(checksum) = StoredChecksum::of(answer.headers()) {
                    answer.extensions_mut().insert(checksum);
                }
            }
            Wanted::Delete if answer.status().is_success() => {
                // The client expects the answer of a HEAD.
                *answer.status_mut() = StatusCode::OK;
                answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                answer.headers_mut().insert(LAST_MODIFIED, NO_TIME);
                answer.extensions_mut().insert(Deleted);
            }
            Wanted::Delete => {}
        }
    }
}

impl StoredChecksum {
    /// The checksum in an answer of S3, whose bytes are big-endian. One that is composed of the
    /// parts' own is none of the whole object's bytes.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        if headers.get(CHECKSUM_TYPE).is_some_and(|kind| kind != FULL_OBJECT) {
            return None;
        }
        let bytes = BASE64_STANDARD.decode(headers.get(CHECKSUM)?).ok()?;
        Some(Self::Crc64Nvme(u64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_checksum_is_eight_bytes_in_base64() {
        for (text, expect) in [
            // CRC-64/NVME of "123456789", as the catalogue of CRCs gives it.
            ("rosUhgp5mIg=", Some(StoredChecksum::Crc64Nvme(0xae8b_1486_0a79_9888))),
            ("AAAA", None),
            ("no base64", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CHECKSUM, HeaderValue::from_static(text));
            assert_eq!(StoredChecksum::of(&headers), expect, "{text}");
            headers.insert(CHECKSUM_TYPE, HeaderValue::from_static("COMPOSITE"));
            assert_eq!(StoredChecksum::of(&headers), None, "{text} of parts");
        }
        assert_eq!(StoredChecksum::of(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_store_without_the_connector_has_no_checksum_and_deletes_nothing() {
        let store = object_store::memory::InMemory::new();
        let path = Path::from("x");
        store.put_opts(&path, "bytes".into(), Default::default()).await.unwrap();
        let described = describe(&store, &path.clone().into()).await.unwrap();
        assert_eq!((described.size, described.crc64nvme), (5, None));
        let refused = delete_if_match(&store, &path, &described.etag).await.unwrap_err();
        assert!(matches!(refused, Error::NotImplemented { .. }), "{refused}");
        assert!(describe(&store, &path.clone().into()).await.is_ok());
    }
}
