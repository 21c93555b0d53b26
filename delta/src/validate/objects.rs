//! Checks that every object of the live files exists, with the size in the log.

use deepclone_common::store::table::TableStore;

use super::state::LogState;
use crate::error::DeltaError;
use crate::{dv, io};

pub(super) async fn validate(
    table: &TableStore,
    state: &LogState,
) -> Result<Vec<String>, DeltaError> {
    let sizes = io::sizes(table).await?;
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
