//! What a store does with objects that are written by parts, and with copies of its own.

use deepclone_core::reason::Reason;
use object_store::ObjectStore;

use super::check::Check;
use super::scratch::{BYTES, Scratch, flow};
use super::writing::OBJECT;
use crate::connections::{Connections, Opened, Resolved};
use crate::store::copying::google::{RewriteSource, RewriteStep, rewrite_step};
use crate::store::copying::{CopyRange, CopySource, checksummed, copy_part};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::literal::ObjectPath;
use crate::store::probe::probe_completions;
use crate::store::requests::{describe_by_size, look};
use crate::store::streaming::{StreamingStore, UploadId};

const COMPLETION: &str = "conditional completion";
const AT_ONCE: &str = "completions at once";
const ABORT: &str = "abort of uploads";
const COPY: &str = "server-side copy";

/// Completes an upload over an object that is there: it must be refused.
pub(super) async fn completion(store: &StreamingStore, scratch: &mut Scratch) -> Check {
    let advice = "allow uploads by parts (S3: s3:PutObject): objects above 64 MiB go by them";
    let ended = async {
        let upload = scratch.open(store, OBJECT).await?;
        let (part, _) = store.put_part(&upload, 0, flow()).await?;
        let ended = store.complete(&upload, vec![part]).await;
        Ok((upload, ended))
    };
    let (upload, ended) = match ended.await {
        Ok(ended) => ended,
        Err(error) => return Check::refused(COMPLETION, &error, advice),
    };
    match ended {
        Err(error) if is_refusal(error.kind) => {
            Check::ok(COMPLETION, "an upload is not completed over an object that is there")
        }
        Err(error) => Check::refused(COMPLETION, &error, advice),
        Ok(_) => {
            scratch.ended(&upload);
            let message = "an upload was completed over an object that is there: the store ignores \
                           if-none-match of completions, and two writers of one large object would \
                           overwrite each other";
            let advice = "use a store that honours it, or let nobody else write below the target";
            Check::failed(COMPLETION, Reason::TargetUnsuitable, message, advice)
        }
    }
}

/// Completes uploads of one key at once: one alone may succeed. Only a commit that is too long for
/// one put needs that, so that a store is fit without it.
pub(super) async fn completions_at_once(opened: &Opened, store: &StreamingStore) -> Check {
    let table = &opened.table;
    if !table.large.as_ref().is_some_and(|large| large.is_by_parts(u64::MAX)) {
        return Check::skipped(AT_ONCE, "commits of any length are one put at this store");
    }
    match probe_completions(store, &table.store, &table.root).await {
        Ok(()) => Check::ok(AT_ONCE, "of several uploads of one key one alone is completed"),
        Err(error) => {
            let advice = "only a sync whose commit is longer than one put may be is refused for it";
            Check::warn(AT_ONCE, error.to_string(), advice)
        }
    }
}

fn is_refusal(kind: StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::AlreadyExists | StoreErrorKind::Precondition)
}

/// Makes an object by parts, and tells whether the store says a checksum of it.
pub(super) async fn proof(
    store: &StreamingStore,
    scratch: &mut Scratch,
) -> Result<(&'static str, bool), StoreError> {
    let upload = scratch.open(store, "parts").await?;
    let (part, of_part) = store.put_part(&upload, 0, flow()).await?;
    let stored = store.complete(&upload, vec![part]).await?;
    scratch.ended(&upload);
    Ok(("objects by parts", of_part.is_some() || stored.checksum.is_some()))
}

/// Throws an upload away, and sees that it is gone where the store lists uploads.
pub(super) async fn abort(store: &StreamingStore, scratch: &mut Scratch) -> Check {
    let opened = async {
        let upload = scratch.open(store, "aborted").await?;
        store.put_part(&upload, 0, flow()).await?;
        Ok::<UploadId, StoreError>(upload)
    };
    let upload = match opened.await {
        Ok(upload) => upload,
        Err(error) => return Check::refused(ABORT, &error, ""),
    };
    let advice = "allow it (S3: s3:AbortMultipartUpload): what failed copies leave is paid for";
    if let Err(error) = store.abort(&upload).await {
        return Check::warn(ABORT, error.to_string(), advice);
    }
    scratch.ended(&upload);
    match store.open_uploads(upload.path.as_ref()).await {
        Ok(left) if left.iter().any(|one| one.id == upload.id) => {
            Check::warn(ABORT, "an upload that was thrown away is still listed", advice)
        }
        Ok(_) => Check::ok(ABORT, "an upload that is thrown away is gone"),
        Err(error) if error.kind == StoreErrorKind::Unsupported => {
            Check::ok(ABORT, "uploads are thrown away; the store lists none")
        }
        Err(error) => {
            let advice = "allow it (S3: s3:ListBucketMultipartUploads): leftovers are found by it";
            Check::warn(ABORT, format!("uploads are not listed: {error}"), advice)
        }
    }
}

/// Lets the store copy one of its objects, where it is of a kind that can.
pub(super) async fn copy(
    connections: &Connections,
    found: &Resolved,
    opened: &Opened,
    store: &StreamingStore,
    scratch: &mut Scratch,
) -> Check {
    let name = &found.connection;
    let Some(one) = connections.one_store(name, name) else {
        return Check::skipped(COPY, "stores of this kind are not asked to copy by themselves");
    };
    let copied = match one.source() {
        CopySource::Google(bucket) => rewritten(&*opened.table.store, bucket, scratch).await,
        source => copied(&*opened.table.store, store, source, scratch).await,
    };
    match copied {
        Ok(true) => Check::ok(COPY, "the store copies by itself, and says the checksum"),
        Ok(false) => Check::ok(
            COPY,
            "the store copies by itself and says no checksum of it: where both sides are here, \
             bytes pass the workers, or copies are read back",
        ),
        Err(error) => Check::ok(
            COPY,
            format!("the store does not copy by itself ({error}): bytes pass the workers"),
        ),
    }
}

/// Makes an object of a part that the store copies. Returns whether it says a checksum of it.
async fn copied(
    objects: &dyn ObjectStore,
    store: &StreamingStore,
    source: &CopySource,
    scratch: &mut Scratch,
) -> Result<bool, StoreError> {
    let path = ObjectPath::from(scratch.key(OBJECT));
    let from = describe_by_size(objects, &path).await?;
    let upload = checksummed(scratch.open(store, "copied")).await?;
    let range = CopyRange {
        source: source.clone(),
        key: path.key(),
        etag: from.etag,
        range: None,
        length: BYTES.len() as u64,
        md5: None,
    };
    let part = copy_part(store, &upload, 0, range).await?;
    let stored = store.complete(&upload, vec![part.id]).await?;
    scratch.ended(&upload);
    Ok(match source {
        CopySource::Azure(_) => part.checksum.is_some(),
        CopySource::S3(_) | CopySource::Google(_) => stored.checksum.is_some(),
    })
}

/// Lets Google Cloud Storage make an object. Returns whether it says the checksum of both.
async fn rewritten(
    store: &dyn ObjectStore,
    bucket: &str,
    scratch: &mut Scratch,
) -> Result<bool, StoreError> {
    let path = ObjectPath::from(scratch.key(OBJECT));
    let from = look(store, &path).await?;
    let generation = from.version.unwrap_or_default();
    let source = RewriteSource { bucket: bucket.to_owned(), key: path.key(), generation };
    let step = rewrite_step(store, &source, &scratch.key("copied"), None).await?;
    let says = matches!(step, RewriteStep::Done { crc32c: Some(_), .. });
    Ok(says && from.checksum.is_some())
}
