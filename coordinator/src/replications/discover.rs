//! Finds the tables of a replication below its source connection.
//!
//! A folder that holds a log is a table, and nothing below it is looked at. Folders whose names
//! begin with `_` or `.` are passed over, as readers of tables do.

use std::collections::BTreeSet;

use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_common::store::table::{TableStore, join};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::replication::TableSelection;
use futures::{StreamExt as _, stream};

/// Folders that are listed at once.
const LISTS_AT_ONCE_MAX: usize = 8;
/// Folders that are listed for one replication.
const FOLDERS_MAX: usize = 20_000;
/// Tables of one replication.
pub const TABLES_MAX: usize = 10_000;
const LOG_FOLDER: &str = "_delta_log";

/// Returns the paths of the tables, in order. `root` is the connection's. Folders of `known` are
/// taken for the tables that they were, and are not listed.
///
/// # Errors
/// A folder cannot be listed, or there are too many folders or tables.
pub async fn discover(
    root: &TableStore,
    selection: &TableSelection,
    known: &BTreeSet<String>,
) -> Result<Vec<String>, Failure> {
    let mut tables: Vec<String> = selection.literals().map(str::to_owned).collect();
    let mut level = outermost(&folders(selection));
    let mut listed = 0;
    while !level.is_empty() {
        let seen = level.extract_if(.., |folder| known.contains(folder));
        tables.extend(seen.filter(|table| selection.contains(table)));
        listed += level.len();
        if listed > FOLDERS_MAX {
            return Err(too_many(root, "folders", FOLDERS_MAX));
        }
        let folders = stream::iter(level).map(|folder| list(root, folder));
        let found: Vec<_> = folders.buffered(LISTS_AT_ONCE_MAX).collect().await;
        level = Vec::new();
        for folder in found {
            let Folder { path, names } = folder?;
            match names.iter().any(|name| name == LOG_FOLDER) {
                true => tables.extend(selection.contains(&path).then_some(path)),
                false => {
                    let below = names.iter().filter(|name| !name.starts_with(['_', '.']));
                    level.extend(below.map(|name| join(&path, name)));
                }
            }
        }
        if tables.len() > TABLES_MAX {
            return Err(too_many(root, "tables", TABLES_MAX));
        }
    }
    tables.sort();
    tables.dedup();
    Ok(tables)
}

/// A folder and the names of the folders in it.
struct Folder {
    path: String,
    names: Vec<String>,
}

/// The folders below which its patterns with wildcards can match; the empty path is the root.
fn folders(selection: &TableSelection) -> Vec<String> {
    let open = selection.include.iter().filter(|pattern| !pattern.is_literal());
    let parts = open.map(|pattern| pattern.as_str().split('/'));
    let above = |parts: std::str::Split<'_, char>| {
        parts.take_while(|part| !part.contains('*')).collect::<Vec<_>>().join("/")
    };
    let mut folders: Vec<String> = parts.map(above).collect();
    folders.sort();
    folders.dedup();
    folders
}

/// Without the folders that lie below another one.
fn outermost(folders: &[String]) -> Vec<String> {
    let is_below = |folder: &str, above: &str| {
        folder != above && (above.is_empty() || folder.starts_with(&format!("{above}/")))
    };
    let is_outermost = |folder: &&String| !folders.iter().any(|above| is_below(folder, above));
    folders.iter().filter(is_outermost).cloned().collect()
}

async fn list(root: &TableStore, path: String) -> Result<Folder, Failure> {
    let key = match path.as_str() {
        "" => Ok(root.root.clone()),
        path => root.key(path),
    };
    let key = key.map_err(|error| {
        let message = format!("{path:?} below {} cannot be listed: {error}", root.uri);
        Failure::new(Reason::InvalidArgument, message)
    })?;
    let list = || root.store.list_with_delimiter(Some(&key));
    let found = retrying(Patience::LOG, root.asked(StoreOperation::List), list).await;
    let found = found.map_err(|error| {
        let message = format!("the folder {path:?} below {} cannot be listed: {error}", root.uri);
        let reason = match error.kind.is_denied() {
            true => Reason::PermissionDenied,
            false => Reason::StorageUnavailable,
        };
        Failure::new(reason, message).with("key", path.clone())
    })?;
    let names = found.common_prefixes.iter().filter_map(|prefix| prefix.filename());
    Ok(Folder { names: names.map(str::to_owned).collect(), path })
}

fn too_many(root: &TableStore, what: &str, most: usize) -> Failure {
    let message = format!("more than {most} {what} below {}: name fewer by `include`", root.uri);
    Failure::new(Reason::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deepclone_core::replication::TablePattern;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt as _};

    use super::*;

    fn selection(include: &[&str], exclude: &[&str]) -> TableSelection {
        let patterns = |texts: &[&str]| -> Vec<TablePattern> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        TableSelection { include: patterns(include), exclude: patterns(exclude) }
    }

    #[tokio::test]
    async fn tables_are_found_below_their_patterns_and_nothing_below_a_table() {
        let store = Arc::new(InMemory::new());
        for key in [
            "lake/sales/orders/_delta_log/0.json",
            "lake/sales/orders/part=1/_delta_log/0.json",
            "lake/sales/eu/items/_delta_log/0.json",
            "lake/sales/tmp_x/_delta_log/0.json",
            "lake/sales/notes/readme.md",
            "lake/_hidden/t/_delta_log/0.json",
            "lake/.x/t/_delta_log/0.json",
            "lake/other/_delta_log/0.json",
            "beside/t/_delta_log/0.json",
        ] {
            store.put(&Path::from(key), "x".into()).await.unwrap();
        }
        let store: Arc<dyn ObjectStore> = store;
        let root = TableStore {
            store,
            root: Path::from("lake"),
            uri: "memory:///lake".to_owned(),
            large: None,
        };
        for (include, exclude, tables) in [
            (&["**"][..], &[][..], &["other", "sales/eu/items", "sales/orders", "sales/tmp_x"][..]),
            (&["sales/**"], &["**/tmp_*"], &["sales/eu/items", "sales/orders"]),
            (&["sales/*"], &[], &["sales/orders", "sales/tmp_x"]),
            (&["sales/*", "sales/**"], &["sales/eu/**"], &["sales/orders", "sales/tmp_x"]),
            // What is named need not exist; what is not there is no table.
            (&["not/yet", "other"], &[], &["not/yet", "other"]),
            (&["nothing/**"], &[], &[]),
        ] {
            // What was a table before is found without looking into it, where it still is.
            let before = ["sales/orders", "sales/gone", "sales/tmp_x"].map(str::to_owned);
            for known in [BTreeSet::new(), BTreeSet::from(before)] {
                let selection = selection(include, exclude);
                let found = discover(&root, &selection, &known).await.unwrap();
                assert_eq!(found, tables, "{include:?} without {exclude:?}, with {known:?}");
            }
        }
    }

    #[test]
    fn a_folder_is_searched_once() {
        let folders = folders(&selection(&["eu/*", "eu/x/**", "a/b", "eu2/**", "eu/*/z"], &[]));
        assert_eq!(folders, ["eu", "eu/x", "eu2"]);
        assert_eq!(outermost(&folders), ["eu", "eu2"]);
        assert_eq!(outermost(&[String::new(), "a".to_owned()]), [""]);
    }
}
