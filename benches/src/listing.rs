//! Pages of a bucket's keys, as `ListObjectsV2` gives them, and its open uploads.

use std::collections::btree_map;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use crate::objects::{Keys, StoredObject};

/// Every object is as old as this.
const MODIFIED: &str = "2024-01-01T00:00:00.000Z";

/// What a client wants to be listed.
#[derive(Debug)]
pub(crate) struct WantedPage<'a> {
    pub(crate) prefix: &'a str,
    /// Keys that share their text up to the delimiter are one entry; empty for none.
    pub(crate) delimiter: &'a str,
    /// Only keys behind this one.
    pub(crate) after: &'a str,
    pub(crate) entries_max: usize,
}

type Found<'a> = Peekable<btree_map::Range<'a, String, Arc<StoredObject>>>;

/// The page, in S3's form.
pub(crate) fn page(keys: &Keys, wanted: &WantedPage<'_>) -> String {
    let start = match wanted.after < wanted.prefix {
        true => Bound::Included(wanted.prefix),
        false => Bound::Excluded(wanted.after),
    };
    let mut found: Found<'_> = keys.range::<str, _>((start, Bound::Unbounded)).peekable();
    let mut xml = String::new();
    let (mut entries, mut last) = (0, String::new());
    while let Some((key, object)) = next(&mut found, wanted.prefix) {
        if entries == wanted.entries_max {
            let token = escape(&last);
            write_to(
                &mut xml,
                format_args!("<NextContinuationToken>{token}</NextContinuationToken>"),
            );
            return result(wanted, entries, true, &xml);
        }
        entries += 1;
        key.clone_into(&mut last);
        match folder(key, wanted) {
            Some(folder) => {
                while let Some((key, _)) = found.next_if(|(key, _)| key.starts_with(folder)) {
                    key.clone_into(&mut last);
                }
                let folder = escape(folder);
                let entry =
                    format_args!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
                write_to(&mut xml, entry);
            }
            None => write_object(&mut xml, key, object),
        }
    }
    result(wanted, entries, false, &xml)
}

/// All of these uploads by key and id, in S3's form.
pub(crate) fn uploads<'a>(uploads: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut xml = String::new();
    for (key, id) in uploads {
        let key = escape(key);
        let entry = format_args!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId>\
             <Initiated>{MODIFIED}</Initiated></Upload>"
        );
        write_to(&mut xml, entry);
    }
    format!(
        "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{xml}\
         </ListMultipartUploadsResult>"
    )
}

fn next<'a>(found: &mut Found<'a>, prefix: &str) -> Option<(&'a String, &'a Arc<StoredObject>)> {
    found.next_if(|(key, _)| key.starts_with(prefix))
}

/// The key up to the first delimiter behind the prefix.
fn folder<'a>(key: &'a str, wanted: &WantedPage<'_>) -> Option<&'a str> {
    if wanted.delimiter.is_empty() {
        return None;
    }
    let start = wanted.prefix.len();
    let at = key[start..].find(wanted.delimiter)?;
    Some(&key[..start + at + wanted.delimiter.len()])
}

fn write_object(xml: &mut String, key: &str, object: &StoredObject) {
    let (key, etag) = (escape(key), escape(&object.etag));
    let size = object.content.length();
    write_to(
        xml,
        format_args!(
            "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag>\
             <LastModified>{MODIFIED}</LastModified></Contents>"
        ),
    );
}

fn result(wanted: &WantedPage<'_>, entries: usize, is_truncated: bool, xml: &str) -> String {
    let (prefix, entries_max) = (escape(wanted.prefix), wanted.entries_max);
    format!(
        "<ListBucketResult><Prefix>{prefix}</Prefix><KeyCount>{entries}</KeyCount>\
         <MaxKeys>{entries_max}</MaxKeys><IsTruncated>{is_truncated}</IsTruncated>{xml}\
         </ListBucketResult>"
    )
}

fn write_to(xml: &mut String, text: std::fmt::Arguments<'_>) {
    // A string takes all text.
    let _never_fails = xml.write_fmt(text);
}

/// The text as XML has it between tags.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
