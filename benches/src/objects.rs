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
    buckets: BTreeMap<String, Keys>,
    /// The parts of each upload by their number.
    uploads: BTreeMap<String, BTreeMap<u32, Content>>,
    /// Counts tags and uploads.
    serial: u64,
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

    /// Deletes a bucket with all that is in it.
    pub(crate) fn delete_bucket(&mut self, bucket: &str) -> Result<(), Refused> {
        self.buckets.remove(bucket).map(drop).ok_or(Refused::NoSuchBucket)
    }

    pub(crate) fn bucket(&self, bucket: &str) -> Result<&Keys, Refused> {
        self.buckets.get(bucket).ok_or(Refused::NoSuchBucket)
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Result<Arc<StoredObject>, Refused> {
        self.bucket(bucket)?.get(key).cloned().ok_or(Refused::NoSuchKey)
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
        let keys = self.buckets.get_mut(bucket).ok_or(Refused::NoSuchBucket)?;
        keys.remove(key);
        Ok(())
    }

    /// Opens an upload and returns its id.
    pub(crate) fn create_upload(&mut self, bucket: &str) -> Result<String, Refused> {
        self.bucket(bucket)?;
        self.serial += 1;
        let id = format!("upload-{}", self.serial);
        self.uploads.insert(id.clone(), BTreeMap::new());
        Ok(id)
    }

    /// Writes a part and returns its tag.
    pub(crate) fn put_part(
        &mut self,
        upload: &str,
        number: u32,
        content: Content,
    ) -> Result<String, Refused> {
        let etag = self.next_etag(1);
        let parts = self.uploads.get_mut(upload).ok_or(Refused::NoSuchUpload)?;
        parts.insert(number, content);
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
        let parts = self.uploads.get(upload).ok_or(Refused::NoSuchUpload)?;
        let mut content = Content::default();
        for number in numbers {
            content.append(parts.get(number).ok_or(Refused::InvalidPart)?);
        }
        let etag = self.insert(bucket, key, StoredObject { content, etag }, condition)?;
        self.uploads.remove(upload);
        Ok(etag)
    }

    pub(crate) fn abort(&mut self, upload: &str) -> Result<(), Refused> {
        self.uploads.remove(upload).map(drop).ok_or(Refused::NoSuchUpload)
    }

    fn insert(
        &mut self,
        bucket: &str,
        key: &str,
        object: StoredObject,
        condition: &Condition,
    ) -> Result<String, Refused> {
        let keys = self.buckets.get_mut(bucket).ok_or(Refused::NoSuchBucket)?;
        condition.check(keys.get(key).map(AsRef::as_ref))?;
        let etag = object.etag.clone();
        keys.insert(key.to_owned(), Arc::new(object));
        Ok(etag)
    }

    /// A tag in the form of those that are no MD5.
    fn next_etag(&mut self, parts: usize) -> String {
        self.serial += 1;
        format!("\"{:032x}-{parts}\"", self.serial)
    }
}
