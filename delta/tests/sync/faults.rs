//! A store that counts requests, reports a wrong outcome of a commit's put, and leaves keys out of
//! its listings.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
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
    pub(crate) hidden: Mutex<Hidden>,
    /// Folders that our credentials may not list, and objects that they may not read or delete.
    pub(crate) denied: Mutex<Vec<String>>,
    /// What somebody else writes just before an object whose key holds a piece.
    pub(crate) before: Mutex<Option<Before>>,
    /// Where the first listing comes before the newest changes.
    pub(crate) earlier: Mutex<Option<Earlier>>,
}

/// A piece of the key of an object, and the objects that somebody else writes just before it.
pub(crate) type Before = (String, Vec<(Path, Vec<u8>)>);

/// A moment before the newest changes; it ends with the second listing.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// Pieces of the keys that are not there yet.
    pub(crate) lacks: Vec<String>,
    /// Objects that are gone since.
    pub(crate) gone: Vec<ObjectMeta>,
    pub(crate) is_listed: bool,
}

/// Keys that listings leave out, by pieces of them.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// Those that listings with a start leave out, as in stores that do not sort.
    pub(crate) after_a_start: Vec<String>,
    /// Those that all listings leave out.
    pub(crate) always: Vec<String>,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        let (requests, faults) = (Mutex::default(), Mutex::default());
        let (hidden, denied, earlier) = (Mutex::default(), Mutex::default(), Mutex::default());
        let before = Mutex::default();
        Arc::new(Self { inner, requests, faults, hidden, denied, before, earlier })
    }

    /// The listing without the hidden keys.
    fn shown(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
        has_start: bool,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let hidden = self.hidden.lock().unwrap();
        let mut pieces = hidden.always.clone();
        if has_start {
            pieces.extend(hidden.after_a_start.iter().cloned());
        }
        let mut earlier = self.earlier.lock().unwrap();
        let mut gone = Vec::new();
        match earlier.as_mut().filter(|earlier| !earlier.is_listed) {
            Some(first) => {
                first.is_listed = true;
                pieces.extend(first.lacks.iter().cloned());
                gone.extend(first.gone.iter().cloned().map(Ok));
            }
            None => *earlier = None,
        }
        let is_shown = move |meta: &ObjectMeta| {
            !pieces.iter().any(|piece| meta.location.as_ref().contains(piece))
        };
        let listing = listing.try_filter(move |meta| std::future::ready(is_shown(meta)));
        listing.chain(stream::iter(gone)).boxed()
    }

    fn permit(&self, path: &str) -> Result<()> {
        match self.denied.lock().unwrap().iter().any(|denied| denied == path) {
            true => {
                let (path, source) = (path.to_owned(), "told so".into());
                Err(object_store::Error::PermissionDenied { path, source })
            }
            false => Ok(()),
        }
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
        let before = self
            .before
            .lock()
            .unwrap()
            .take_if(|(piece, _)| location.as_ref().contains(piece.as_str()));
        for (path, bytes) in before.into_iter().flat_map(|(_, puts)| puts) {
            self.inner.put_opts(&path, bytes.into(), PutOptions::default()).await?;
        }
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
        self.note(if options.head { "HEAD" } else { "GET" }, location);
        self.permit(location.as_ref())?;
        if let Some(earlier) = &*self.earlier.lock().unwrap()
            && earlier.lacks.iter().any(|piece| location.as_ref().contains(piece))
        {
            let (path, source) = (location.to_string(), "not yet".into());
            return Err(object_store::Error::NotFound { path, source });
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let denied = self.denied.lock().unwrap().clone();
        let locations = locations.and_then(move |path| {
            let is_denied = denied.iter().any(|denied| denied == path.as_ref());
            std::future::ready(match is_denied {
                true => {
                    let (path, source) = (path.to_string(), "told so".into());
                    Err(object_store::Error::PermissionDenied { path, source })
                }
                false => Ok(path),
            })
        });
        self.inner.delete_stream(locations.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = prefix.map(ToString::to_string).unwrap_or_default();
        self.note("LIST", &path);
        if let Err(error) = self.permit(&path) {
            return stream::iter([Err(error)]).boxed();
        }
        self.shown(self.inner.list(prefix), false)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = prefix.map(ToString::to_string).unwrap_or_default();
        self.note("LIST", format!("{path} after {}", offset.filename().unwrap_or_default()));
        self.shown(self.inner.list_with_offset(prefix, offset), true)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
