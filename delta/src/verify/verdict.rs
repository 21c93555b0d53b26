//! The verdict of a look, kept beside the replica in `_deepclone/verdict.json`: what was found,
//! when and how deep, for those who ask later.

use deepclone_common::store::table::TableStore;
use serde::{Deserialize, Serialize};

use super::report::{Difference, UseProof, VerifyReport};
use super::sample::Sample;
use crate::error::DeltaError;
use crate::io;

const VERDICT: &str = "_deepclone/verdict.json";
/// Differences that are kept by name; of more their number is.
const DIFFERENCES_KEPT: usize = 20;

/// The verdict of the last look that was recorded. It is a note, never trusted for a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptVerdict {
    /// When it was found: milliseconds since 1970.
    pub time_ms: i64,
    /// The replica's version, and the source's that it was compared with.
    pub replica_version: u64,
    pub source_version: u64,
    /// The number of differences; 0 for a replica that is what it should be.
    pub differences: u64,
    /// Objects whose bytes were compared, and the bytes of these; none where lengths were.
    pub objects_compared: u64,
    pub bytes_compared: u64,
    /// The share of the bytes that was drawn, in millionths, and the seed; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<(u32, u64)>,
    /// The first of the differences.
    #[serde(default)]
    pub found: Vec<Difference>,
    /// Objects whose presence and length were looked at.
    #[serde(default)]
    pub objects: u64,
    /// Bytes of objects that were read: at the target, and at the source.
    #[serde(default)]
    pub target_bytes_read: u64,
    #[serde(default)]
    pub source_bytes_read: u64,
    /// What an independent reader found; `None` where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<UseProof>,
}

impl KeptVerdict {
    /// Returns the verdict of a report that was made at `time_ms`.
    #[must_use]
    pub fn of(report: &VerifyReport, time_ms: i64) -> Self {
        let deep = report.deep.unwrap_or_default();
        Self {
            time_ms,
            replica_version: report.replica_version,
            source_version: report.source_version,
            differences: report.differences.len() as u64,
            objects_compared: deep.objects,
            bytes_compared: deep.bytes,
            sample: deep.sample.map(|Sample { millionths, seed }| (millionths, seed)),
            found: report.differences.iter().take(DIFFERENCES_KEPT).cloned().collect(),
            objects: report.objects,
            target_bytes_read: deep.target_bytes_read,
            source_bytes_read: deep.source_bytes_read,
            proof: report.proof.clone(),
        }
    }

    /// Writes it beside the replica, in place of an older one.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn write(&self, target: &TableStore) -> Result<(), DeltaError> {
        io::put_json(target, VERDICT, self).await
    }

    /// Reads the last one; a damaged one counts as none.
    ///
    /// # Errors
    /// The target does not answer.
    pub async fn read(target: &TableStore) -> Result<Option<Self>, DeltaError> {
        let fetched = io::get_hint(target, VERDICT).await?;
        Ok(fetched.and_then(|fetched| serde_json::from_slice(&fetched.bytes).ok()))
    }
}
