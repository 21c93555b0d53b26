//! What goes by one put and what by parts, and how parts end.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Error, MultipartId, ObjectStoreExt as _, PutPayload, PutResult, Result as StoreResult,
};

use super::*;
use crate::store::flow_body::BodyCut;
use crate::store::stored_checksum::StoredChecksum;
use crate::store::streaming::{Flow, Streaming};

const LIMITS: PutLimits = PutLimits { one_put_bytes_max: 10, part_bytes: 4 };

/// Bytes that can be read again; or not, from a place on.
struct Text {
    bytes: Bytes,
    ends: usize,
    is_lost: AtomicBool,
}

impl Text {
    fn new(length: usize, ends: usize) -> Self {
        let bytes = (0..=250).cycle().take(length).collect();
        Self { bytes, ends, is_lost: AtomicBool::new(false) }
    }
}

#[async_trait]
impl LargeBody for Text {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn flow(&self, range: Range<u64>) -> Flow {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let piece = match range.end <= self.ends {
            true => Ok(self.bytes.slice(range.clone())),
            false => {
                self.is_lost.store(true, Ordering::Relaxed);
                Err(BodyCut)
            }
        };
        Flow { length: range.len() as u64, pieces: futures::stream::iter([piece]).boxed() }
    }

    async fn crc64nvme(&self, range: Range<u64>) -> Result<u64, BodyCut> {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &self.bytes[range]))
    }

    fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

/// What a store answers to completions, one after another; then as the store in memory.
#[derive(Clone, Copy, Debug)]
enum Completion {
    /// Done, and a checksum is said.
    Saying(u64),
    Fails,
}

/// Uploads to a store in memory; what was asked is noted.
#[derive(Debug, Default)]
struct Uploads {
    memory: Arc<InMemory>,
    asked: Mutex<Vec<String>>,
    completions: Mutex<Vec<Completion>>,
}

impl Uploads {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

#[async_trait]
impl MultipartStore for Uploads {
    async fn create_multipart(&self, path: &Path) -> StoreResult<MultipartId> {
        self.note("open".to_owned());
        self.memory.create_multipart(path).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        number: usize,
        data: PutPayload,
    ) -> StoreResult<PartId> {
        self.note(format!("part {number} of {}", data.content_length()));
        self.memory.put_part(path, id, number, data).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> StoreResult<PutResult> {
        self.note(format!("complete {}", parts.len()));
        let next = self.completions.lock().unwrap().pop();
        match next {
            Some(Completion::Fails) => {
                Err(Error::Generic { store: "S3", source: "status code: 500 x".into() })
            }
            Some(Completion::Saying(checksum)) => {
                let mut done = self.memory.complete_multipart(path, id, parts).await?;
                done.extensions.insert(StoredChecksum::Crc64Nvme(checksum));
                Ok(done)
            }
            None => self.memory.complete_multipart(path, id, parts).await,
        }
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> StoreResult<()> {
        self.note("abort".to_owned());
        self.memory.abort_multipart(path, id).await
    }
}

/// Two attempts at most; how they ended, what was asked, and the object.
async fn written(
    limits: Option<PutLimits>,
    body: &Text,
    completions: &[Completion],
) -> (Result<(), StoreErrorKind>, Vec<String>, Option<Bytes>) {
    let uploads = Arc::new(Uploads::default());
    *uploads.completions.lock().unwrap() = completions.iter().rev().copied().collect();
    let memory = Arc::clone(&uploads.memory);
    let store = StreamingStore::new(memory.clone(), uploads.clone(), Streaming::Collected);
    let writes = LargeWrites::new(Writes::Store(store));
    let writes = match limits {
        Some(limits) => writes.within(limits),
        None => writes,
    };
    let key = Path::from("t/a");
    let object = NewObject { key: &key, relative: "a", store: "memory", body };
    let mut put = writes.begin(body.length());
    let mut ended = put.attempt(&object).await;
    if ended.as_ref().is_err_and(|error| error.kind == StoreErrorKind::Transient) {
        ended = put.attempt(&object).await;
    }
    put.end(&object).await;
    let asked = uploads.asked.lock().unwrap().clone();
    let found = match memory.get(&key).await {
        Ok(found) => Some(found.bytes().await.unwrap()),
        Err(_) => None,
    };
    (ended.map(|_| ()).map_err(|error| error.kind), asked, found)
}

#[tokio::test]
async fn what_is_longer_than_one_put_may_be_goes_by_parts() {
    let three = &["open", "part 0 of 4", "part 1 of 4", "part 2 of 3", "complete 3"][..];
    for (limits, length, asked) in [
        (None, 11, &[][..]),
        (Some(LIMITS), 10, &[]),
        (Some(LIMITS), 11, three),
        (Some(PutLimits::S3), 11, &[]),
        (Some(PutLimits::AZURE), 11, &[]),
    ] {
        let body = Text::new(length, length);
        let (ended, seen, found) = written(limits, &body, &[]).await;
        assert_eq!(ended, Ok(()), "{limits:?} {length}");
        assert_eq!(seen, asked, "{limits:?} {length}");
        assert_eq!(found, Some(body.bytes), "{limits:?} {length}");
    }
}

#[tokio::test]
async fn a_completion_is_sent_once_in_an_attempt_and_again_for_the_same_upload() {
    let body = Text::new(11, 11);
    let (ended, seen, found) = written(Some(LIMITS), &body, &[Completion::Fails]).await;
    assert_eq!((ended, found), (Ok(()), Some(body.bytes)));
    let opened = seen.iter().filter(|what| *what == "open").count();
    assert_eq!((opened, &seen[4..]), (1, &["complete 3".to_owned(), "complete 3".to_owned()][..]));
    // What makes no object is thrown away.
    let body = Text::new(11, 11);
    let fails = [Completion::Fails, Completion::Fails];
    let (ended, seen, found) = written(Some(LIMITS), &body, &fails).await;
    assert_eq!((ended, found), (Err(StoreErrorKind::Transient), None));
    assert_eq!(seen.last().map(String::as_str), Some("abort"));
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_not_tried_again_and_leaves_nothing() {
    let (ended, seen, found) = written(Some(LIMITS), &Text::new(11, 9), &[]).await;
    assert_eq!((ended, found), (Err(StoreErrorKind::Transient), None));
    let aborts = seen.iter().filter(|what| *what == "abort").count();
    assert_eq!(aborts, 2, "of two attempts: {seen:?}");
    assert!(!seen.iter().any(|what| what.starts_with("complete")), "{seen:?}");
}

#[tokio::test]
async fn an_object_of_other_bytes_is_no_success() {
    let body = Text::new(11, 11);
    let right = body.crc64nvme(0..11).await.unwrap();
    for (said, wanted) in [(right, Ok(())), (right + 1, Err(StoreErrorKind::ChecksumMismatch))] {
        let (ended, ..) = written(Some(LIMITS), &body, &[Completion::Saying(said)]).await;
        assert_eq!(ended, wanted, "{said}");
    }
}

#[test]
fn no_body_has_more_parts_than_a_store_allows() {
    use deepclone_core::copy_plan::PartPlan;
    for limits in [PutLimits::S3, PutLimits::AZURE] {
        for length in [limits.one_put_bytes_max + 1, 64 << 30, 1 << 40, 5 << 40] {
            let plan = PartPlan::with_parts_of(limits.part_bytes, length);
            assert!((2..=10_000).contains(&plan.count()), "{length}: {} parts", plan.count());
            assert!(limits.part_bytes >= 5 << 20);
        }
    }
}
