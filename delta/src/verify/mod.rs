//! Checks that the replica is what its last sync recorded: its log's state, its objects, and the
//! view of delta-rs.
//!
//! Flow: the replica's head names the source version that it claims to be. The source is read at
//! that version with the same filter, and live keys, sizes, protocol and metadata are compared. The
//! replica's newest checkpoint is read, and the target's objects are listed once to compare their
//! sizes. Bytes are compared on demand. At last delta-rs reads the replica.

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{DivergencePolicy, SourcePoint};

use crate::error::DeltaError;
use crate::names::replicated;
use crate::replica::{last_sync, part, refuse_other_source};
use crate::snapshot;

mod compare;
mod damage;
mod deep;
mod opinion;
mod report;
mod sample;
mod start;
mod verdict;

pub(crate) use damage::{Damage, DamageKind, damage};
pub use report::{DeepReport, Difference, DifferenceKind, SecondOpinion, VerifyReport};
pub use sample::Sample;
pub use verdict::KeptVerdict;

/// How much `verify` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Both logs, and the sizes of the target's objects.
    Sizes,
    /// The digests of all bytes, too.
    Bytes,
    /// The digests of some objects, too.
    Sample(Sample),
}

/// Compares the replica at `target` with `source` at the version that the replica claims to be.
///
/// # Errors
/// TARGET_NOT_OURS, TARGET_DIVERGED when the part that was synced is not known, SOURCE_REPLACED,
/// NOT_A_DELTA_TABLE for either side, a damaged log, a version that the source does not hold any
/// more, a storage error. Differences are no errors.
pub async fn verify(
    source: &TableStore,
    target: &TableStore,
    depth: Depth,
) -> Result<VerifyReport, DeltaError> {
    let replica = snapshot::read(target, &SourcePoint::Newest).await;
    let replica = replica.map_err(|error| error.of(Side::Target))?;
    let last = last_sync(target, &replica, DivergencePolicy::Overwrite).await?;
    let wanted = snapshot::read(source, &SourcePoint::Version(last.source_version)).await;
    let mut wanted = wanted.map_err(|error| error.of(Side::Source))?;
    refuse_other_source(source, &wanted, &last).await?;
    let predicate = part::of_last_sync(&last, None, &wanted).ok_or_else(|| unknown_part(target))?;
    part::keep_matching(&mut wanted, predicate.as_ref())?;
    let replicated = replicated(source, target, wanted.files)?;
    let replicated = replicated.with_repaired(target, &replica)?;
    wanted.files = replicated.files;

    let mut differences: Vec<Difference> = last
        .notices
        .iter()
        .map(|notice| Difference {
            kind: DifferenceKind::Diverged,
            subject: target.uri.clone(),
            detail: notice.clone(),
        })
        .collect();
    compare::files(&wanted, &replica, &mut differences);
    compare::protocol(&wanted, &replica, &mut differences);
    compare::metadata(&wanted, &replica, last.record.as_ref(), &mut differences)?;
    start::checkpoints(target, &replica, &mut differences).await?;
    let objects = compare::objects(target, &replica, &mut differences).await?;
    let deep = match depth {
        Depth::Sizes => None,
        Depth::Bytes | Depth::Sample(_) => {
            let sides = deep::Sides::new(source, target, &replicated.sources);
            let sample = match depth {
                Depth::Sample(sample) => Some(sample),
                Depth::Bytes | Depth::Sizes => None,
            };
            Some(sides.compare(&wanted, &replica, sample, &mut differences).await?)
        }
    };
    let second_opinion = opinion::judge(target, &replica, &mut differences).await;
    differences.sort();
    Ok(VerifyReport {
        source_version: wanted.version,
        replica_version: replica.version,
        files: wanted.files.len() as u64,
        objects: objects.count,
        bytes: objects.bytes,
        differences,
        second_opinion,
        deep,
    })
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
