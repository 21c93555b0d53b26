//! Refuses a target inside another table, whose VACUUM would delete the replica's objects because
//! its log does not name them.

use deepclone_common::store::error::StoreErrorKind;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use futures::{StreamExt, TryStreamExt, stream};

use crate::error::DeltaError;
use crate::io;
use crate::paths::LOG_FOLDER;

/// Names of a log that are looked at: a log begins with its commits and checkpoints, in the order
/// that stores list.
const NAMES_MAX: usize = 1_000;

/// Refuses a target in one of the folders `above`, the nearest first, when that one is a table.
/// One request for each folder.
///
/// # Errors
/// TARGET_UNSUITABLE naming the outer table; a store that does not answer. A folder that our
/// credentials do not reach is passed over.
pub async fn refuse_inside_table(
    target: &TableStore,
    above: &[TableStore],
) -> Result<(), DeltaError> {
    let found: Vec<bool> =
        stream::iter(above).map(has_log).buffered(above.len().max(1)).try_collect().await?;
    let Some(outer) = above.iter().zip(found).find_map(|(outer, found)| found.then_some(outer))
    else {
        return Ok(());
    };
    let message = format!(
        "the target {} lies inside the table {}, whose vacuum would delete the replica: choose a \
         folder outside of it",
        target.uri, outer.uri
    );
    Err(Failure::new(Reason::TargetUnsuitable, message).with("table", outer.uri.as_str()).into())
}

async fn has_log(folder: &TableStore) -> Result<bool, DeltaError> {
    let log = io::key(folder, LOG_FOLDER)?;
    let look = || async {
        let names = folder.store.list(Some(&log)).take(NAMES_MAX);
        let found = names.try_filter(|meta| {
            std::future::ready(meta.location.filename().is_some_and(is_commit_or_checkpoint))
        });
        std::pin::pin!(found).try_next().await
    };
    match retrying(Patience::LOG, folder.asked(StoreOperation::List), look).await {
        Ok(found) => Ok(found.is_some()),
        Err(error) => match error.kind {
            StoreErrorKind::NotFound | StoreErrorKind::Denied => Ok(false),
            _ => Err(io::storage("listing", folder, LOG_FOLDER, &error)),
        },
    }
}

fn is_commit_or_checkpoint(name: &str) -> bool {
    let (version, rest) = name.split_once('.').unwrap_or((name, ""));
    let is_version = version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit());
    is_version && (rest == "json" || rest.starts_with("checkpoint."))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    #[tokio::test]
    async fn a_target_inside_a_table_is_refused_and_the_table_named() {
        for (object, outer) in [
            ("lake/_delta_log/00000000000000000000.json", Some("lake")),
            ("lake/_delta_log/00000000000000000010.checkpoint.parquet", Some("lake")),
            ("lake/sales/_delta_log/00000000000000000003.json", Some("lake/sales")),
            ("_delta_log/00000000000000000003.json", Some("")),
            ("lake/_delta_log/_last_checkpoint", None),
            ("lake/_delta_log/10.json", None),
            ("lake/_delta_log/abcdefghijklmnopqrst.json", None),
            ("lake/_delta_log/_staged_commits/x.json", None),
            ("lake/other/_delta_log/00000000000000000000.json", None),
            ("lake/sales/t/_delta_log/00000000000000000000.json", None),
            ("lake/_delta_log2/00000000000000000000.json", None),
        ] {
            let store = Arc::new(InMemory::new());
            store.put(&Path::from(object), "{}".into()).await.unwrap();
            let at = |root: &str| TableStore {
                store: Arc::clone(&store) as Arc<dyn object_store::ObjectStore>,
                root: Path::from(root),
                uri: format!("memory:///{root}"),
                large: None,
            };
            let above = [at("lake/sales"), at("lake"), at("")];
            let refused = refuse_inside_table(&at("lake/sales/t"), &above).await.err();
            let refused = refused.map(|error| error.failure());
            let named = refused.as_ref().map(|failure| failure.details["table"].clone());
            assert_eq!(named, outer.map(|root| format!("memory:///{root}")), "{object}");
            assert!(refused.is_none_or(|failure| failure.reason == Reason::TargetUnsuitable));
        }
    }
}
