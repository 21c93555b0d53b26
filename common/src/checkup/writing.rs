//! Whether a store takes small objects, gives them back, and overwrites none.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use object_store::ObjectStoreExt as _;

use super::check::Check;
use super::scratch::{BYTES, Scratch, flow};
use crate::connections::{Connections, Opened, Resolved};
use crate::store::error::StoreError;
use crate::store::streaming::{Stored, StreamingStore};

const WRITE: &str = "write";
const READ: &str = "read";
const IF_ABSENT: &str = "put-if-absent";
const DELETE: &str = "delete";
/// The object that is written first.
pub(super) const OBJECT: &str = "object";

/// Writes an object and reads it again. `Err` when nothing can be written.
pub(super) async fn round_trip(
    opened: &Opened,
    store: &StreamingStore,
    scratch: &mut Scratch,
) -> Result<Vec<Check>, Check> {
    let key = scratch.key(OBJECT);
    if let Err(error) = store.put_held(&key, BYTES.into()).await {
        let advice = "allow writing (S3: s3:PutObject; Azure: Storage Blob Data Contributor), or \
                      give the connection the role source alone";
        return Err(Check::refused(WRITE, &error, advice));
    }
    let written = Check::ok(WRITE, format!("objects are written below {}", scratch.folder()));
    let read = async { opened.table.store.get(&key).await?.bytes().await };
    let read = match read.await.map_err(StoreError::from) {
        Ok(bytes) if bytes == BYTES => Check::ok(READ, "what was written is read again"),
        Ok(bytes) => {
            let message =
                format!("{} bytes were written, other {} are read", BYTES.len(), bytes.len());
            let advice = "see what lies between: a proxy, or a store that changes bytes";
            Check::failed(READ, Reason::CorruptCopy, message, advice)
        }
        Err(error) => {
            let advice = "allow reading (S3: s3:GetObject; Azure: Storage Blob Data Reader)";
            Check::refused(READ, &error, advice)
        }
    };
    Ok(vec![written, read])
}

/// Tries the target as a sync does before it writes.
pub(super) async fn if_absent(
    connections: &Connections,
    found: &Resolved,
) -> (Check, Option<String>) {
    let Resolved { connection, fingerprint, root, .. } = found;
    match connections.probe_target(connection, fingerprint, root).await {
        Ok(notice) => {
            let message = "of two writers of one key the second is refused";
            (Check::ok(IF_ABSENT, message), notice)
        }
        Err(Failure { reason, message, .. }) => {
            let advice = "use a store that honours if-none-match: here two syncs could overwrite \
                          each other, and no replica is kept";
            let advice = if reason == Reason::TargetUnsuitable { advice } else { "" };
            (Check::failed(IF_ABSENT, reason, message, advice), None)
        }
    }
}

/// What the store says of the bytes of small objects: held in memory, and flowing through.
pub(super) async fn proofs(
    store: &StreamingStore,
    scratch: &mut Scratch,
) -> Result<[(&'static str, bool); 2], StoreError> {
    let held = store.put_checked(&scratch.key("held"), BYTES.into()).await?;
    let flowing = store.put(&scratch.key("flow"), flow()).await?;
    let is_proof = |stored: &Stored| stored.is_checked || stored.checksum.is_some();
    Ok([("small objects", is_proof(&held)), ("objects that flow", is_proof(&flowing))])
}

/// Removes what was written.
pub(super) async fn delete(
    opened: &Opened,
    store: &StreamingStore,
    scratch: &mut Scratch,
) -> Check {
    let key = scratch.key(OBJECT);
    if let Err(error) = scratch.clear(opened, store).await {
        let message = format!("what was written stays in {}: {error}", scratch.folder());
        let advice = "allow deleting below _deepclone/ (S3: s3:DeleteObject), unless a retention \
                      policy forbids it: copies that turn out bad cannot be taken back";
        return Check::warn(DELETE, message, advice);
    }
    match opened.table.store.head(&key).await.map_err(StoreError::from) {
        Ok(_) => {
            let message = format!("what was deleted is still in {}", scratch.folder());
            Check::warn(DELETE, message, "see whether the store answers from a cache")
        }
        Err(_) => Check::ok(DELETE, "what was written is gone again"),
    }
}
