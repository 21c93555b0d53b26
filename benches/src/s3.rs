//! Does what a request asks for: objects, uploads by parts, buckets. Signatures and checksums in
//! requests are not looked at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::header::{CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED};
use http::{Method, StatusCode};

use crate::content::Content;
use crate::listing::{self, WantedPage, escape};
use crate::objects::Objects;
use crate::refused::Refused;
use crate::request::Call;

/// Every object is as old as this.
const MODIFIED: &str = "Mon, 01 Jan 2024 00:00:00 GMT";
const ENTRIES_MAX: usize = 1000;
const CRC64NVME: HeaderName = HeaderName::from_static("x-amz-checksum-crc64nvme");

#[derive(Debug, Default)]
pub(crate) struct StoreReply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// Of an answer to `HEAD` only the length is sent.
    pub(crate) content: Content,
}

impl StoreReply {
    pub(crate) fn text(text: String) -> Self {
        Self { content: text.into(), ..Self::default() }
    }

    fn empty(status: StatusCode) -> Self {
        Self { status, ..Self::default() }
    }
}

impl From<Refused> for StoreReply {
    fn from(refused: Refused) -> Self {
        Self { status: refused.status(), ..Self::text(refused.xml()) }
    }
}

/// Does the request, whose body is `content`.
pub(crate) fn answer(objects: &Mutex<Objects>, call: &Call, content: Content) -> StoreReply {
    let objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    let done = match call.key.is_empty() {
        true => of_bucket(objects, call),
        false => of_object(objects, call, content),
    };
    done.unwrap_or_else(StoreReply::from)
}

fn of_bucket(mut objects: MutexGuard<'_, Objects>, call: &Call) -> Result<StoreReply, Refused> {
    match call.method {
        Method::PUT => objects.create_bucket(&call.bucket),
        Method::HEAD => drop(objects.keys(&call.bucket)?),
        Method::DELETE => {
            objects.delete_bucket(&call.bucket)?;
            return Ok(StoreReply::empty(StatusCode::NO_CONTENT));
        }
        Method::GET => return list(&objects, call),
        _ => return Err(Refused::NotImplemented),
    }
    Ok(StoreReply::default())
}

fn list(objects: &Objects, call: &Call) -> Result<StoreReply, Refused> {
    let text = |name| call.query(name).unwrap_or_default();
    if call.query("uploads").is_some() {
        let uploads = objects.uploads(&call.bucket, text("prefix"))?;
        return Ok(StoreReply::text(listing::uploads(uploads)));
    }
    let wanted = WantedPage {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        // The older form of a listing has a marker.
        after: text("start-after").max(text("continuation-token")).max(text("marker")),
        entries_max: text("max-keys").parse().unwrap_or(ENTRIES_MAX),
    };
    Ok(StoreReply::text(listing::page(objects.keys(&call.bucket)?, &wanted)))
}

fn of_object(
    mut objects: MutexGuard<'_, Objects>,
    call: &Call,
    content: Content,
) -> Result<StoreReply, Refused> {
    let upload = call.query("uploadId");
    match (&call.method, upload) {
        (&Method::GET | &Method::HEAD, None) => return get(&objects, call),
        (&Method::PUT, _) => return put(&mut objects, call, content),
        (&Method::POST, Some(upload)) => return complete(&mut objects, call, upload, content),
        (&Method::POST, None) if call.query("uploads").is_some() => {
            let id = objects.create_upload(&call.bucket, &call.key)?;
            return Ok(named("InitiateMultipartUploadResult", call, "UploadId", &id));
        }
        (&Method::DELETE, Some(upload)) => objects.abort(&call.bucket, upload)?,
        (&Method::DELETE, None) => objects.delete(&call.bucket, &call.key)?,
        _ => return Err(Refused::NotImplemented),
    }
    Ok(StoreReply::empty(StatusCode::NO_CONTENT))
}

fn get(objects: &Objects, call: &Call) -> Result<StoreReply, Refused> {
    let object = objects.get(&call.bucket, &call.key)?;
    call.condition().check(Some(&object))?;
    let mut headers = vec![(ETAG, object.etag.clone()), (LAST_MODIFIED, MODIFIED.to_owned())];
    if objects.says_crc64nvme && call.header("x-amz-checksum-mode").is_some() {
        headers.push((CRC64NVME, object.content.crc64nvme()));
    }
    let length = object.content.length();
    let Some(range) = call.range(length)? else {
        let content = object.content.clone();
        return Ok(StoreReply { headers, content, ..StoreReply::default() });
    };
    let mut partial = StoreReply::empty(StatusCode::PARTIAL_CONTENT);
    let shown = format!("bytes {}-{}/{length}", range.start, range.end - 1);
    partial.headers = headers;
    partial.headers.push((CONTENT_RANGE, shown));
    partial.content = object.content.range(range);
    Ok(partial)
}

fn put(objects: &mut Objects, call: &Call, content: Content) -> Result<StoreReply, Refused> {
    let is_encoded = call.header("transfer-encoding").is_some()
        || call.header("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING"));
    if is_encoded || call.header("x-amz-copy-source").is_some() {
        return Err(Refused::NotImplemented);
    }
    let etag = match call.query("uploadId") {
        Some(upload) => {
            let number = call.query("partNumber").and_then(|number| number.parse().ok());
            let number = number.ok_or(Refused::InvalidPart)?;
            objects.put_part(&call.bucket, upload, number, content)?
        }
        None => objects.put(&call.bucket, &call.key, content, &call.condition())?,
    };
    Ok(StoreReply { headers: vec![(ETAG, etag)], ..StoreReply::default() })
}

fn complete(
    objects: &mut Objects,
    call: &Call,
    upload: &str,
    content: Content,
) -> Result<StoreReply, Refused> {
    let bytes: Vec<u8> = content.into_pieces().flatten().collect();
    let text = String::from_utf8(bytes).map_err(|_| Refused::MalformedXml)?;
    let numbers: Vec<u32> = text
        .split("<PartNumber>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap_or_default().trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| Refused::MalformedXml)?;
    let (bucket, key) = (&call.bucket, &call.key);
    let etag = objects.complete(bucket, key, upload, &numbers, &call.condition())?;
    Ok(named("CompleteMultipartUploadResult", call, "ETag", &etag))
}

/// An answer about the object that was asked for.
fn named(result: &str, call: &Call, field: &str, value: &str) -> StoreReply {
    let (bucket, key, value) = (escape(&call.bucket), escape(&call.key), escape(value));
    StoreReply::text(format!(
        "<{result}><Bucket>{bucket}</Bucket><Key>{key}</Key><{field}>{value}</{field}></{result}>"
    ))
}
