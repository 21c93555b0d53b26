//! What delta-rs, an independent reader, sees in the replica: for `verify` and tests.
//!
//! The only module that uses deltalake; no sync depends on it. It gets our store through a bridge
//! and knows no other, so nothing of its environment reaches the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use deepclone_common::store::redact::redact_line;
use deepclone_common::store::table::TableStore;
use deltalake::{DeltaTableBuilder, DeltaTableError, ensure_table_uri};

mod bridge;

/// The table's URI for deltalake: the bridge begins at the table's folder.
const ROOT: &str = "memory:///";

/// Returns the decoded paths that delta-rs sees as live at `version`, or why it cannot.
pub(crate) async fn live_paths(
    table: &TableStore,
    version: u64,
) -> Result<BTreeSet<String>, String> {
    let table = table.clone();
    // A task of its own, so that a panic inside the library only skips the opinion.
    let opinion = tokio::spawn(async move { load(&table, version).await });
    match opinion.await {
        Ok(Ok(paths)) => Ok(paths),
        Ok(Err(error)) => Err(one_line(&error.to_string())),
        Err(_) => Err("delta-rs panicked".to_owned()),
    }
}

async fn load(table: &TableStore, version: u64) -> Result<BTreeSet<String>, DeltaTableError> {
    let root = ensure_table_uri(ROOT)?;
    let loaded = DeltaTableBuilder::from_url(root.clone())?
        .with_storage_backend(Arc::new(bridge::Bridge::new(table)), root)
        .with_version(version)
        .load()
        .await?;
    let files = loaded.snapshot()?.log_data();
    Ok(files.into_iter().map(|file| file.path().into_owned()).collect())
}

fn one_line(text: &str) -> String {
    redact_line(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    #[tokio::test]
    async fn a_table_that_delta_rs_cannot_read_is_told_in_one_line() {
        let (store, root) = (Arc::new(InMemory::new()), Path::from("t"));
        let table = TableStore { store, root, uri: "memory:///t".to_owned(), large: None };
        let reason = live_paths(&table, 0).await.unwrap_err();
        assert!(reason.contains("No files in log segment") && !reason.contains('\n'), "{reason}");
    }
}
