//! Stores with weak entity tags: no `If-Match` is sent, and two objects are never mixed. And errors
//! that another attempt does not avoid.

use std::sync::Mutex;

use deepclone_common::store::error::StoreError;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::faulty::broken;
use super::*;
use crate::copy::error::CopyError;

/// A store with weak tags, which answers 412 to one in `If-Match`; after `replaced_after` ranged
/// answers another object is there.
#[derive(Debug)]
struct WeakTags {
    inner: InMemory,
    replaced_after: u32,
    ranges: Mutex<u32>,
}

impl std::fmt::Display for WeakTags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("weak tags")
    }
}

#[async_trait::async_trait]
impl ObjectStore for WeakTags {
    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        if how.if_match.is_some() {
            return Err(Error::Precondition { path: at.to_string(), source: "412".into() });
        }
        let is_range = how.range.is_some();
        let mut answer = self.inner.get_opts(at, how).await?;
        let mut ranges = self.ranges.lock().unwrap();
        *ranges += u32::from(is_range);
        let version = u32::from(*ranges > self.replaced_after);
        answer.meta.e_tag = Some(format!("W/\"{version}\""));
        Ok(answer)
    }

    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, body, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, how).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

#[tokio::test(start_paused = true)]
async fn weak_tags_are_compared_and_never_asked_to_match() {
    let size = usize::try_from(WHOLE_OBJECT_BYTES_MAX + 1).unwrap();
    let body = bytes_of(size);
    for (replaced_after, wanted) in [(u32::MAX, None), (1, Some(TaskFailureKind::SourceChanged))] {
        let mut case = case(&[], &[]);
        let inner = InMemory::new();
        inner.put(&at(), body.clone().into()).await.unwrap();
        let store = Arc::new(WeakTags { inner, replaced_after, ranges: Mutex::default() });
        case.context.source.store = store;
        match (case.run(size as u64).await, wanted) {
            (TaskOutcome::Done(receipt), None) => {
                assert_eq!(receipt.objects[0].source_etag, "W/\"0\"");
                let target = case.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
                assert!(target == body);
            }
            (TaskOutcome::Failed(failure), Some(kind)) => {
                assert_eq!(failure.kind, kind);
                assert!(case.target.inner.head(&at()).await.is_err());
            }
            (outcome, _) => panic!("{replaced_after}: {outcome:?}"),
        }
    }
}

#[test]
fn what_a_store_does_not_support_is_final_on_either_side() {
    let text = "Server returned non-2xx status code: 501 Not Implemented: <Code>NotImplemented";
    let error = StoreError::from(broken(text));
    assert!(!error.kind.is_retryable());
    assert_eq!(CopyError::source(KEY, &error).kind, TaskFailureKind::SourceDenied);
    assert_eq!(CopyError::target(KEY, &error).kind, TaskFailureKind::TargetDenied);
}
