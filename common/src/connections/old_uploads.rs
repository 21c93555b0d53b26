//! Uploads below a table that nobody ended: a vacuum throws those away that are old.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::resolved::Opened;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::large::Writes;
use crate::store::uploads::OpenUpload;

/// Throws away the uploads that were opened at or before `before_ms`, and returns how many they
/// are; `None` where the store lists none.
///
/// # Errors
/// The uploads cannot be listed, or one cannot be thrown away.
pub async fn end_old_uploads(
    opened: &Opened,
    before_ms: i64,
    is_dry_run: bool,
) -> Result<Option<u64>, Failure> {
    let Writes::Store(store) = &opened.writes else { return Ok(None) };
    let prefix = match opened.table.root.as_ref() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    let listed = match store.open_uploads(&prefix).await {
        Ok(listed) => listed,
        Err(error) if error.kind == StoreErrorKind::Unsupported => return Ok(None),
        Err(error) => return Err(failure(opened, "its open uploads cannot be listed", &error)),
    };
    let is_old = |one: &&OpenUpload| one.begun_ms.is_some_and(|at| at <= before_ms);
    let mut count = 0;
    for upload in listed.iter().filter(is_old) {
        if !is_dry_run {
            let what = format!("the upload of {} cannot be thrown away", upload.path);
            store.abort_open(upload).await.map_err(|error| failure(opened, &what, &error))?;
        }
        count += 1;
    }
    Ok(Some(count))
}

fn failure(opened: &Opened, what: &str, error: &StoreError) -> Failure {
    let reason = match error.kind {
        StoreErrorKind::Denied => Reason::PermissionDenied,
        _ => Reason::StorageUnavailable,
    };
    Failure::new(reason, format!("the target {}: {what}: {error}", opened.table.uri))
}
