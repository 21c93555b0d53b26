//! The objects and uploads of one bucket, with the rules of a real store.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::held::{Held, MODIFIED, base64, escaped};
use super::passes::Passes;
use super::request::{Kind, Request};
use super::wire::{Answer, RequestHead};
use super::{google, listing};

/// The smallest part, but for the last one.
const PART_BYTES_MIN: usize = 5 << 20;
const PARTS_MAX: usize = 10_000;
const CHECKSUM: &str = "x-amz-checksum-crc64nvme";

/// What a store does beyond the least that S3 has.
#[derive(Clone, Debug, Default)]
pub struct Manners {
    /// It answers with the checksum of what it took, and keeps it.
    pub has_checksums: bool,
    /// It takes no write without a checksum in a header, as a bucket with Object Lock.
    pub demands_checksums: bool,
    /// It takes no write of these keys without a condition.
    pub demands_conditions: Option<fn(&str) -> bool>,
    pub ignores_conditions: bool,
    /// A page of its listing is in no order, as at S3 Express.
    pub lists_backwards: bool,
    /// It answers a read without an entity tag.
    pub has_no_tags: bool,
    /// It has the conditions, the answers and the copies of Google Cloud Storage.
    pub is_google: bool,
    /// It admits only these credentials, while they count.
    pub admits: Option<Passes>,
}

/// The parts of an upload by their numbers.
#[derive(Clone, Debug)]
struct Parts {
    key: String,
    parts: BTreeMap<usize, Held>,
}

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) manners: Manners,
    objects: BTreeMap<String, Held>,
    uploads: BTreeMap<String, Parts>,
    /// Counts writes, for tags and the ids of uploads.
    writes: u64,
}

impl Bucket {
    pub(super) fn new(name: &str, manners: Manners) -> Self {
        let (objects, uploads) = (BTreeMap::new(), BTreeMap::new());
        Self { name: name.to_owned(), manners, objects, uploads, writes: 0 }
    }

