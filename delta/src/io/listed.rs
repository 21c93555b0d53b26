//! The objects of a whole table, in one listing of which a part is kept.

use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_common::store::table::TableStore;
use futures::TryStreamExt as _;
use object_store::{Error, ObjectMeta};

use super::storage;
use crate::error::DeltaError;

/// Lists every object below the table's folder, and keeps what `keep` makes of its key, relative to
/// the folder, and of what the listing says of it.
///
/// # Errors
/// When the store cannot be listed.
pub(crate) async fn select<T>(
    table: &TableStore,
    keep: impl Fn(&str, &ObjectMeta) -> Option<T>,
) -> Result<Vec<T>, DeltaError> {
    let prefix = match table.root.as_ref() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    let list = || async {
        let mut kept = Vec::new();
        let mut metas = table.store.list(Some(&table.root));
        while let Some(meta) = metas.try_next().await? {
            let key = meta.location.as_ref().strip_prefix(&prefix);
            kept.extend(key.and_then(|key| keep(key, &meta)));
        }
        Ok::<_, Error>(kept)
    };
    retrying(Patience::LOG, table.asked(StoreOperation::List), list)
        .await
        .map_err(|error| storage("listing", table, "", &error))
}
