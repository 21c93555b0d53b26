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
/// DAMAGED_LOG, or TARGET_CONFLICT for an object that the replica had before, with the object and
/// the data file; a storage error.
pub async fn check_vectors(target: &TableStore, change_set: &ChangeSet) -> Result<(), DeltaError> {
    let mut by_object: BTreeMap<&str, Vec<&NewVector>> = BTreeMap::new();
    for new in &change_set.new_vectors {
        by_object.entry(&new.object).or_default().push(new);
    }
    let checks: Vec<_> = by_object
        .into_iter()
        .map(|(object, vectors)| {
            async move {
                let checked = check_object(target, object, vectors).await;
                checked.map_err(|damage| match damage {
                    VectorDamage::Unread(error) => error,
                    VectorDamage::Found { vector, problem } => damaged(vector, &problem).into(),
                })
            }
            .boxed()
        })
        .collect();
    stream::iter(checks).buffer_unordered(OBJECTS_AT_ONCE_MAX).try_collect().await
}

/// Why an object's vectors are not known to be whole.
enum VectorDamage<'a> {
    Unread(DeltaError),
    Found { vector: &'a NewVector, problem: String },
}

/// A vector that this sync copied is the source's, byte for byte. Any other one was copied before,
/// and somebody changed it at the target since.
fn damaged(NewVector { object, file, is_copied, .. }: &NewVector, problem: &str) -> Failure {
    let (reason, whose, help) = match is_copied {
        true => (Reason::DamagedLog, "source's", "repair the source, or clone a version before it"),
        false => (Reason::TargetConflict, "replica's", "run deepclone repair --deep"),
    };
    let message =
        format!("the {whose} deletion vector of {file} in {object} is damaged: {problem}; {help}");
    Failure::new(reason, message).with("key", object).with("file", file)
}

async fn check_object<'a>(
    target: &TableStore,
    object: &str,
    vectors: Vec<&'a NewVector>,
) -> Result<(), VectorDamage<'a>> {
    let fetched = io::get(target, object, ReadBound::LOG).await.map_err(VectorDamage::Unread)?;
    let Some(fetched) = fetched else { return Ok(()) };
    for vector in vectors {
        dv::check_object(&vector.vector, &fetched.bytes)
            .map_err(|problem| VectorDamage::Found { vector, problem: problem.to_string() })?;
    }
    Ok(())
}
