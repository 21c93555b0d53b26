//! What goes of our own folder beside a replica, `_deepclone`: temporary files of copies and
//! checks, and ledgers none of whose digests is of an object that is kept.

use std::collections::{HashMap, HashSet};

use deepclone_common::store::table::TableStore;

use super::references::References;
use crate::error::DeltaError;
use crate::ledger;

/// What a file of ours is, as far as a vacuum deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnFile {
    /// Of a copy to a disk, a check of a connection, or a trial of a target.
    Temporary,
    Ledger,
}

/// Returns what the file `key` is; `None` for one that is kept.
pub(super) fn own_file(key: &str) -> Option<OwnFile> {
    let name = key.strip_prefix("_deepclone/")?;
    match name.split_once('/') {
        Some(("ledger", file)) if file.ends_with(".parquet") => Some(OwnFile::Ledger),
        Some(("tmp", _)) => Some(OwnFile::Temporary),
        Some((folder, _)) if folder.starts_with("doctor-") => Some(OwnFile::Temporary),
        None if name.starts_with("probe-") => Some(OwnFile::Temporary),
        _ => None,
    }
}

/// Returns whether the key is that of a temporary file of ours.
pub(crate) fn is_temporary(key: &str) -> bool {
    own_file(key) == Some(OwnFile::Temporary)
}

/// Finds the ledgers that hold the newest digest of an object that is kept.
pub(super) async fn useful_ledgers(
    target: &TableStore,
    references: &References,
) -> Result<HashSet<String>, DeltaError> {
    let files = ledger::files(target).await?;
    let mut newest: HashMap<String, (i64, usize)> = HashMap::new();
    for (index, file) in files.iter().enumerate() {
        for entry in ledger::entries(target, &file.path).await? {
            let is_newer =
                newest.get(&entry.key).is_none_or(|(seen_ms, _)| *seen_ms < entry.seen_ms);
            if is_newer && references.needs(&entry.key) {
                newest.insert(entry.key, (entry.seen_ms, index));
            }
        }
    }
    let useful: HashSet<usize> = newest.into_values().map(|(_, index)| index).collect();
    let path =
        |(index, file): (usize, ledger::LedgerFile)| useful.contains(&index).then_some(file.path);
    Ok(files.into_iter().enumerate().filter_map(path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_our_folder_only_what_is_known_goes() {
        for (key, expect) in [
            ("_deepclone/replica.json", None),
            ("_deepclone/synced.json", None),
            ("_deepclone/vacuum.json", None),
            ("_deepclone/later/x", None),
            ("_deepclone/ledger/job/0000.parquet", Some(OwnFile::Ledger)),
            ("_deepclone/ledger/job/other", None),
            ("_deepclone/tmp/x", Some(OwnFile::Temporary)),
            ("_deepclone/doctor-1/a", Some(OwnFile::Temporary)),
            ("_deepclone/probe-1", Some(OwnFile::Temporary)),
            ("x/_deepclone/tmp/x", None),
            ("tmp/x", None),
        ] {
            assert_eq!(own_file(key), expect, "{key}");
        }
    }
}
