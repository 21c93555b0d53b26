//! Whether delta-rs sees the same live files in the replica as we do.

use std::collections::BTreeSet;

use deepclone_common::store::table::TableStore;

use super::report::{Difference, DifferenceKind, SecondOpinion};
use crate::second_opinion;
use crate::snapshot::Snapshot;

/// Compares what delta-rs sees with `replica`, the state that we see.
pub(super) async fn judge(
    table: &TableStore,
    replica: &Snapshot,
    found: &mut Vec<Difference>,
) -> SecondOpinion {
    let theirs: BTreeSet<String> = match second_opinion::live_files(table, replica.version).await {
        Ok(theirs) => theirs.into_iter().map(|file| file.path).collect(),
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
