//! An object that may be at the target already: proved without reading the source where a stored
//! checksum or unchanged entity tags tell enough, and replaced where it is a bad object of ours.

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;

use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::requests::{delete_if_match, describe};
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_core::evidence::{Described, Prior, Verdict, is_replaceable, judge, same_object};
use deepclone_core::receipt::ObjectReceipt;
use deepclone_core::task::ObjectCopy;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::error::CopyError;
use super::object::Paths;
use super::proof::{Expected, Found, compare};
use super::read::Length;
use super::{Context, OpenSide};

/// The receipt of an object that the target holds. `None`: it is to be copied, because it is not
/// there, or because only the source's bytes can tell.
pub(crate) async fn prove(
    context: &Context,
    object: &ObjectCopy,
    paths: &Paths,
    length: Length,
) -> Result<Option<ObjectReceipt>, CopyError> {
    let expected = object.prior != Prior::Absent || context.leftovers.load(Ordering::Relaxed);
    if !expected {
        return Ok(None);
    }
    let described = seen(context, &context.target, &paths.target).await;
    let target = match described {
        Ok(target) => target,
        Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CopyError::target(&object.target_path, &error)),
    };
    let key = &object.source_path;
    let source = seen(context, &context.source, &paths.source)
        .await
        .map_err(|error| CopyError::source(key, &error))?;
    length.check(key, source.size)?;
    let crc64nvme = match judge(&object.prior, &source, &target) {
        Verdict::Same { crc64nvme } => crc64nvme,
        Verdict::ReadSource => return Ok(None),
        Verdict::Different => {
            let why = match source.size == target.size {
                true => "its bytes have another digest".to_owned(),
                false => format!("it has {} bytes, not {}", target.size, source.size),
            };
            return replace(context, object, paths, &target.etag, &why).await.map(|()| None);
        }
        Verdict::ReadTarget { crc64nvme } => {
            let expected = Expected { size: source.size, crc64nvme };
            let (store, key) = (&*context.target.table.store, &object.target_path);
            match compare(store, &paths.target, key, expected, &context.counts).await? {
                Found::Equal { .. } => crc64nvme,
                Found::Nothing => return Ok(None),
                Found::Different { etag, why } => {
                    return replace(context, object, paths, &etag, &why).await.map(|()| None);
                }
            }
        }
    };
    Ok(Some(ObjectReceipt {
        size: source.size,
        crc64nvme,
        source_etag: source.etag,
        target_etag: target.etag,
        existed: true,
    }))
}

/// The target holds other bytes under the key: deletes them if an unpublished sync of ours wrote
/// them.
///
/// # Errors
/// TARGET_CONFLICT when the object may be somebody's.
pub(crate) async fn replace(
    context: &Context,
    object: &ObjectCopy,
    paths: &Paths,
    etag: &str,
    why: &str,
) -> Result<(), CopyError> {
    let key = &object.target_path;
    if !is_replaceable(&object.prior, etag) {
        return Err(CopyError::conflict(key, why));
    }
    context.lease.check().map_err(|_| CopyError::lease_expired(key))?;
    tracing::warn!(key, why, "an object of an unpublished sync is deleted and copied again");
    delete(context, &paths.target, etag).await.map_err(|error| {
        CopyError::conflict(key, &format!("{why}, and it cannot be deleted: {error}"))
    })
}

/// Deletes the target's object with this tag, and no other; one that is gone is fine.
pub(crate) async fn delete(context: &Context, path: &Path, etag: &str) -> Result<(), StoreError> {
    context.counts.request();
    let store = &context.target.table.store;
    let deleted = match &context.target.directory {
        None => delete_if_match(&**store, path, etag).await,
        // A file system has no condition: between the look and the deletion nobody of ours writes
        // to a key that is in use.
        Some(_) => match store.head(path).await {
            Ok(meta) if same_object(etag, meta.e_tag.as_deref().unwrap_or_default()) => {
                store.delete(path).await
            }
            Ok(_) => Err(object_store::Error::Precondition {
                path: path.to_string(),
                source: "another object is there now".into(),
            }),
            Err(error) => Err(error),
        },
    };
    match deleted.map_err(StoreError::from) {
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
        settled => settled,
    }
}

async fn seen(context: &Context, side: &OpenSide, path: &Path) -> Result<Described, StoreError> {
    retrying(Patience::OBJECT, || {
        context.counts.request();
        describe(&*side.table.store, path)
    })
    .await
}
