//! A store that counts requests, and one that lies about the outcome of a commit's put.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to the next put-if-absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is applied, and "already exists" is answered (S3 after a retried request).
    AppliedButExists,
    /// It is applied, and a precondition failure is answered.
    AppliedButPrecondition,
    /// It is not applied, and "already exists" is answered (S3's 409 without an object).
    AbsentButExists,
}

/// Passes everything on; notes every request.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Arc<dyn ObjectStore>,
    pub(crate) requests: Mutex<Vec<String>>,
    pub(crate) faults: Mutex<Vec<Fault>>,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self { inner, requests: Mutex::default(), faults: Mutex::default() })
    }

    fn note(&self, verb: &str, path: impl fmt::Display) {
        self.requests.lock().unwrap().push(format!("{verb} {path}"));
    }

    /// The requests so far, hints aside; starts over.
    pub(crate) fn take(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.requests.lock().unwrap());
        all.into_iter().filter(|request| !request.ends_with("_last_checkpoint")).collect()
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("watched")
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.note("PUT", location);
        let fault = match options.mode {
            PutMode::Create => self.faults.lock().unwrap().pop(),
            _ => None,
        };
        let (path, source) = (location.to_string(), "told so".into());
        match fault {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::AbsentButExists) => {
                Err(object_store::Error::AlreadyExists { path, source })
            }
            Some(applied) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(match applied {
                    Fault::AppliedButPrecondition => {
                        object_store::Error::Precondition { path, source }
                    }
                    _ => object_store::Error::AlreadyExists { path, source },
                })
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.note("GET", location);
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note("LIST", prefix.map(ToString::to_string).unwrap_or_default());
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note("LIST", prefix.map(ToString::to_string).unwrap_or_default());
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
