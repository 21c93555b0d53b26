//! Pages of listings without the keys that the client cannot name.
//!
//! `object_store` fails a whole page for one key with an empty, `.` or `..` segment, as other tools
//! leave behind (`_delta_log//x`): one stray object would make a table unreadable. It also drops a
//! leading or trailing `/`, and would report an object that does not exist. Such entries are cut
//! out of the page before the client parses it.
//!
//! S3 and Google Cloud Storage answer with `<Contents><Key>…` and `<CommonPrefixes><Prefix>…`,
//! Azure with `<Blob><Name>…` and `<BlobPrefix><Name>…`.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use http::Method;
use object_store::client::HttpRequest;
use object_store::path::Path;

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

/// Returns the range and the inner text of each element `name`, which must not nest.
fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = (Range<usize>, &'a str)> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text.get(at..)?.find(&open)?;
            let after = start + open.len();
            at = after;
            // `<Blob` is also how `<Blobs>` and `<BlobPrefix>` begin.
            if !text[after..].starts_with(['>', ' ', '\t', '\r', '\n']) {
                continue;
            }
            let inside = after + text[after..].find('>')? + 1;
            let end = inside + text[inside..].find(&close)?;
            at = end + close.len();
            return Some((start..at, &text[inside..end]));
        }
    })
}

/// Resolves the escapes of XML; an unknown one stays.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        match after.split_once(';').and_then(|(name, tail)| Some((entity(name)?, tail))) {
            Some((character, tail)) => {
                out.push(character);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests;
