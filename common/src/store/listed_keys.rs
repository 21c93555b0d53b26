//! Pages of listings without the keys that the client cannot name.
//!
//! `object_store` fails a whole page for one key with an empty, `.` or `..` segment, as other tools
//! leave behind (`_delta_log//x`): one stray object would make a table unreadable. It also drops a
//! leading or trailing `/`, and would report an object that does not exist. Such entries are cut
//! out of the page before the client parses it.
//!
//! S3 and Google Cloud Storage answer with `<Contents><Key>…` and `<CommonPrefixes><Prefix>…`,
//! Azure with `<Blob><Name>…` and `<BlobPrefix><Name>…`.

use std::ops::Range;

use bytes::Bytes;
use http::Method;
use object_store::client::HttpRequest;
use object_store::path::Path;

use super::xml::{elements, unescaped};

/// The element of an entry, the element in it that holds the key, and whether the key may end
/// in `/`.
const ENTRIES: &[(&str, &str, bool)] = &[
    ("Contents", "Key", false),
    ("CommonPrefixes", "Prefix", true),
    ("Blob", "Name", false),
    ("BlobPrefix", "Name", true),
];

/// Returns true for a request for a page of a listing.
pub(crate) fn is_listing(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let asks = |pair: &str| matches!(pair, "list-type=2" | "comp=list");
    request.method() == Method::GET && query.split('&').any(asks)
}

/// Returns the page without the entries whose keys the client cannot name.
pub(crate) fn nameable(page: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&page) else { return page };
    let mut cuts: Vec<Range<usize>> = ENTRIES
        .iter()
        .flat_map(|(entry, key, is_folder)| {
            elements(text, entry).filter(move |(_, inside)| {
                let found = elements(inside, key).next();
                found.is_some_and(|(_, name)| !is_nameable(&unescaped(name), *is_folder))
            })
        })
        .map(|(whole, _)| whole)
        .collect();
    if cuts.is_empty() {
        return page;
    }
    tracing::debug!(keys = cuts.len(), "a listing holds keys that cannot be named: skipped");
    cuts.sort_by_key(|cut| cut.start);
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for cut in cuts {
        kept.push_str(&text[at..cut.start]);
        at = cut.end;
    }
    kept.push_str(&text[at..]);
    kept.into()
}

fn is_nameable(key: &str, is_folder: bool) -> bool {
    let name = if is_folder { key.strip_suffix('/').unwrap_or(key) } else { key };
    Path::parse(name).is_ok_and(|path| path.as_ref() == name)
}

#[cfg(test)]
mod tests;
