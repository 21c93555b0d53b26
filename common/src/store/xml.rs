//! Just enough of XML for the pages that stores answer with: flat elements that do not nest.

use std::borrow::Cow;
use std::ops::Range;

/// Returns the range and the inner text of each element `name`, which must not nest.
pub(crate) fn elements<'a>(
    text: &'a str,
    name: &str,
) -> impl Iterator<Item = (Range<usize>, &'a str)> {
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
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
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
