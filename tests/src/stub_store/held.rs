//! An object as it is stored, and how its answers word it.

use bytes::Bytes;

pub(super) const MODIFIED: &str = "Wed, 01 May 2024 00:00:00 GMT";

/// An object as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) etag: String,
    pub(super) checksum: String,
}

/// Text as it stands in XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
