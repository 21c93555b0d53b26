//! Ledgers that are lost are written again: the digest of each live object that none knows, once
//! source and target have the same.

use std::sync::atomic::AtomicU64;

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_core::spec::SourcePoint;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::deep::OBJECTS_AT_ONCE_MAX;
use super::ledgers;
use super::sides::{BothSides, both_sides};
use crate::error::DeltaError;
use crate::io;
use crate::ledger::{LedgerEntry, LedgerWriter};
use crate::snapshot;

/// Who an entry says that read the bytes.
const WORKER: &str = "repair";

/// What became of ledgers that were lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgersRestored {
    /// Objects whose digests are recorded again.
    pub objects: u64,
    /// Objects whose digests are not: the bytes differ, or are gone on one side.
    pub unproven: u64,
    /// Files that could not be read, and are gone now.
    pub removed: Vec<String>,
    /// Bytes that were read of the source.
    pub source_bytes_read: u64,
}

/// Returns how many live objects of the replica no ledger knows, and the ledgers that cannot be
/// read.
///
/// # Errors
/// The target cannot be read.
pub async fn lost_ledgers(target: &TableStore) -> Result<(u64, Vec<String>), DeltaError> {
    let replica = snapshot::read(target, &SourcePoint::Newest).await?;
    let kept = ledgers::read(target, &replica).await?;
    Ok((kept.unknown.len() as u64, kept.damaged))
}

/// Records the digests of live objects that no ledger knows in one of its own, `ledger`, and
/// removes ledgers that cannot be read. What differs from the source is not recorded.
///
/// # Errors
/// As [`verify`](super::verify); the target cannot be written.
pub async fn restore_ledgers(
    source: &TableStore,
    target: &TableStore,
    ledger: JobId,
    now_ms: i64,
) -> Result<LedgersRestored, DeltaError> {
    let (unknown, damaged) = lost_ledgers(target).await?;
    if unknown == 0 && damaged.is_empty() {
        return Ok(LedgersRestored::default());
    }
    let BothSides { replica, sources, .. } = both_sides(source, target).await?;
    let kept = ledgers::read(target, &replica).await?;
    let read = AtomicU64::new(0);
    let source_key = |key: &String| sources.get(key).unwrap_or(key).clone();
    let looks: Vec<_> = kept
        .unknown
        .iter()
        .map(|key| prove(source, target, (key, source_key(key)), now_ms, &read).boxed())
        .collect();
    let looked: Vec<Option<LedgerEntry>> =
        stream::iter(looks).buffered(OBJECTS_AT_ONCE_MAX).try_collect().await?;
    let all = looked.len() as u64;
    let proven: Vec<LedgerEntry> = looked.into_iter().flatten().collect();
    let objects = proven.len() as u64;
    let mut writer = LedgerWriter::new(target, ledger);
    writer.append(proven).await?;
    writer.finish().await?;
    for path in &kept.damaged {
        io::delete(target, path).await?;
    }
    Ok(LedgersRestored {
        objects,
        unproven: all - objects,
        removed: kept.damaged,
        source_bytes_read: read.into_inner(),
    })
}

/// Returns the entry of an object whose bytes are those of the source.
async fn prove(
    source: &TableStore,
    target: &TableStore,
    (key, source_key): (&str, String),
    now_ms: i64,
    source_read: &AtomicU64,
) -> Result<Option<LedgerEntry>, DeltaError> {
    let Some(at_target) = io::describe(target, key).await? else { return Ok(None) };
    let Some(at_source) = io::describe(source, &source_key).await? else { return Ok(None) };
    if at_target.size != at_source.size {
        return Ok(None);
    }
    let wanted = match at_source.crc64nvme {
        Some(stored) => Some(stored),
        None => io::digest(source, &source_key, source_read).await?,
    };
    let has = ledgers::digest(target, key, &AtomicU64::new(0)).await?;
    Ok(wanted.filter(|wanted| has == Some(*wanted)).map(|crc64nvme| LedgerEntry {
        key: key.to_owned(),
        size: at_target.size,
        crc64nvme,
        source_etag: at_source.etag,
        worker: WORKER.to_owned(),
        seen_ms: now_ms,
    }))
}
