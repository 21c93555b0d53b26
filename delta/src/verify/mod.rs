//! Is the replica what its last sync says: log state, objects, and delta-rs's opinion.
//!
//! Flow: the replica's head tells which source version it claims to be; the source is read at
//! that version with the same filter; live keys, sizes, protocol and metadata are compared; the
//! replica's newest checkpoint is looked at; the target's objects are listed once and their sizes
//! compared; bytes are compared when asked for;
//! delta-rs reads the replica too.

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{DivergencePolicy, SourcePoint};

use crate::changes::{self, filter, head};
use crate::error::DeltaError;
use crate::{second_opinion, snapshot};

mod compare;
mod deep;
mod start;

pub use deep::DeepReport;

/// What `verify` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The source's version that the replica claims to be.
    pub source_version: u64,
    /// The replica's newest version.
    pub replica_version: u64,
    /// Logical files compared.
    pub files: u64,
    /// Objects whose presence and size were checked at the target.
    pub objects: u64,
    /// Bytes of the checked data objects.
    pub bytes: u64,
    /// Everything that is not as it should be; empty: the replica is right.
    pub differences: Vec<Difference>,
    /// What delta-rs says of the replica.
    pub second_opinion: SecondOpinion,
    /// What comparing bytes took; none when it was not asked for.
    pub deep: Option<DeepReport>,
}

/// How much is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Both logs, and the sizes of the target's objects.
    Sizes,
    /// Also the digests of all bytes.
    Bytes,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// The key, field or feature.
    pub subject: String,
    /// One line: what the source has, what the replica has.
    pub detail: String,
}

/// The kinds of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// A live file of the source is not live at the replica.
    FileMissing,
    /// A live file of the replica is not live at the source.
    FileUnexpected,
    /// A shared file differs in another field.
    FileDiffers,
    /// A live object is not at the target.
    ObjectMissing,
    /// An object at the target has another size than the log says.
    ObjectSize,
    /// An object holds other bytes than the source's.
    ObjectBytes,
    /// The source's object is gone, and nothing tells what its bytes were.
    ObjectUnproven,
    /// The protocol lacks something that the source's has.
    Protocol,
    /// Schema, partitioning or properties differ.
    Metadata,
    /// Readers begin with a checkpoint that is not there, or that cannot be read.
    Checkpoint,
    /// Somebody else wrote to the replica after the last sync.
    Diverged,
    /// delta-rs sees another set of files.
    SecondOpinion,
}

/// What delta-rs says of the replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondOpinion {
    /// It sees the same live files.
    Agrees,
    /// It sees others: see the differences.
    Disagrees,
    /// It cannot read this table.
    Skipped {
        /// Why, in one line.
        reason: String,
    },
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
    let last = head::last_sync(target, &replica, DivergencePolicy::Overwrite).await?;
    let wanted = snapshot::read(source, &SourcePoint::Version(last.source_version)).await;
    let mut wanted = wanted.map_err(|error| error.of(Side::Source))?;
    changes::refuse_other_source(source, &wanted, &last).await?;
    let predicate =
        filter::of_last_sync(&last, None, &wanted).ok_or_else(|| unknown_part(target))?;
    filter::keep_matching(&mut wanted, predicate.as_ref())?;
    let replicated = changes::replicated(source, target, wanted.files)?;
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
        Depth::Bytes => {
            let sides = deep::Sides::new(source, target, &replicated.sources);
            Some(sides.compare_all(&wanted, &replica, &mut differences).await?)
        }
    };
    let second_opinion = second_opinion::judge(target, &replica, &mut differences).await;
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
