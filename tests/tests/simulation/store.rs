//! An object store as one process sees it: slow, refusing, losing answers, cutting bodies, and
//! silent once the process is dead.
//!
//! Put-if-absent, `If-Match` and multipart uploads work as at S3; every request draws its fate
//! from the world's chance. A process can die at any of its requests, before or after the store
//! has done what it was asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use deepclone_common::store::requests::{Deleted, Wanted};
use deepclone_common::store::stored_checksum::StoredChecksum;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartId, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use crate::clouds::{By, Object};
use crate::faults::Role;
use crate::process::Process;
use crate::world::{Parts, Received, World};

/// How long a client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How slow a request of a vacuum may be: a sync is planned, copied and published meanwhile.
const VACUUM_SLOW_MS_MAX: u64 = 25_000;

/// A bucket, seen from a process.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedStore {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Process>,
    pub(crate) bucket: &'static str,
    /// It keeps the CRC-64 of its objects.
    pub(crate) keeps_checksums: bool,
}

impl fmt::Display for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.bucket)
    }
}

/// What becomes of a request.
struct Fate {
    before: Duration,
    after: Duration,
    refused: Option<Error>,
    lost: bool,
    dies_before: bool,
    dies_after: bool,
}

fn status(line: &str) -> Error {
    let text = format!("Server returned non-2xx status code: {line}");
    Error::Generic { store: "simulated", source: text.into() }
}

fn broken(kind: HttpErrorKind) -> Error {
    let cause = std::io::Error::other("the connection broke");
    Error::Generic { store: "simulated", source: Box::new(HttpError::new(kind, cause)) }
}

fn absent(key: &str) -> Error {
    Error::NotFound { path: key.to_owned(), source: "no such key".into() }
}

impl SimulatedStore {
    fn fate(&self) -> Fate {
        let mut parts = self.world.lock();
        parts.requests += 1;
        let now_ms = parts.clouds.now_ms;
        let outage = parts.outages.get(self.bucket).is_some_and(|until_ms| now_ms < *until_ms);
        let (faults, random) = (parts.faults, &mut parts.random);
        let mut before = Duration::from_millis(random.within(1..20));
        let mut after = Duration::from_millis(random.within(1..20));
        if random.chance(faults.slow) {
            before += Duration::from_millis(random.within(1..faults.slow_ms_max));
        }
        let is_vacuum = self.process.role == Role::Vacuum && faults.vacuum_slow > 0;
        if is_vacuum && random.chance(faults.vacuum_slow) {
            before += Duration::from_millis(random.within(1..VACUUM_SLOW_MS_MAX));
        }
        let mut refused = None;
        let mut lost = false;
        if outage || random.chance(faults.refused) {
            refused = Some(match random.within(0..3) {
                0 => status("503 Slow Down"),
                1 => status("500 Internal Server Error"),
                _ => broken(HttpErrorKind::Connect),
            });
        } else if random.chance(faults.lost) {
            lost = true;
            if random.chance(500) {
                after = TIMEOUT;
            }
        }
        let dies = random.chance(faults.deaths(self.process.role));
        let dies_before = dies && random.chance(400);
        Fate { before, after, refused, lost, dies_before, dies_after: dies && !dies_before }
    }

    /// Sends a request that does `work` when it reaches the store.
    async fn request<T>(
        &self,
        what: &str,
        key: &str,
        work: impl FnOnce(&mut Parts) -> Result<T> + Send,
    ) -> Result<T> {
        let fate = self.fate();
        let (role, bucket) = (self.process.role, self.bucket);
        let tell = |how: &str| {
            self.world.note(&format_args!("{role:?} {what} {bucket}/{key} {how}"));
        };
        tokio::time::sleep(fate.before).await;
        if fate.dies_before {
            self.process.die();
        }
        // What a dead process had sent may still arrive.
        let is_late = self.process.is_dead() && self.world.lock().random.chance(700);
        if is_late {
            return std::future::pending().await;
        }
        if let Some(error) = fate.refused {
            self.process.alive().await;
            tell("is refused");
            return Err(error);
        }
        let answer = {
            let mut parts = self.world.lock();
            let answer = work(&mut parts);
            parts.settle();
            answer
        };
        tell(match (&answer, fate.lost) {
            (Ok(_), false) => "is done",
            (Err(_), false) => "finds otherwise",
            (_, true) => "is not answered",
        });
        if fate.dies_after {
            self.process.die();
        }
        tokio::time::sleep(fate.after).await;
        self.process.alive().await;
        if fate.lost { Err(broken(HttpErrorKind::Timeout)) } else { answer }
    }

