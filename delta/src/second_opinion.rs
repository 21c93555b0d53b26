//! What delta-rs sees in the replica: another reader of another hand, for `verify` and tests.
//!
//! The one place that uses deltalake, and never in the road of a sync. It gets our store through
//! a bridge and knows no other, so nothing of its environment reaches the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use deepclone_common::store::redact::redact_line;
use deepclone_common::store::table::TableStore;
use deltalake::{DeltaTableBuilder, DeltaTableError, ensure_table_uri};

use crate::snapshot::Snapshot;
use crate::verify::{Difference, DifferenceKind, SecondOpinion};

mod bridge;

/// The table's place below the bridge, which begins at the table's folder.
const ROOT: &str = "memory:///";

/// Compares what delta-rs sees with `replica`, the state that we see.
pub(crate) async fn judge(
    table: &TableStore,
    replica: &Snapshot,
    found: &mut Vec<Difference>,
) -> SecondOpinion {
    let theirs = match live_paths(table, replica.version).await {
        Ok(theirs) => theirs,
        Err(reason) => return SecondOpinion::Skipped { reason },
    };
    let ours: BTreeSet<String> = replica.files.keys().map(|key| key.path.clone()).collect();
    let before = found.len();
    let tell = |path: &String, detail: &str| Difference {
        kind: DifferenceKind::SecondOpinion,
        subject: path.clone(),
        detail: detail.to_owned(),
    };
    found.extend(ours.difference(&theirs).map(|path| tell(path, "delta-rs does not see it")));
    found.extend(theirs.difference(&ours).map(|path| tell(path, "only delta-rs sees it")));
    if found.len() == before { SecondOpinion::Agrees } else { SecondOpinion::Disagrees }
}

/// The decoded paths that delta-rs sees as live at `version`, or why it cannot.
pub(crate) async fn live_paths(
    table: &TableStore,
    version: u64,
) -> Result<BTreeSet<String>, String> {
    let table = table.clone();
    // A task of its own: a panic inside the library is a skipped opinion, not our end.
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
