//! The URI of a request that the connector of [`super::client`] changes.

use http::Uri;
use object_store::client::{HttpError, HttpErrorKind};

/// Returns `uri` with another path and query, which are encoded.
pub(super) fn with_path_and_query(uri: &Uri, whole: &str) -> Result<Uri, HttpError> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(whole.parse().map_err(unusable::<http::uri::InvalidUri>)?);
    Uri::from_parts(parts).map_err(unusable)
}

fn unusable<E: std::error::Error + Send + Sync + 'static>(error: E) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}
