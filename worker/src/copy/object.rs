//! One object: small ones by one GET and one PUT, large ones by parts.

use std::sync::atomic::Ordering;

use crc_fast::Digest;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::retry::{Patience, Retry, retrying};
use deepclone_core::copy_plan::{CopyPlan, PartPlan};
use deepclone_core::limits::WHOLE_OBJECT_BYTES_MAX;
use deepclone_core::receipt::{ObjectReceipt, TaskFailureKind};
use deepclone_core::spec::Verification;
use deepclone_core::task::ObjectCopy;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode};

use super::Context;
use super::error::CopyError;
use super::present::{delete, prove, replace};
use super::proof::{Expected, Found, compare};
use super::read::{Length, Piece, ReadOutcome, Want, new_digest, read};
use super::sink::{Finished, Sink, payload, put_file};
use crate::budget::Reserved;

/// Parts of one object that are read or written at once.
const PARTS_IN_FLIGHT: usize = 4;
/// What the log does not say of a deletion-vector file: its other vectors.
const MINIMUM_SLACK_BYTES: u64 = 1 << 20;

/// Copies one object and proves it.
pub(crate) async fn copy_object(
    context: &Context,
    object: &ObjectCopy,
) -> Result<ObjectReceipt, CopyError> {
    let paths = Paths {
        source: context.source.object(&object.source_path)?,
        target: context.target.object(&object.target_path)?,
    };
    let length = if object.size_is_minimum {
        Length::AtLeast(object.size)
    } else {
        Length::Exact(object.size)
    };
    let receipt = match prove(context, object, &paths, length).await? {
        Some(receipt) => receipt,
        None => copy_whole(context, object, &paths, length).await?,
    };
    if receipt.existed {
        context.leftovers.store(true, Ordering::Relaxed);
    } else if context.verification == Verification::ReadBack {
        read_back(context, &object.target_path, &paths.target, &receipt).await?;
    }
    Ok(receipt)
}

/// Both sides of an object.
pub(crate) struct Paths {
    pub(crate) source: Path,
    pub(crate) target: Path,
}

/// Reads what was just written; a bad object is deleted, so that the next try finds nothing.
async fn read_back(
    context: &Context,
    key: &str,
    path: &Path,
    receipt: &ObjectReceipt,
) -> Result<(), CopyError> {
    let expected = Expected { size: receipt.size, crc64nvme: receipt.crc64nvme };
    let store = &*context.target.table.store;
    let message = match compare(store, path, key, expected, &context.counts).await? {
        Found::Equal { .. } => return Ok(()),
        Found::Nothing => format!("{key} was written and is not there"),
        Found::Different { why, .. } => {
            let message = format!("{key} was written and is not what it should be: {why}");
            match delete(context, path, &receipt.target_etag).await {
                Ok(()) => message,
                Err(error) => format!("{message}; it cannot be deleted: {error}"),
            }
        }
    };
    Err(CopyError::new(TaskFailureKind::Corrupt, message))
}

async fn copy_whole(
    context: &Context,
    object: &ObjectCopy,
    paths: &Paths,
    length: Length,
) -> Result<ObjectReceipt, CopyError> {
    let mut room = match length {
        Length::Exact(size) => size,
        Length::AtLeast(size) => size + MINIMUM_SLACK_BYTES,
    }
    .min(WHOLE_OBJECT_BYTES_MAX);
    loop {
        if let Length::Exact(size) = length
            && let CopyPlan::Parts(parts) = CopyPlan::of(size)
        {
            return copy_parts(context, object, paths, parts, String::new()).await;
        }
        let reserved = context.budget.reserve(room).await;
        let want = Want::Whole { length, most: room };
        let store = &*context.source.table.store;
        let key = &object.source_path;
        match read(store, &paths.source, key, &want, &context.counts).await? {
            ReadOutcome::Read(piece) => {
                return put_whole(context, object, paths, *piece, reserved).await;
            }
            ReadOutcome::Larger { size, etag } => match CopyPlan::of(size) {
                CopyPlan::Parts(parts) => {
                    drop(reserved);
                    return copy_parts(context, object, paths, parts, etag).await;
                }
                CopyPlan::Whole => room = size,
            },
        }
    }
}