    pub(super) fn put(&mut self, key: &str, bytes: Bytes) {
        let held = self.held(bytes);
        self.objects.insert(key.to_owned(), held);
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.objects.get(key).map(|object| object.bytes.clone())
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.objects.remove(key);
    }

    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.objects.keys().cloned().collect()
    }

    /// The keys of the uploads that are open.
    pub(super) fn uploads(&self) -> Vec<String> {
        self.uploads.values().map(|upload| upload.key.clone()).collect()
    }

    pub(super) fn forget_uploads(&mut self) {
        self.uploads.clear();
    }

    fn held(&mut self, bytes: Bytes) -> Held {
        self.writes += 1;
        let digest = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes);
        let etag = format!("\"{digest:016x}{:016x}\"", self.writes);
        let (checksum, generation) = (base64(&digest.to_be_bytes()), self.writes);
        Held { bytes, etag, checksum, generation }
    }

    /// Does what a request asks.
    pub(super) fn act(&mut self, request: &Request, head: &RequestHead, body: Bytes) -> Answer {
        if request.bucket != self.name {
            return Answer::error(404, "NoSuchBucket", "The specified bucket does not exist");
        }
        let writes = matches!(request.kind, Kind::Put | Kind::PutPart);
        if let Some(refused) = writes.then(|| self.refusal_of_body(head, &body)).flatten() {
            return refused;
        }
        match request.kind {
            Kind::Get | Kind::Head => self.read(request, head),
            Kind::Put => self.write(request, head, body),
            Kind::Delete => self.delete(request, head),
            Kind::DeleteMany => self.delete_many(&body),
            Kind::List => listing::list(request, &self.objects, self.manners.lists_backwards),
            Kind::ListUploads => self.list_uploads(request),
            Kind::CreateUpload => self.create_upload(request),
            Kind::PutPart => self.put_part(request, body),
            Kind::Complete => self.complete(request, head, &body),
            Kind::Abort => match self.uploads.remove(request.asked("uploadId")) {
                Some(_) => Answer::new(204, ""),
                None => no_such_upload(),
            },
            Kind::Rewrite if self.manners.is_google => self.rewrite(request),
            Kind::Rewrite | Kind::Unknown => {
                Answer::error(501, "NotImplemented", "no such request")
            }
        }
    }

    fn refusal_of_body(&self, head: &RequestHead, body: &Bytes) -> Option<Answer> {
        let sent = head.header(CHECKSUM);
        let is_checked = sent.is_some() || head.headers.contains_key("content-md5");
        if self.manners.demands_checksums && !is_checked {
            let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object \
                           requests with Object Lock parameters";
            return Some(Answer::error(400, "InvalidRequest", message));
        }
        let digest = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body);
        let is_right = sent.is_none_or(|sent| sent == base64(&digest.to_be_bytes()));
        (!is_right).then(|| Answer::error(400, "BadDigest", "The checksum did not match"))
    }

    /// The refusal of a write to `key` whose condition does not hold.
    fn refusal_of_condition(&self, key: &str, head: &RequestHead) -> Option<Answer> {
        let failed = || Some(Answer::error(412, "PreconditionFailed", "a condition failed"));
        let held = self.objects.get(key);
        if self.manners.is_google && google::has_condition(head) {
            return google::refusal_of_condition(held, head);
        }
        match (head.header("if-none-match"), head.header("if-match")) {
            (Some("*"), None) if held.is_some() && !self.manners.ignores_conditions => failed(),
            (Some("*"), None) => None,
            (None, Some(tag)) => match held {
                Some(held) if held.etag == tag => None,
                Some(_) => failed(),
                None => Some(Answer::error(404, "NoSuchKey", "no such key")),
            },
            (None, None) => {
                let demands = self.manners.demands_conditions.is_some_and(|of| of(key));
                demands.then(|| Answer::error(400, "InvalidRequest", "a condition is missing"))
            }
            _ => Some(Answer::error(501, "NotImplemented", "no such condition")),
        }
    }

    fn read(&self, request: &Request, head: &RequestHead) -> Answer {
        let Some(held) = self.objects.get(&request.key) else {
            return Answer::error(404, "NoSuchKey", "The specified key does not exist.");
        };
        if head.header("if-match").is_some_and(|tag| tag != held.etag) {
            return Answer::error(412, "PreconditionFailed", "If-Match");
        }
        let whole = held.bytes.len();
        let mut answer = match head.header("range").map(|range| range_of(range, whole)) {
            None => Answer::new(200, held.bytes.clone()),
            Some(None) => return Answer::error(416, "InvalidRange", "not satisfiable"),
            Some(Some((from, to))) => {
                let range = format!("bytes {from}-{}/{whole}", to - 1);
                Answer::new(206, held.bytes.slice(from..to)).with("Content-Range", range)
            }
        };
        if self.manners.has_checksums && head.header("x-amz-checksum-mode") == Some("ENABLED") {
            let checksum = held.checksum.as_str();
            answer = answer.with(CHECKSUM, checksum).with("x-amz-checksum-type", "FULL_OBJECT");
        }
        if request.kind == Kind::Head {
            answer.promised = Some(answer.body.len());
        }
        if self.manners.is_google {
            answer = google::with_state(answer, held);
        }
        if !self.manners.has_no_tags {
            answer = answer.with("ETag", &held.etag);
        }
        answer.with("Last-Modified", MODIFIED)
    }

    /// The answer to a write that was done.
    fn taken(&self, held: &Held) -> Answer {
        let answer = Answer::new(200, "").with("ETag", &held.etag);
        if self.manners.is_google {
            return google::with_state(answer, held);
        }
        match self.manners.has_checksums {
            true => answer.with(CHECKSUM, held.checksum.as_str()),
            false => answer,
        }
    }

    fn write(&mut self, request: &Request, head: &RequestHead, body: Bytes) -> Answer {
        if let Some(refused) = self.refusal_of_condition(&request.key, head) {
            return refused;
        }
        let held = self.held(body);
        let answer = self.taken(&held);
        self.objects.insert(request.key.clone(), held);
        answer
    }

    fn rewrite(&mut self, request: &Request) -> Answer {
        let bytes = match google::copied(request, &self.objects, &self.name) {
            Ok(bytes) => bytes,
            Err(refused) => return refused,
        };
        let held = self.held(bytes);
        let answer = google::rewritten(&held);
        self.objects.insert(request.key.clone(), held);
        answer
    }

    fn delete(&mut self, request: &Request, head: &RequestHead) -> Answer {
        if let Some(tag) = head.header("if-match") {
            match self.objects.get(&request.key) {
                Some(held) if held.etag == tag => {}
                Some(_) => return Answer::error(412, "PreconditionFailed", "If-Match"),
                None => return Answer::error(404, "NoSuchKey", "no such key"),
            }
        }
        self.objects.remove(&request.key);
        Answer::new(204, "")
    }

    fn delete_many(&mut self, body: &Bytes) -> Answer {
        let text = String::from_utf8_lossy(body).into_owned();
        let deleted: String = elements(&text, "Key")
            .map(|key| {
                self.objects.remove(key);
                format!("<Deleted><Key>{key}</Key></Deleted>")
            })
            .collect();
        Answer::new(200, format!("<DeleteResult>{deleted}</DeleteResult>"))
    }

    fn list_uploads(&self, request: &Request) -> Answer {
        let below = |upload: &Parts| upload.key.starts_with(request.asked("prefix"));
        let found: String = self
            .uploads
            .iter()
            .filter(|(_, upload)| below(upload))
            .map(|(id, upload)| {
                let key = escaped(&upload.key);
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
            })
            .collect();
        let result = "ListMultipartUploadsResult";
        Answer::new(200, format!("<{result}><IsTruncated>false</IsTruncated>{found}</{result}>"))
    }

    fn create_upload(&mut self, request: &Request) -> Answer {
        self.writes += 1;
        let id = format!("upload-{}", self.writes);
        let upload = Parts { key: request.key.clone(), parts: BTreeMap::new() };
        self.uploads.insert(id.clone(), upload);
        let result = "InitiateMultipartUploadResult";
        Answer::new(200, format!("<{result}><UploadId>{id}</UploadId></{result}>"))
    }

    fn put_part(&mut self, request: &Request, body: Bytes) -> Answer {
        let id = request.asked("uploadId");
        if self.uploads.get(id).is_none_or(|upload| upload.key != request.key) {
            return no_such_upload();
        }
        let number = request.asked("partNumber").parse().unwrap_or_default();
        if !(1..=PARTS_MAX).contains(&number) {
            return Answer::error(400, "InvalidArgument", "Part number must be 1 to 10000");
        }
        let held = self.held(body);
        let answer = self.taken(&held);
        if let Some(upload) = self.uploads.get_mut(id) {
            upload.parts.insert(number, held);
        }
        answer
    }

    fn complete(&mut self, request: &Request, head: &RequestHead, body: &Bytes) -> Answer {
        let id = request.asked("uploadId");
        let Some(upload) = self.uploads.get(id).filter(|upload| upload.key == request.key) else {
            return no_such_upload();
        };
        let bytes = match whole(upload, &String::from_utf8_lossy(body)) {
            Ok(bytes) => bytes,
            Err((code, message)) => return Answer::error(400, code, message),
        };
        if let Some(refused) = self.refusal_of_condition(&request.key, head) {
            return refused;
        }
        let held = self.held(bytes);
        let mut body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUploadResult>\
             <Location>http://{}/{key}</Location><Bucket>{}</Bucket><Key>{key}</Key>\
             <ETag>{}</ETag>",
            head.header("host").unwrap_or_default(),
            self.name,
            held.etag,
            key = escaped(&request.key),
        );
        if self.manners.has_checksums {
            let checksum = &held.checksum;
            body.push_str(&format!("<ChecksumCRC64NVME>{checksum}</ChecksumCRC64NVME>"));
            body.push_str("<ChecksumType>FULL_OBJECT</ChecksumType>");
        }
        body.push_str("</CompleteMultipartUploadResult>");
        self.objects.insert(request.key.clone(), held);
        self.uploads.remove(id);
        Answer::new(200, body)
    }
}

