//! An audit: the replica is compared with what its own syncs recorded beside it, so that the
//! source is asked for nothing, neither a byte nor a request.
//!
//! Flow: the log's state, with commits of other writers → the checkpoint where readers start and
//! our hint → one listing for the objects' lengths → the ledgers, which hold the digest of every
//! object that a sync copied → the bytes of a sample → an independent reader.

use deepclone_common::store::table::TableStore;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{DivergencePolicy, SourcePoint};

use super::ledgers::Ledgers;
use super::report::{DeepReport, Difference, DifferenceKind, SecondOpinion, VerifyReport};
use super::sample::Sample;
use super::{compare, deep, ledgers, opinion, proof, start};
use crate::error::DeltaError;
use crate::log;
use crate::replica::{LastSync, hint, last_sync};
use crate::snapshot::{self, Snapshot};

/// Looks at a replica that other commits arrive at meanwhile.
const LOOKS_MAX: u32 = 3;
/// How old the last sync is before a hint that is not there counts as lost: it is written after the
/// commit.
const HINT_WRITTEN_WITHIN_MS: i64 = 60 * 1000;

/// How much an audit reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditOrder {
    /// The objects whose bytes are read, or asked for their digest; `None`: of no object.
    pub sample: Option<Sample>,
    /// The data that an independent reader proves; `None`: it is not asked.
    pub proof: Option<Sample>,
}

/// Compares the replica at `target` with what its syncs recorded, at the time `now_ms`.
///
/// # Errors
/// The target does not answer. A log that is gone or damaged is a difference.
pub async fn audit(
    target: &TableStore,
    order: AuditOrder,
    now_ms: i64,
) -> Result<VerifyReport, DeltaError> {
    for _ in 1..LOOKS_MAX {
        let report = look(target, order, now_ms).await?;
        let is_right = report.differences.is_empty();
        if is_right || log::head(target).await? == Some(report.replica_version) {
            return Ok(report);
        }
    }
    look(target, order, now_ms).await
}

async fn look(
    target: &TableStore,
    order: AuditOrder,
    now_ms: i64,
) -> Result<VerifyReport, DeltaError> {
    let replica = match snapshot::read(target, &SourcePoint::Newest).await {
        Ok(replica) => replica,
        Err(error) => return without_log(target, error),
    };
    let last = match last_sync(target, &replica, DivergencePolicy::Overwrite).await {
        Ok(last) => last,
        Err(error) => return without_log(target, error),
    };
    let mut found = Vec::new();
    state(target, (&replica, &last), now_ms, &mut found).await?;
    start::checkpoints(target, &replica, &mut found).await?;
    let objects = compare::objects(target, &replica, &mut found).await?;
    let kept = ledgers::read(target, &replica).await?;
    kept.tell(&mut found);
    kept.compare_sizes(&objects.sizes, &mut found);
    let deep = match order.sample {
        Some(sample) => Some(bytes(target, &replica, &kept, sample, &mut found).await?),
        None => None,
    };
    let (second_opinion, proof) = match order.proof {
        Some(sample) => (
            opinion::judge(target, &replica, &mut found).await,
            Some(proof::prove(target, &replica, sample, &mut found).await?),
        ),
        None => (SecondOpinion::Skipped { reason: "it was not asked".to_owned() }, None),
    };
    found.sort();
    Ok(VerifyReport {
        source_version: last.source_version,
        replica_version: replica.version,
        files: replica.files.len() as u64,
        objects: objects.count,
        bytes: objects.bytes,
        differences: found,
        second_opinion,
        deep,
        proof,
    })
}

/// Compares the log's state with the record of the last sync.
async fn state(
    target: &TableStore,
    (replica, last): (&Snapshot, &LastSync),
    now_ms: i64,
    found: &mut Vec<Difference>,
) -> Result<(), DeltaError> {
    let mut tell = |kind, subject: &str, detail: String| {
        found.push(Difference { kind, subject: subject.to_owned(), detail });
    };
    for notice in &last.notices {
        let notice = notice.trim_end_matches(": overwritten");
        tell(DifferenceKind::Diverged, &target.uri, notice.to_owned());
    }
    let Some(record) = &last.record else { return Ok(()) };
    // Commits that another engine's clean-up took away: the live files tell whether they changed
    // any.
    let synced = record.metrics.filter(|_| record.body.partition_filter.is_none());
    if let (Some(version), Some(synced)) = (last.gone, synced) {
        let bytes: u64 = replica.files.values().map(|add| add.size).sum();
        let has = (replica.files.len() as u64, bytes);
        let wanted = (synced.source_num_of_files, synced.source_table_size);
        if has != wanted {
            let detail = format!(
                "{} live files of {} bytes, the last sync recorded {} of {}; the commits from \
                 version {version} on are gone",
                has.0, has.1, wanted.0, wanted.1
            );
            tell(DifferenceKind::Diverged, &target.uri, detail);
        }
    }
    let is_settled = now_ms.saturating_sub(record.timestamp_ms) >= HINT_WRITTEN_WITHIN_MS;
    if hint::read(target).await?.is_none() && is_settled {
        let detail = "it is gone or cannot be read".to_owned();
        tell(DifferenceKind::Hint, hint::REPLICA_HINT, detail);
    }
    Ok(())
}

/// Returns the report of a replica whose log tells nothing; a store that does not answer is an
/// error.
fn without_log(target: &TableStore, error: DeltaError) -> Result<VerifyReport, DeltaError> {
    let failure = error.failure();
    let kind = match failure.reason {
        Reason::NotADeltaTable | Reason::DamagedLog => DifferenceKind::Log,
        Reason::TargetNotOurs | Reason::TargetDiverged => DifferenceKind::Diverged,
        _ => return Err(error),
    };
    let difference = Difference { kind, subject: target.uri.clone(), detail: failure.message };
    let reason = "the log cannot be read".to_owned();
    Ok(VerifyReport {
        source_version: 0,
        replica_version: 0,
        files: 0,
        objects: 0,
        bytes: 0,
        differences: vec![difference],
        second_opinion: SecondOpinion::Skipped { reason },
        deep: None,
        proof: None,
    })
}

/// Compares the digests of a sample with those of the ledgers.
async fn bytes(
    target: &TableStore,
    replica: &Snapshot,
    kept: &Ledgers,
    sample: Sample,
    found: &mut Vec<Difference>,
) -> Result<DeepReport, DeltaError> {
    let all = deep::sizes(&target.uri, replica)?;
    let bytes_total = all.values().sum();
    let mut drawn = sample.of(&all);
    // Those are named already.
    drawn.retain(|key| !found.iter().any(|difference| difference.subject == *key));
    let (compared, target_bytes_read) = kept.compare_bytes(target, &drawn, found).await?;
    Ok(DeepReport {
        objects: compared.len() as u64,
        source_bytes_read: 0,
        target_bytes_read,
        bytes: compared.iter().filter_map(|key| all.get(*key)).sum(),
        bytes_total,
        sample: Some(sample),
    })
}