async fn put_whole(
    context: &Context,
    object: &ObjectCopy,
    paths: &Paths,
    piece: Piece,
    reserved: Reserved,
) -> Result<ObjectReceipt, CopyError> {
    let key = &object.target_path;
    let mut retry = Retry::new(Patience::OBJECT);
    let target = loop {
        context.lease.check().map_err(|_| CopyError::lease_expired(key))?;
        context.counts.request();
        let error = match put_once(context, key, &paths.target, &piece).await {
            Ok(etag) => {
                context.counts.wrote(piece.size);
                break (etag, false);
            }
            Err(error) => error,
        };
        if matches!(error.kind, StoreErrorKind::AlreadyExists | StoreErrorKind::Precondition)
            && let Some(etag) = settle(context, object, paths, &piece.digest).await?
        {
            break (etag, true);
        }
        // What is there was read back: gone, or replaced.
        let error = error.when_absent();
        let Some(pause) = retry.next(&error) else { return Err(CopyError::target(key, &error)) };
        tokio::time::sleep(pause).await;
    };
    drop(reserved);
    Ok(receipt(&piece.digest, piece.etag, target))
}

/// One try to write a whole object where nothing is; gives its tag.
async fn put_once(
    context: &Context,
    key: &str,
    path: &Path,
    piece: &Piece,
) -> Result<String, StoreError> {
    if let Some(directory) = &context.target.directory {
        let chunks = piece.chunks.clone();
        return match put_file(directory.clone(), key.to_owned(), chunks).await? {
            Finished::Written { .. } => Ok(written_etag(context, path).await),
            Finished::Exists => {
                let message = "something is there already";
                Err(StoreError::new(StoreErrorKind::AlreadyExists, message))
            }
        };
    }
    let (store, body) = (&context.target.table.store, payload(&piece.chunks));
    let result = store.put_opts(path, body, PutMode::Create.into()).await?;
    Ok(result.e_tag.unwrap_or_default())
}

fn receipt(digest: &Digest, source_etag: String, target: (String, bool)) -> ObjectReceipt {
    let (target_etag, existed) = target;
    let (size, crc64nvme) = (digest.get_amount(), digest.finalize());
    ObjectReceipt { size, crc64nvme, source_etag, target_etag, existed }
}

/// The tag of a file that was just written; empty when it cannot be told.
async fn written_etag(context: &Context, path: &Path) -> String {
    let meta = context.target.table.store.head(path).await;
    meta.ok().and_then(|meta| meta.e_tag).unwrap_or_default()
}

/// The target says "exists": its tag when it is these bytes, none when it is gone again.
async fn settle(
    context: &Context,
    object: &ObjectCopy,
    paths: &Paths,
    digest: &Digest,
) -> Result<Option<String>, CopyError> {
    let expected = Expected { size: digest.get_amount(), crc64nvme: digest.finalize() };
    let (store, key) = (&*context.target.table.store, &object.target_path);
    match compare(store, &paths.target, key, expected, &context.counts).await? {
        Found::Equal { etag } => Ok(Some(etag)),
        Found::Different { etag, why } => {
            replace(context, object, paths, &etag, &why).await.map(|()| None)
        }
        Found::Nothing => Ok(None),
    }
}

/// Copies a large object by parts, or proves the one that is there.
async fn copy_parts(
    context: &Context,
    object: &ObjectCopy,
    paths: &Paths,
    parts: PartPlan,
    etag: String,
) -> Result<ObjectReceipt, CopyError> {
    let key = &object.target_path;
    let store = &*context.target.table.store;
    let there = exists(context, key, &paths.target).await?;
    let mut sink = None;
    if !there {
        context.lease.check().map_err(|_| CopyError::lease_expired(key))?;
        context.counts.request();
        let opened = match &context.target.directory {
            Some(directory) => Sink::file(directory.clone(), key.clone()).await,
            None => Sink::upload(store, &paths.target).await,
        };
        sink = Some(opened.map_err(|error| CopyError::target(key, &error))?);
    }
    let etag = match etag {
        etag if etag.is_empty() => {
            head_source(context, object, paths, parts.object_bytes()).await?
        }
        etag => etag,
    };
    let source = Source { path: &paths.source, key: &object.source_path, parts, etag: &etag };
    let copied = tokio::select! {
        copied = pump(context, &source, key, sink.as_mut()) => copied,
        () = context.stop.cancelled() => Err(CopyError::lease_expired(key)),
    };
    let digest = match copied {
        Ok(digest) => digest,
        Err(error) => {
            if let Some(sink) = sink {
                sink.abort().await;
            }
            return Err(error);
        }
    };
    let target = match sink {
        None => None,
        Some(sink) => finish(context, key, &paths.target, sink).await?,
    };
    let target = match target {
        Some(etag) => (etag, false),
        None => match settle(context, object, paths, &digest).await? {
            Some(etag) => (etag, true),
            None => {
                let message = format!("the upload of {key} ended and left no object");
                return Err(CopyError::new(TaskFailureKind::Transient, message));
            }
        },
    };
    Ok(receipt(&digest, etag, target))
}