    fn meta(location: &Path, object: &Object) -> ObjectMeta {
        ObjectMeta {
            location: location.clone(),
            last_modified: time(object.written_ms),
            size: object.bytes.len() as u64,
            e_tag: Some(object.tag.clone()),
            version: None,
        }
    }

    /// The body in pieces, each a little later; it may be cut.
    fn body(&self, bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
        let (pieces, cut_at) = {
            let mut parts = self.world.lock();
            let faults = parts.faults;
            let pieces = if bytes.len() < 3 { 1 } else { parts.random.within(1..4) as usize };
            let cut = parts.random.chance(faults.cut);
            (pieces, cut.then(|| parts.random.within(0..pieces as u64) as usize))
        };
        let piece = bytes.len().div_ceil(pieces).max(1);
        let process = Arc::clone(&self.process);
        stream::unfold(0, move |at| {
            let (process, bytes) = (Arc::clone(&process), bytes.clone());
            async move {
                let start = at * piece;
                if start >= bytes.len() && at > 0 {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
                process.alive().await;
                if cut_at == Some(at) {
                    return Some((Err(broken(HttpErrorKind::Interrupted)), usize::MAX / piece));
                }
                Some((Ok(bytes.slice(start..bytes.len().min(start + piece))), at + 1))
            }
        })
        .boxed()
    }
}

fn time(at_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default()
}

fn put_result(tag: String) -> PutResult {
    PutResult { e_tag: Some(tag), version: None, extensions: Default::default() }
}

/// A conditional write, as S3 does it.
fn put_where(
    parts: &mut Parts,
    bucket: &'static str,
    key: &str,
    bytes: Bytes,
    mode: &PutMode,
) -> Result<PutResult> {
    let there = parts.clouds.get(bucket, key).map(|object| object.tag.clone());
    match (mode, there) {
        (PutMode::Create, Some(_)) => {
            return Err(Error::AlreadyExists { path: key.to_owned(), source: "exists".into() });
        }
        (PutMode::Update(version), there) if there != version.e_tag => {
            return Err(Error::Precondition { path: key.to_owned(), source: "another".into() });
        }
        (PutMode::Create | PutMode::Update(_) | PutMode::Overwrite, _) => {}
    }
    Ok(put_result(parts.clouds.put(bucket, key, bytes, By::Us)))
}

/// An unconditional or conditional look at an object; deletes it where that is meant.
fn get(
    parts: &mut Parts,
    store: &SimulatedStore,
    location: &Path,
    options: &GetOptions,
) -> Result<(Object, Extensions)> {
    let (bucket, key) = (store.bucket, location.as_ref());
    let object = parts.clouds.get(bucket, key).cloned();
    let object = object.ok_or_else(|| absent(key))?;
    options.check_preconditions(&SimulatedStore::meta(location, &object))?;
    let now_ms = parts.clouds.now_ms;
    parts.replicas.looked_at(store.process.role, (bucket, key), now_ms);
    let mut came = Extensions::new();
    match options.extensions.get::<Wanted>() {
        Some(Wanted::StoredChecksum) => {
            let digest = || crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &object.bytes);
            if store.keeps_checksums {
                came.insert(StoredChecksum::Crc64Nvme(digest()));
            }
        }
        Some(Wanted::Delete) => {
            parts.clouds.remove(bucket, key, By::Us);
            came.insert(Deleted);
        }
        None => {}
    }
    Ok((object, came))
}

