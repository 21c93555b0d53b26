//! What must hold of every replica that a test makes.

use std::collections::BTreeSet;
use std::path::Path;

use deepclone_delta::validate;
use deepclone_tests::listing::Listing;
use deepclone_tests::readers;

use crate::place::Place;
use crate::table;

/// Rows equal by every reader that reads the source, and a log without violations.
/// Gives the readers that judged.
pub(crate) async fn assert_equal(source: &Place, target: &Place) -> Vec<String> {
    let (source, replica) = (source.local_copy().await, target.local_copy().await);
    assert_valid(&replica.folder).await;
    readers::assert_same_rows(source.location(), replica.location())
}

/// The objects of a table whose rows no one reads: the same bytes under the same keys, no other,
/// and a log without violations that has so many commits.
pub(crate) async fn assert_same_objects(source: &Place, target: &Place, commits_made: usize) {
    assert_valid(&target.local_copy().await.folder).await;
    let (source, target) = (source.listing().await, target.listing().await);
    assert_eq!(objects(&source), objects(&target));
    for key in objects(&source) {
        assert_eq!(source[&key], target[&key], "{key}");
    }
    assert_eq!(commits(&target).len(), commits_made, "{:?}", target.keys());
}

async fn assert_valid(replica: &Path) {
    let violations = validate::validate_table(&table::store(replica)).await;
    assert_eq!(violations.expect("a readable replica"), Vec::<String>::new());
}

/// Only the objects, not the log and not what is ours.
pub(crate) fn objects(listing: &Listing) -> BTreeSet<String> {
    let ours = |key: &&String| !key.starts_with("_delta_log/") && !key.starts_with("_deepclone/");
    listing.keys().filter(ours).cloned().collect()
}

/// The commits of a log.
pub(crate) fn commits(listing: &Listing) -> BTreeSet<String> {
    let commit = |key: &&String| {
        let name = key.strip_prefix("_delta_log/").and_then(|name| name.strip_suffix(".json"));
        name.is_some_and(|name| name.len() == 20 && name.bytes().all(|b| b.is_ascii_digit()))
    };
    listing.keys().filter(commit).cloned().collect()
}