/// Completes the object. None: something is there, and its bytes must tell whether it is ours.
async fn finish(
    context: &Context,
    key: &str,
    path: &Path,
    sink: Sink,
) -> Result<Option<String>, CopyError> {
    context.lease.check().map_err(|_| CopyError::lease_expired(key))?;
    context.counts.request();
    match sink.finish().await {
        Ok(Finished::Written { etag }) if etag.is_empty() => {
            Ok(Some(written_etag(context, path).await))
        }
        Ok(Finished::Written { etag }) => Ok(Some(etag)),
        Ok(Finished::Exists) => Ok(None),
        Err(error) if matches!(error.kind, StoreErrorKind::Denied) => {
            Err(CopyError::target(key, &error))
        }
        // An answer that was lost, or an upload that was completed by its first answer.
        Err(error) => {
            tracing::info!(key, %error, "the end of an upload is unknown: reading the object back");
            Ok(None)
        }
    }
}

async fn exists(context: &Context, key: &str, path: &Path) -> Result<bool, CopyError> {
    let head = || {
        context.counts.request();
        context.target.table.store.head(path)
    };
    match retrying(Patience::OBJECT, head).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(false),
        Err(error) => Err(CopyError::target(key, &error)),
    }
}

/// The tag of the source's object, which must have the planned length.
async fn head_source(
    context: &Context,
    object: &ObjectCopy,
    paths: &Paths,
    size: u64,
) -> Result<String, CopyError> {
    let key = &object.source_path;
    let head = || {
        context.counts.request();
        context.source.table.store.head(&paths.source)
    };
    let meta =
        retrying(Patience::OBJECT, head).await.map_err(|error| CopyError::source(key, &error))?;
    if meta.size != size {
        let why = format!("has {} bytes, and the table's log says {size}", meta.size);
        return Err(CopyError::changed(key, &why));
    }
    Ok(meta.e_tag.unwrap_or_default())
}

struct Source<'a> {
    path: &'a Path,
    key: &'a str,
    parts: PartPlan,
    etag: &'a str,
}

/// Reads all parts, in parallel and given on in order, into the sink; without one it only digests.
async fn pump(
    context: &Context,
    source: &Source<'_>,
    key: &str,
    mut sink: Option<&mut Sink>,
) -> Result<Digest, CopyError> {
    let ranges = source.parts.ranges();
    let reads: Vec<_> = ranges.map(|range| read_part(context, source, range).boxed()).collect();
    let mut pieces = stream::iter(reads).buffered(PARTS_IN_FLIGHT);
    let mut writes = FuturesUnordered::new();
    let mut digest = new_digest();
    loop {
        // Both at once: what is written holds the memory that the next reads wait for.
        let next = tokio::select! {
            Some(written) = writes.next() => {
                let () = written?;
                continue;
            }
            next = pieces.try_next(), if writes.len() < PARTS_IN_FLIGHT => next?,
        };
        let Some((piece, reserved)) = next else { break };
        digest.combine(&piece.digest);
        context.lease.check().map_err(|_| CopyError::lease_expired(key))?;
        let bytes = piece.digest.get_amount();
        match sink.as_deref_mut() {
            None => {}
            Some(Sink::File(file)) => {
                file.append(piece.chunks).await.map_err(|e| CopyError::target(key, &e))?;
                context.counts.wrote(bytes);
            }
            Some(Sink::Upload(upload)) => {
                context.counts.request();
                let sent = upload.put_part(payload(&piece.chunks));
                writes.push(async move {
                    let result = sent.await;
                    context.counts.bytes_written.fetch_add(bytes, Ordering::Relaxed);
                    drop(reserved);
                    result.map_err(|error| CopyError::target(key, &error.into()))
                });
            }
        }
    }
    while writes.try_next().await?.is_some() {}
    Ok(digest)
}

async fn read_part(
    context: &Context,
    source: &Source<'_>,
    range: std::ops::Range<u64>,
) -> Result<(Piece, Reserved), CopyError> {
    let reserved = context.budget.reserve(range.end - range.start).await;
    let want =
        Want::Part { range, etag: source.etag.to_owned(), size: source.parts.object_bytes() };
    let store = &*context.source.table.store;
    match read(store, source.path, source.key, &want, &context.counts).await? {
        ReadOutcome::Read(piece) => Ok((*piece, reserved)),
        ReadOutcome::Larger { .. } => Err(CopyError::changed(source.key, "changed its length")),
    }
}