/// The bytes of an upload whose parts are named in order.
fn whole(upload: &Parts, named: &str) -> Result<Bytes, (&'static str, &'static str)> {
    let numbers: Vec<usize> =
        elements(named, "PartNumber").filter_map(|number| number.parse().ok()).collect();
    let tags: Vec<String> =
        elements(named, "ETag").map(|tag| tag.replace("&quot;", "\"")).collect();
    if numbers.is_empty() || numbers.len() != tags.len() {
        return Err(("MalformedXML", "a part has no number or no tag"));
    }
    if !numbers.is_sorted_by(|one, next| one < next) {
        return Err(("InvalidPartOrder", "The list of parts was not in ascending order."));
    }
    let parts: Option<Vec<&Held>> = numbers
        .iter()
        .zip(&tags)
        .map(|(number, tag)| upload.parts.get(number).filter(|part| part.etag == *tag))
        .collect();
    let parts = parts.ok_or(("InvalidPart", "a part does not exist or has another tag"))?;
    let first = parts[0].bytes.len();
    let (last, others) = parts.split_last().unwrap_or((&parts[0], &[]));
    if others.iter().any(|part| part.bytes.len() < PART_BYTES_MIN) {
        return Err(("EntityTooSmall", "a part is too small"));
    }
    let is_equal = others.iter().all(|part| part.bytes.len() == first);
    if !is_equal || (!others.is_empty() && last.bytes.len() > first) {
        return Err(("InvalidPart", "All non-trailing parts must have the same length."));
    }
    let pieces: Vec<&[u8]> = parts.iter().map(|part| &part.bytes[..]).collect();
    Ok(pieces.concat().into())
}

fn no_such_upload() -> Answer {
    Answer::error(404, "NoSuchUpload", "The specified multipart upload does not exist.")
}

/// The bytes that `range` asks for, from `from` to before `to`.
fn range_of(range: &str, whole: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let to = if to.is_empty() { whole } else { to.parse::<usize>().ok()? + 1 };
    (from < whole && from < to).then_some((from, to.min(whole)))
}

/// The texts of the elements of this name, which must not nest.
fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (inside, behind) = after.split_once(&close)?;
        rest = behind;
        Some(inside)
    })
}
