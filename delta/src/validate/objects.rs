//! Is every object that the live files name at the table, with the size that the log says?

use std::collections::BTreeMap;

use deepclone_common::store::retry::{Patience, retrying};
use deepclone_common::store::table::TableStore;
use futures::TryStreamExt;

use super::LogState;
use crate::dv;
use crate::error::DeltaError;

pub(super) async fn validate(
    table: &TableStore,
    state: &LogState,
) -> Result<Vec<String>, DeltaError> {
    let sizes = sizes(table).await?;
    let mut violations = Vec::new();
    for (key, add) in state.live.values() {
        match sizes.get(&key.path) {
            Some(size) if *size == add.size => {}
            Some(size) => violations.push(format!(
                "the object {} has {size} bytes, the log says {}",
                key.path, add.size
            )),
            None => violations.push(format!("the object {} is missing", key.path)),
        }
        let Some(vector) = &add.deletion_vector else { continue };
        let Some(path) = dv::object_path(&table.uri, vector)? else { continue };
        let least = dv::object_size_min(vector);
        if sizes.get(&path).is_none_or(|size| *size < least) {
            violations.push(format!("the object {path} is missing or shorter than {least} bytes"));
        }
    }
    Ok(violations)
}

/// Size by key relative to the table's folder: one listing.
pub(crate) async fn sizes(table: &TableStore) -> Result<BTreeMap<String, u64>, DeltaError> {
    let prefix = match table.root.as_ref() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    let list = || table.store.list(Some(&table.root)).try_collect::<Vec<_>>();
    let metas = retrying(Patience::LOG, list)
        .await
        .map_err(|error| crate::io::storage("listing", table, "", &error))?;
    Ok(metas
        .into_iter()
        .filter_map(|meta| {
            Some((meta.location.as_ref().strip_prefix(&prefix)?.to_owned(), meta.size))
        })
        .collect())
}
