//! Buckets, objects and uploads, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::content::Content;
use crate::refused::Refused;

/// The objects of a bucket by their key.
pub(crate) type Keys = BTreeMap<String, Arc<StoredObject>>;

#[derive(Debug)]
pub(crate) struct StoredObject {
    pub(crate) content: Content,
    pub(crate) etag: String,
}

/// What a write asks of the object that is under its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition {
    #[default]
    Any,
    /// `If-None-Match: *`: there is none.
    Absent,
    /// `If-Match`: there is one with this tag.
    Matches(String),
}

#[derive(Debug, Default)]
pub(crate) struct Objects {
    buckets: BTreeMap<String, Bucket>,
    /// Counts tags and uploads.
    serial: u64,
    /// Whether the CRC-64/NVME of an object is said to who asks for it, as S3 does.
    pub(crate) says_crc64nvme: bool,
}

#[derive(Debug, Default)]
struct Bucket {
    keys: Keys,
    uploads: BTreeMap<String, Parts>,
}

/// What came of an upload.
#[derive(Debug)]
struct Parts {
    key: String,
    by_number: BTreeMap<u32, Content>,
}

impl Condition {
    pub(crate) fn check(&self, existing: Option<&StoredObject>) -> Result<(), Refused> {
        let holds = match self {
            Self::Any => true,
            Self::Absent => existing.is_none(),
            Self::Matches(etag) => existing.is_some_and(|object| object.etag == *etag),
        };
        holds.then_some(()).ok_or(Refused::PreconditionFailed)
    }
}

impl Objects {
    pub(crate) fn create_bucket(&mut self, bucket: &str) {
        self.buckets.entry(bucket.to_owned()).or_default();
    }

    /// Deletes a bucket with its objects and uploads.
    pub(crate) fn delete_bucket(&mut self, bucket: &str) -> Result<(), Refused> {
        self.buckets.remove(bucket).map(drop).ok_or(Refused::NoSuchBucket)
    }

    pub(crate) fn keys(&self, bucket: &str) -> Result<&Keys, Refused> {
        self.buckets.get(bucket).map(|bucket| &bucket.keys).ok_or(Refused::NoSuchBucket)
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Result<Arc<StoredObject>, Refused> {
        self.keys(bucket)?.get(key).cloned().ok_or(Refused::NoSuchKey)
    }

    /// Writes an object and returns its tag.
    pub(crate) fn put(
        &mut self,
        bucket: &str,
        key: &str,
        content: Content,
        condition: &Condition,
    ) -> Result<String, Refused> {
        let etag = self.next_etag(1);
        self.insert(bucket, key, StoredObject { content, etag }, condition)
    }

    pub(crate) fn delete(&mut self, bucket: &str, key: &str) -> Result<(), Refused> {
        self.bucket_mut(bucket)?.keys.remove(key);
        Ok(())
    }

    /// Opens an upload and returns its id.
    pub(crate) fn create_upload(&mut self, bucket: &str, key: &str) -> Result<String, Refused> {
        self.serial += 1;
        let id = format!("upload-{}", self.serial);
        let parts = Parts { key: key.to_owned(), by_number: BTreeMap::new() };
        self.bucket_mut(bucket)?.uploads.insert(id.clone(), parts);
        Ok(id)
    }

    /// The key and the id of each open upload whose key begins with `prefix`.
    pub(crate) fn uploads<'a>(
        &'a self,
        bucket: &str,
        prefix: &'a str,
    ) -> Result<impl Iterator<Item = (&'a str, &'a str)>, Refused> {
        let bucket = self.buckets.get(bucket).ok_or(Refused::NoSuchBucket)?;
        let all = bucket.uploads.iter().map(|(id, parts)| (parts.key.as_str(), id.as_str()));
        Ok(all.filter(move |(key, _)| key.starts_with(prefix)))
    }

    /// Writes a part and returns its tag.
    pub(crate) fn put_part(
        &mut self,
        bucket: &str,
        upload: &str,
        number: u32,
        content: Content,
    ) -> Result<String, Refused> {
        let etag = self.next_etag(1);
        let parts = self.bucket_mut(bucket)?.uploads.get_mut(upload);
        parts.ok_or(Refused::NoSuchUpload)?.by_number.insert(number, content);
        Ok(etag)
    }

    /// Makes an object of the parts with these numbers, and returns its tag. The upload is gone
    /// then; it stays when the completion is refused.
    pub(crate) fn complete(
        &mut self,
        bucket: &str,
        key: &str,
        upload: &str,
        numbers: &[u32],
        condition: &Condition,
    ) -> Result<String, Refused> {
        let etag = self.next_etag(numbers.len());
        let parts = self.bucket_mut(bucket)?.uploads.get(upload).ok_or(Refused::NoSuchUpload)?;
        let mut content = Content::default();
        for number in numbers {
            content.append(parts.by_number.get(number).ok_or(Refused::InvalidPart)?);
        }
        let etag = self.insert(bucket, key, StoredObject { content, etag }, condition)?;
        self.bucket_mut(bucket)?.uploads.remove(upload);
        Ok(etag)
    }

    pub(crate) fn abort(&mut self, bucket: &str, upload: &str) -> Result<(), Refused> {
        let parts = self.bucket_mut(bucket)?.uploads.remove(upload);
        parts.map(drop).ok_or(Refused::NoSuchUpload)
    }

    fn insert(
        &mut self,
        bucket: &str,
        key: &str,
        object: StoredObject,
        condition: &Condition,
    ) -> Result<String, Refused> {
        let keys = &mut self.bucket_mut(bucket)?.keys;
        condition.check(keys.get(key).map(AsRef::as_ref))?;
        let etag = object.etag.clone();
        keys.insert(key.to_owned(), Arc::new(object));
        Ok(etag)
    }

    fn bucket_mut(&mut self, bucket: &str) -> Result<&mut Bucket, Refused> {
        self.buckets.get_mut(bucket).ok_or(Refused::NoSuchBucket)
    }

    /// A tag in the form of those that are no MD5.
    fn next_etag(&mut self, parts: usize) -> String {
        self.serial += 1;
        format!("\"{:032x}-{parts}\"", self.serial)
    }
}
