//! What must hold of every replica that a test makes.

use std::collections::BTreeSet;

use deepclone_delta::validate;
use deepclone_tests::listing::Listing;
use deepclone_tests::readers;

use crate::place::Place;
use crate::table;

/// Rows equal by every reader that reads the source, and a log without violations.
/// Gives the readers that judged.
pub(crate) async fn assert_equal(source: &Place, target: &Place) -> Vec<String> {
    let (source, replica) = (source.local_copy().await, target.local_copy().await);
    let violations = validate::validate_table(&table::store(&replica.folder)).await;
    assert_eq!(violations.expect("a readable replica"), Vec::<String>::new());
    readers::assert_same_rows(source.location(), replica.location())
}

/// Only the objects, not the log and not what is ours.
pub(crate) fn objects(listing: &Listing) -> BTreeSet<String> {
    let ours = |key: &&String| !key.starts_with("_delta_log/") && !key.starts_with("_deepclone/");
    listing.keys().filter(ours).cloned().collect()
}

/// The commits of a log.
pub(crate) fn commits(listing: &Listing) -> BTreeSet<String> {
    let commit = |key: &&String| {
        key.starts_with("_delta_log/0") && key.ends_with("0.json")
            || key.starts_with("_delta_log/0") && key.len() == "_delta_log/".len() + 25
    };
    listing.keys().filter(commit).cloned().collect()
}