#[async_trait::async_trait]
impl ObjectStore for SimulatedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let bytes = Bytes::from(payload);
        self.request("put", location.as_ref(), |parts| {
            put_where(parts, self.bucket, location.as_ref(), bytes, &options.mode)
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotSupported { source: "nobody asks for it".into() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (object, extensions) = self
            .request("get", location.as_ref(), |parts| get(parts, self, location, &options))
            .await?;
        let size = object.bytes.len() as u64;
        let range = match &options.range {
            None => 0..size,
            Some(range) => range.as_range(size).map_err(|error| Error::Generic {
                store: "simulated",
                source: error.to_string().into(),
            })?,
        };
        let bytes = match options.head {
            true => Bytes::new(),
            false => object.bytes.slice(range.start as usize..range.end as usize),
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(self.body(bytes)),
            meta: Self::meta(location, &object),
            range,
            attributes: Default::default(),
            extensions,
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let key = location.to_string();
                    let bucket = store.bucket;
                    store
                        .request("delete", &key, |parts| {
                            parts.clouds.remove(bucket, &key, By::Us);
                            Ok(())
                        })
                        .await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.map(|prefix| format!("{prefix}/")));
        let listed = async move {
            let prefix = prefix.unwrap_or_default();
            let metas = store.request("list", &prefix, |parts| {
                let hides_tags = parts.hides_tags;
                let found = parts.clouds.list(store.bucket, &prefix);
                let metas = found.map(|(key, object)| {
                    let meta = Path::parse(key).map(|location| Self::meta(&location, object))?;
                    let e_tag = meta.e_tag.clone().filter(|_| !hides_tags);
                    Ok::<_, object_store::path::Error>(ObjectMeta { e_tag, ..meta })
                });
                metas.map(|meta| meta.map_err(Error::from)).collect::<Result<Vec<_>>>()
            });
            match metas.await {
                Ok(metas) => metas.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        };
        listed.map(stream::iter).flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, _prefix: Option<&Path>) -> Result<ListResult> {
        Err(Error::NotSupported { source: "nobody asks for it".into() })
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(Error::NotSupported { source: "nobody asks for it".into() })
    }
}

#[async_trait::async_trait]
impl MultipartStore for SimulatedStore {
    async fn create_multipart(&self, location: &Path) -> Result<MultipartId> {
        self.request("open", location.as_ref(), |world| {
            let id = format!("upload-{}", world.uploads.len());
            world.uploads.insert(id.clone(), Some(Received::new()));
            Ok(id)
        })
        .await
    }

    async fn put_part(
        &self,
        location: &Path,
        id: &MultipartId,
        number: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let bytes = Bytes::from(data);
        self.request("part", location.as_ref(), |world| {
            upload(world, id)?.insert(number, bytes);
            Ok(PartId { content_id: number.to_string() })
        })
        .await
    }

    /// Refused where something is, as our client asks of S3; a second one finds no upload.
    async fn complete_multipart(
        &self,
        location: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.request("complete", location.as_ref(), |world| {
            let received = upload(world, id)?;
            if received.len() != parts.len() {
                return Err(status("400 Bad Request: <Code>InvalidPart</Code>"));
            }
            let whole: Vec<u8> = received.values().flatten().copied().collect();
            let (bucket, key) = (self.bucket, location.as_ref());
            let put = put_where(world, bucket, key, whole.into(), &PutMode::Create)?;
            world.uploads.insert(id.clone(), None);
            Ok(put)
        })
        .await
    }

    async fn abort_multipart(&self, location: &Path, id: &MultipartId) -> Result<()> {
        self.request("abort", location.as_ref(), |world| {
            world.uploads.insert(id.clone(), None);
            Ok(())
        })
        .await
    }
}

/// The parts of an upload that is not over.
fn upload<'a>(world: &'a mut Parts, id: &str) -> Result<&'a mut Received> {
    let open = world.uploads.get_mut(id).and_then(Option::as_mut);
    open.ok_or_else(|| status("404 Not Found: <Code>NoSuchUpload</Code>"))
}
