//! Pages of a listing, as S3 and Google Cloud Storage word them, and as Azure does.

use std::collections::{BTreeMap, BTreeSet};

use super::held::{Held, MODIFIED, escaped};
use super::request::Request;
use super::wire::Answer;

/// What stands on one page.
struct Page<'a> {
    entries: Vec<(&'a str, &'a Held)>,
    folders: BTreeSet<&'a str>,
    /// Where the next page begins; `None` on the last one.
    next: Option<&'a str>,
}

/// Answers a request for a page.
pub(super) fn list(
    request: &Request,
    objects: &BTreeMap<String, Held>,
    is_backwards: bool,
) -> Answer {
    let mut page = page_of(request, objects);
    if is_backwards {
        page.entries.reverse();
    }
    let body = if request.is_of_azure() { by_azure(&page) } else { by_s3(&page) };
    Answer::new(200, body)
}

fn page_of<'a>(request: &Request, objects: &'a BTreeMap<String, Held>) -> Page<'a> {
    let (prefix, delimiter) = (request.asked("prefix"), request.asked("delimiter"));
    let marks = ["continuation-token", "marker", "start-after"].map(|name| request.asked(name));
    let after = marks.into_iter().find(|mark| !mark.is_empty()).unwrap_or_default();
    let most =
        ["max-keys", "maxresults"].into_iter().find_map(|name| request.asked(name).parse().ok());
    let most = most.unwrap_or(1_000);
    let mut page = Page { entries: Vec::new(), folders: BTreeSet::new(), next: None };
    let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
    for (key, held) in found.filter(|(key, _)| key.as_str() > after) {
        let rest = &key[prefix.len()..];
        let folder = rest.find(delimiter).filter(|_| !delimiter.is_empty());
        let folder = folder.map(|end| &key[..prefix.len() + end + delimiter.len()]);
        if folder.is_some_and(|folder| folder <= after || page.folders.contains(folder)) {
            continue;
        }
        if page.entries.len() + page.folders.len() == most {
            page.next = Some(page.entries.last().map_or("", |(key, _)| key));
            break;
        }
        match folder {
            Some(folder) => _ = page.folders.insert(folder),
            None => page.entries.push((key, held)),
        }
    }
    page
}

fn by_s3(page: &Page<'_>) -> String {
    let entry = |(key, held): &(&str, &Held)| {
        format!(
            "<Contents><Key>{}</Key><LastModified>2024-05-01T00:00:00.000Z</LastModified>\
             <ETag>{}</ETag><Size>{}</Size></Contents>",
            escaped(key),
            held.etag,
            held.bytes.len()
        )
    };
    let folder = |folder: &&str| {
        format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(folder))
    };
    let entries: String = page.entries.iter().map(entry).collect();
    let folders: String = page.folders.iter().map(folder).collect();
    let token = page
        .next
        .map(|next| format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(next)));
    format!(
        "<ListBucketResult><IsTruncated>{}</IsTruncated>{}{entries}{folders}</ListBucketResult>",
        page.next.is_some(),
        token.unwrap_or_default()
    )
}

fn by_azure(page: &Page<'_>) -> String {
    let entry = |(key, held): &(&str, &Held)| {
        format!(
            "<Blob><Name>{}</Name><Properties><Last-Modified>{MODIFIED}</Last-Modified>\
             <Etag>{}</Etag><Content-Length>{}</Content-Length>\
             <Content-Type>application/octet-stream</Content-Type></Properties></Blob>",
            escaped(key),
            held.etag,
            held.bytes.len()
        )
    };
    let folder =
        |folder: &&str| format!("<BlobPrefix><Name>{}</Name></BlobPrefix>", escaped(folder));
    let entries: String = page.entries.iter().map(entry).collect();
    let folders: String = page.folders.iter().map(folder).collect();
    format!(
        "<EnumerationResults><Blobs>{entries}{folders}</Blobs><NextMarker>{}</NextMarker>\
         </EnumerationResults>",
        escaped(page.next.unwrap_or_default())
    )
}
