//! A replica, and its source at the version that the replica claims to be.

use std::collections::BTreeMap;

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{DivergencePolicy, SourcePoint};

use crate::error::DeltaError;
use crate::names::replicated;
use crate::replica::{LastSync, last_sync, part, refuse_other_source};
use crate::snapshot::{self, Snapshot};

/// A replica, and the source at the version that it claims to be.
pub(super) struct BothSides {
    pub(super) replica: Snapshot,
    pub(super) last: LastSync,
    /// Its files have the keys of the replica.
    pub(super) wanted: Snapshot,
    /// The source's keys of objects that have another one at the target.
    pub(super) sources: BTreeMap<String, String>,
}

/// Reads the replica, and the source at the version that it claims to be.
///
/// # Errors
/// As [`verify`](super::verify) but for the objects.
pub(super) async fn both_sides(
    source: &TableStore,
    target: &TableStore,
) -> Result<BothSides, DeltaError> {
    let replica = snapshot::read(target, &SourcePoint::Newest).await;
    let replica = replica.map_err(|error| error.of(Side::Target))?;
    let last = last_sync(target, &replica, DivergencePolicy::Overwrite).await?;
    let wanted = snapshot::read(source, &SourcePoint::Version(last.source_version)).await;
    let mut wanted = wanted.map_err(|error| error.of(Side::Source))?;
    refuse_other_source(source, &wanted, &last).await?;
    let predicate = part::of_last_sync(&last, None, &wanted).ok_or_else(|| unknown_part(target))?;
    part::keep_matching(&mut wanted, predicate.as_ref())?;
    let replicated = replicated(source, target, std::mem::take(&mut wanted.files))?;
    let replicated = replicated.with_repaired(target, &replica)?;
    wanted.files = replicated.files;
    Ok(BothSides { replica, last, wanted, sources: replicated.sources })
}

fn unknown_part(target: &TableStore) -> Failure {
    Failure::new(
        Reason::TargetDiverged,
        format!(
            "the replica {} holds a part of its source, and neither its log nor its \
             _deepclone/replica.json says which any more: run clone again with the --where of \
             the last sync, then verify",
            target.uri
        ),
    )
}
