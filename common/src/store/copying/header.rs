//! Texts as headers of requests.

use http::header::{HeaderValue, InvalidHeaderValue};
use object_store::client::{HttpError, HttpErrorKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// The characters of a key that a header or a URL holds as they are.
pub(super) const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The value of a header.
pub(super) fn value(text: String) -> Result<HeaderValue, HttpError> {
    text.try_into().map_err(|error| HttpError::new(HttpErrorKind::Unknown, InHeader(error)))
}

/// The same of a text that nothing shows.
pub(super) fn secret(text: String) -> Result<HeaderValue, HttpError> {
    let mut value = value(text)?;
    value.set_sensitive(true);
    Ok(value)
}

#[derive(Debug, thiserror::Error)]
#[error("a request for a copy cannot be written: {0}")]
struct InHeader(InvalidHeaderValue);
