//! The checks of a folder on this machine's disk.

use std::path::Path;

use deepclone_core::failure::Failure;

use super::check::Check;
use crate::connections::{Connections, Resolved};
use crate::local_folder::LocalFolder;

/// Reads the folder's names.
pub(super) fn list(folder: &LocalFolder) -> Check {
    match std::fs::read_dir(folder.path()) {
        Ok(_) => Check::ok("list", "the folder can be read"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Check::skipped("list", "the folder is not there yet")
        }
        Err(error) => {
            let message = format!("{}: {error}", folder.path().display());
            let reason = deepclone_core::reason::Reason::PermissionDenied;
            Check::failed("list", reason, message, "let this user read the folder")
        }
    }
}

/// Tries the folder as a sync does before it writes, and which names it keeps apart.
pub(super) async fn write(
    connections: &Connections,
    found: &Resolved,
    folder: &LocalFolder,
) -> Vec<Check> {
    let ours = folder.path().join("_deepclone");
    // The deepest first.
    let missing: Vec<&Path> = ours.ancestors().take_while(|folder| !folder.exists()).collect();
    let Resolved { connection, fingerprint, root, .. } = found;
    let linked = connections.probe_target(connection, fingerprint, root).await;
    let mut checks = match linked {
        Ok(_) => vec![
            Check::ok("write", "files are written and removed"),
            Check::ok("put-if-absent", "hard links: no file is replaced, none is seen in part"),
        ],
        Err(Failure { reason, message, .. }) => {
            vec![Check::failed("put-if-absent", reason, message, "")]
        }
    };
    if checks.len() > 1 {
        checks.push(names(connections, found).await);
        checks.push(Check::ok(
            "checksums",
            "a file's proof is its length: --verify read-back, or verify --deep, proves its bytes",
        ));
    }
    for made in missing {
        // One that is not empty stays.
        let _kept = std::fs::remove_dir(made);
    }
    checks
}

async fn names(connections: &Connections, found: &Resolved) -> Check {
    let Resolved { connection, fingerprint, root, .. } = found;
    let met = match connections.probe_names(connection, fingerprint, root).await {
        Ok(met) => met,
        Err(Failure { reason, message, .. }) => {
            return Check::failed("names", reason, message, "");
        }
    };
    let advice = "tables with names that differ in that alone are refused: use another file system \
                  for those";
    match (met.by_case, met.by_form) {
        (false, false) => Check::ok("names", "names that differ are kept apart"),
        (true, false) => Check::warn("names", "upper and lower case are one name", advice),
        (_, true) => Check::warn("names", "two forms of a Unicode letter are one name", advice),
    }
}
