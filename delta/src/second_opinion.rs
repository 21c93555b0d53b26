//! What delta-rs, an independent reader, sees in the replica: for `verify` and tests.
//!
//! The only module that uses deltalake; no sync depends on it. It gets our store through a bridge
//! and knows no other, so nothing of its environment reaches the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use deepclone_common::store::redact::redact_line;
use deepclone_common::store::table::TableStore;
use deltalake::kernel::LogicalFileView;
use deltalake::{DeltaTableBuilder, DeltaTableError, ensure_table_uri};

mod bridge;

/// The table's URI for deltalake: the bridge begins at the table's folder.
const ROOT: &str = "memory:///";

/// A live file as delta-rs sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TheirFile {
    /// As it is without the log's encoding.
    pub(crate) path: String,
    pub(crate) size: u64,
    /// Records of the data object; `None` where its statistics do not say them.
    pub(crate) records: Option<u64>,
    /// Records that its deletion vector hides.
    pub(crate) hidden: u64,
}

/// Returns the live files that delta-rs sees at `version`, or why it cannot.
pub(crate) async fn live_files(
    table: &TableStore,
    version: u64,
) -> Result<BTreeSet<TheirFile>, String> {
    let table = table.clone();
    // A task of its own, so that a panic inside the library only skips the opinion.
    let opinion = tokio::spawn(async move { load(&table, version).await });
    match opinion.await {
        Ok(Ok(files)) => Ok(files),
        Ok(Err(error)) => Err(one_line(&error.to_string())),
        Err(_) => Err("delta-rs panicked".to_owned()),
    }
}

async fn load(table: &TableStore, version: u64) -> Result<BTreeSet<TheirFile>, DeltaTableError> {
    let root = ensure_table_uri(ROOT)?;
    let loaded = DeltaTableBuilder::from_url(root.clone())?
        .with_storage_backend(Arc::new(bridge::Bridge::new(table)), root)
        .with_version(version)
        .load()
        .await?;
    let files = loaded.snapshot()?.log_data();
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let file = |file: LogicalFileView| TheirFile {
        path: file.path().into_owned(),
        size: count(file.size()),
        records: file.num_records().map(|records| records as u64),
        hidden: file.deletion_vector_descriptor().map_or(0, |vector| count(vector.cardinality)),
    };
    Ok(files.into_iter().map(file).collect())
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
        let reason = live_files(&table, 0).await.unwrap_err();
        assert!(reason.contains("No files in log segment") && !reason.contains('\n'), "{reason}");
    }
}
