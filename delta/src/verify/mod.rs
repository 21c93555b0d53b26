//! Checks that the replica is what its last sync recorded: its log's state, its objects, and the
//! view of delta-rs.
//!
//! Flow: the replica's head names the source version that it claims to be. The source is read at
//! that version with the same filter, and live keys, sizes, protocol and metadata are compared. The
//! replica's newest checkpoint is read, and the target's objects are listed once to compare their
//! sizes. Bytes are compared on demand. At last delta-rs reads the replica.
//!
//! An [`audit`] asks the replica alone, against what its syncs recorded.

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;

use crate::error::DeltaError;
use crate::snapshot;

mod audit;
mod compare;
mod damage;
mod deep;
mod ledgers;
mod opinion;
mod proof;
mod report;
mod restore;
mod rows;
mod sample;
mod sides;
mod start;
mod verdict;

pub use audit::{AuditOrder, audit};
pub(crate) use damage::{Damage, DamageKind, damage};
pub use proof::PROOF_MILLIONTHS;
pub use report::{
    DeepReport, Difference, DifferenceKind, ProofFigures, SecondOpinion, UseProof, VerifyReport,
};
pub use restore::{LedgersRestored, lost_ledgers, restore_ledgers};
pub use sample::Sample;
pub use verdict::KeptVerdict;

use sides::{BothSides, both_sides};

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
    let BothSides { replica, last, wanted, sources } = both_sides(source, target).await?;
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
            let sides = deep::Sides::new(source, target, &sources);
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
        proof: None,
    })
}

/// Adds to a report what an independent reader finds in the data that `sample` draws, of the
/// version that the report is about.
///
/// # Errors
/// The target cannot be read.
pub async fn prove_use(
    target: &TableStore,
    sample: Sample,
    report: &mut VerifyReport,
) -> Result<(), DeltaError> {
    let point = SourcePoint::Version(report.replica_version);
    let replica = snapshot::read(target, &point).await?;
    report.proof = Some(proof::prove(target, &replica, sample, &mut report.differences).await?);
    report.differences.sort();
    Ok(())
}
