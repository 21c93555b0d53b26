//! Tries whether a store makes one object of several uploads of one key that are completed at once.
//!
//! A commit by parts rests on that. Some stores look for the object before they put the parts
//! together, not while they do: two completions then both succeed, and one commit is lost. How they
//! meet is chance, so several are tried, several times.

use std::sync::Arc;

use crc_fast::CrcAlgorithm;
use futures::future::join_all;
use futures::stream;
use futures::{FutureExt as _, StreamExt as _};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::{OUR_FOLDER, ProbeError, refused};
use crate::random;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::streaming::{Flow, StreamingStore, UploadId};

/// Uploads that are completed at once.
const UPLOADS_AT_ONCE: usize = 4;
/// How often. A store that lets two succeed in a third of the rounds passes one time in 25.
const ROUNDS: usize = 8;
/// Rounds that may be lost to answers that tell nothing.
const ROUNDS_MAX: usize = 2 * ROUNDS;
const BYTES: &[u8] = b"probe";

/// Completes uploads of one key at once, again and again: one alone may succeed.
///
/// # Errors
/// Two succeeded; or the store cannot be written.
pub async fn probe_completions(
    streaming: &StreamingStore,
    store: &Arc<dyn ObjectStore>,
    root: &Path,
) -> Result<(), ProbeError> {
    let (mut left, mut unknown) = (ROUNDS, None);
    for _ in 0..ROUNDS_MAX {
        let key = root.clone().join(OUR_FOLDER).join(format!("probe-{}", random::uuid()));
        match round(streaming, store, &key).await {
            Ok(0 | 1) => left -= 1,
            Ok(_) => {
                return Err(ProbeError::Unsuitable(
                    "its store lets two uploads of one key both succeed (if-none-match with the \
                     completion), so that two commits by parts would overwrite each other: clone \
                     a part of the table with --where, or use a store that honours it"
                        .to_owned(),
                ));
            }
            Err(error) if error.kind.is_retryable() => unknown = Some(error),
            Err(error) => return Err(refused(error)),
        }
        if left == 0 {
            return Ok(());
        }
    }
    match unknown {
        Some(error) => Err(ProbeError::Store(error)),
        None => Ok(()),
    }
}

/// How many of several completions succeeded. What they made is removed.
async fn round(
    streaming: &StreamingStore,
    store: &Arc<dyn ObjectStore>,
    key: &Path,
) -> Result<usize, StoreError> {
    let opened = join_all((0..UPLOADS_AT_ONCE).map(|_| open(streaming, key))).await;
    let (mut uploads, mut failed) = (Vec::new(), None);
    for one in opened {
        match one {
            Ok(upload) => uploads.push(upload),
            Err(error) => failed = Some(error),
        }
    }
    let completed = match failed {
        None => {
            let completions = uploads
                .iter()
                .map(|(upload, part)| streaming.complete(upload, vec![part.clone()]).boxed());
            join_all(completions).await
        }
        Some(error) => vec![Err(error)],
    };
    // As far as that can be: whatever is left is small, and lies in our own folder.
    for (upload, _) in &uploads {
        let _gone = streaming.abort(upload).await;
    }
    let _gone = store.delete(key).await;
    let refusals = [StoreErrorKind::AlreadyExists, StoreErrorKind::Precondition];
    let succeeded = completed.iter().filter(|ended| ended.is_ok()).count();
    let unheard = completed
        .into_iter()
        .filter_map(Result::err)
        .find(|error| !refusals.contains(&error.kind) && error.kind != StoreErrorKind::UploadLost);
    match unheard {
        // Two are too many, whatever the others did.
        Some(error) if succeeded < 2 && !error.kind.is_retryable() => Err(error),
        Some(error) if succeeded == 0 => Err(error),
        _ => Ok(succeeded),
    }
}

/// An upload of one small part.
async fn open(streaming: &StreamingStore, key: &Path) -> Result<(UploadId, PartId), StoreError> {
    let upload = streaming.create_known(key).await?;
    let pieces = stream::iter([Ok(BYTES.into())]).boxed();
    let flow = Flow { length: BYTES.len() as u64, pieces };
    let crc64nvme = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, BYTES);
    match streaming.put_part_known(&upload, 0, flow, crc64nvme).await {
        Ok((part, _)) => Ok((upload, part)),
        Err(error) => {
            let _gone = streaming.abort(&upload).await;
            Err(error)
        }
    }
}
