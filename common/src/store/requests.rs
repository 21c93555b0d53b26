//! Requests that the `object_store` crate does not offer: a HEAD with the checksum that S3 stores,
//! and a DELETE under `If-Match`.
//!
//! Both are sent as a HEAD whose extensions tell the connector of [`crate::store::client`] what is
//! wanted. The connector changes the request, signs it again, and returns the result in the
//! answer's extensions. A store without that connector answers a plain HEAD: then there is no
//! checksum, and [`delete_if_match`] fails.

use deepclone_core::evidence::Described;
use http::header::{CONTENT_LENGTH, HeaderValue, LAST_MODIFIED};
use http::{Extensions, Method, StatusCode};
use object_store::client::{HttpError, HttpRequest, HttpResponse};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, ObjectStore};

use crate::store::error::StoreError;
use crate::store::literal::ObjectPath;
use crate::store::signing::Signing;
use crate::store::stored_checksum::StoredChecksum;

const CHECKSUM_MODE: &str = "x-amz-checksum-mode";
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

/// Describes an object without reading it, with one request. The store is asked for its checksum.
///
/// # Errors
/// The store's.
pub async fn describe(store: &dyn ObjectStore, at: &ObjectPath) -> Result<Described, StoreError> {
    described(store, at, head(Wanted::StoredChecksum, None)).await
}

/// An object as its store describes it, with all that it says of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub described: Described,
    /// The checksum that the store keeps: CRC-64/NVME at S3, CRC-32C at Google Cloud Storage, and
    /// at Azure the MD5 that its writer gave, if one did.
    pub checksum: Option<StoredChecksum>,
    /// The object's generation or version, where the store has such.
    pub version: Option<String>,
}

/// Describes an object without reading it, with one request. Unlike [`describe`] it tells every
/// kind of checksum.
///
/// # Errors
/// The store's.
pub async fn look(store: &dyn ObjectStore, at: &ObjectPath) -> Result<Looked, StoreError> {
    let answer = at.get(store, head(Wanted::StoredChecksum, None)).await?;
    let (checksum, version) = (answer.extensions.get().copied(), answer.meta.version.clone());
    Ok(Looked { described: described_by(&answer), checksum, version })
}

/// Describes an object without reading it and without its checksum, with one request.
///
/// # Errors
/// The store's.
pub async fn describe_by_size(
    store: &dyn ObjectStore,
    at: &ObjectPath,
) -> Result<Described, StoreError> {
    described(store, at, GetOptions { head: true, ..GetOptions::default() }).await
}

async fn described(
    store: &dyn ObjectStore,
    at: &ObjectPath,
    options: GetOptions,
) -> Result<Described, StoreError> {
    Ok(described_by(&at.get(store, options).await?))
}

fn described_by(answer: &GetResult) -> Described {
    let crc64nvme = match answer.extensions.get() {
        Some(StoredChecksum::Crc64Nvme(crc64nvme)) => Some(*crc64nvme),
        _ => None,
    };
    let etag = answer.meta.e_tag.clone().unwrap_or_default();
    Described { size: answer.meta.size, etag, crc64nvme }
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

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    /// The checksum that S3 keeps, for which it was changed.
    StoredChecksum,
    /// What another store says unasked in the answer to a HEAD.
    KeptChecksum,
    /// The removal, for which it was changed.
    Delete,
}

/// Changes a request whose extensions ask for more than a HEAD, unless its answer has it anyway.
/// Returns `None` when they do not, or when this store cannot do it.
pub(crate) async fn extend(
    request: &mut HttpRequest,
    signing: &Signing,
) -> Result<Option<Asked>, HttpError> {
    let Some(wanted) = request.extensions().get::<Wanted>().copied() else { return Ok(None) };
    let asked = match (signing, wanted) {
        (Signing::Unknown, _) | (Signing::Token, Wanted::Delete) => return Ok(None),
        (Signing::Token | Signing::Azure(_), Wanted::StoredChecksum) => {
            let is_head = *request.method() == Method::HEAD;
            return Ok(is_head.then_some(Asked::KeptChecksum));
        }
        (Signing::S3(_), _) if !signing.can_sign(request) => return Ok(None),
        (Signing::S3(_), Wanted::StoredChecksum) => {
            let enabled = HeaderValue::from_static("ENABLED");
            request.headers_mut().insert(CHECKSUM_MODE, enabled);
            Asked::StoredChecksum
        }
        (Signing::S3(_) | Signing::Azure(_), Wanted::Delete) => {
            *request.method_mut() = Method::DELETE;
            Asked::Delete
        }
    };
    signing.sign(request).await?;
    Ok(Some(asked))
}

impl Asked {
    /// Puts the result into the answer's extensions.
    pub(crate) fn note(self, answer: &mut HttpResponse) {
        let checksum = match self {
            Self::StoredChecksum => StoredChecksum::of_object(answer.headers()),
            Self::KeptChecksum => StoredChecksum::of_kept(answer.headers()),
            Self::Delete => None,
        };
        if let Some(checksum) = checksum {
            answer.extensions_mut().insert(checksum);
        }
        match self {
            Self::Delete if answer.status().is_success() => {
                // The client expects the answer of a HEAD.
                *answer.status_mut() = StatusCode::OK;
                answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                answer.headers_mut().insert(LAST_MODIFIED, NO_TIME);
                answer.extensions_mut().insert(Deleted);
            }
            Self::Delete | Self::StoredChecksum | Self::KeptChecksum => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
