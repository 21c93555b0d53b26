//! New deletion vectors are read at the target before the commit: a damaged one would make readers
//! fail, or show rows that are deleted.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::change_set::{ChangeSet, NewVector};
use crate::dv;
use crate::error::DeltaError;
use crate::io::{self, ReadBound};

/// Objects that are read at once; writers keep each to a few MiB.
const OBJECTS_AT_ONCE_MAX: usize = 8;

/// Checks the size and the checksum of every vector that the commit refers to for the first time. A
/// missing object is found by the check of presence.
///
/// # Errors
/// DAMAGED_LOG with the object and the data file; a storage error.
pub async fn check_vectors(target: &TableStore, change_set: &ChangeSet) -> Result<(), DeltaError> {
    let mut by_object: BTreeMap<&str, Vec<&NewVector>> = BTreeMap::new();
    for new in &change_set.new_vectors {
        by_object.entry(&new.object).or_default().push(new);
    }
    let checks: Vec<_> = by_object
        .into_iter()
        .map(|(object, vectors)| check_object(target, object, vectors).boxed())
        .collect();
    stream::iter(checks).buffer_unordered(OBJECTS_AT_ONCE_MAX).try_collect().await
}

async fn check_object(
    target: &TableStore,
    object: &str,
    vectors: Vec<&NewVector>,
) -> Result<(), DeltaError> {
    let Some(fetched) = io::get(target, object, ReadBound::LOG).await? else { return Ok(()) };
    for NewVector { file, vector, .. } in vectors {
        dv::check_object(vector, &fetched.bytes).map_err(|problem| {
            Failure::new(
                Reason::DamagedLog,
                format!(
                    "the source's deletion vector of {file} in {object} is damaged: {problem}; \
                     repair the source, or clone a version before it"
                ),
            )
            .with("key", object)
            .with("file", file.as_str())
        })?;
    }
    Ok(())
}
