//! Finds out whether there is nothing to do, before anything is replayed. The listings of both logs
//! are given; two requests follow, for the replica's head commit and the source commit that it
//! names. Finds the commit of a sync that was published before, too.

use deepclone_common::connections::Side;
use deepclone_common::store::redact::without_credentials;
use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_core::ownership::OwnerClaim;
use deepclone_core::spec::{CloneSpec, SourcePoint};

use super::sync_plan::{PublishedAlready, SourceFigures, SyncPlan, UpToDate};
use crate::error::DeltaError;
use crate::hash::hex;
use crate::log;
use crate::replica::{SyncRecord, identity, is_harmless, record_at, record_of};
use crate::snapshot::CommitDigest;

/// Commits above our last sync that may change nothing, as VACUUM's, and are read one by one.
const HARMLESS_MAX: u64 = 16;

/// Decides by the heads of the two logs, whose versions are given; `None` if both tables must be
/// read.
pub(super) async fn quick(
    (source, target): (&TableStore, &TableStore),
    spec: &CloneSpec,
    claim: Option<&OwnerClaim>,
    sync: JobId,
    (source_head, replica_head): (u64, u64),
) -> Result<Option<SyncPlan>, DeltaError> {
    let wanted = match spec.source_point {
        SourcePoint::Newest => source_head,
        SourcePoint::Version(version) if version <= source_head => version,
        SourcePoint::Version(_) | SourcePoint::Timestamp(_) => return Ok(None),
    };
    let record = head_record(target, replica_head).await;
    let Some(record) = record.map_err(|error| error.of(Side::Target))? else { return Ok(None) };
    if let Some(plan) = published(target, &record, (sync, claim)).await? {
        return Ok(Some(plan));
    }
    if claim.is_some_and(|claim| !claim.has(record.body.owner.as_ref())) {
        return Ok(None);
    }
    // One commit can be the same in two tables: of another one the ids are compared.
    let is_there = record.source_uri == without_credentials(&source.uri);
    if record.body.source_version != wanted || !is_there || !same_request(&record, spec) {
        return Ok(None);
    }
    let Some(expected) = &record.body.source_commit_sha256 else { return Ok(None) };
    let commit = CommitDigest::read(source, wanted).await;
    let commit = commit.map_err(|error| error.of(Side::Source))?;
    let same = commit.is_some_and(|commit| hex(&commit.sha256) == *expected);
    Ok(same.then(|| SyncPlan::UpToDate(up_to_date(&record, replica_head))))
}

/// Returns the result of this sync if the replica's log holds its commit: that of `newest`, the
/// record of the newest sync, or one that this names. Costs a request only for one that is named.
pub(super) async fn published(
    target: &TableStore,
    newest: &SyncRecord,
    (sync, claim): (JobId, Option<&OwnerClaim>),
) -> Result<Option<SyncPlan>, DeltaError> {
    let plan = |record: &SyncRecord| {
        SyncPlan::Published(PublishedAlready {
            source_version: record.body.source_version,
            replica_version: record.version,
            is_newest: record.version == newest.version,
            metrics: record.metrics,
        })
    };
    if newest.is_of(sync, claim) {
        return Ok(Some(plan(newest)));
    }
    let named = newest.body.earlier.iter().rev().filter(|(_, id)| **id == sync.0);
    for (version, _) in named {
        let record = record_at(target, *version).await.map_err(|error| error.of(Side::Target))?;
        if let Some(record) = record.filter(|record| record.is_of(sync, claim)) {
            return Ok(Some(plan(&record)));
        }
    }
    Ok(None)
}

/// Builds the result for a replica with the head `replica_version` that has what is asked for.
pub(super) fn up_to_date(record: &SyncRecord, replica_version: u64) -> UpToDate {
    UpToDate {
        source_version: record.body.source_version,
        replica_version,
        metrics: record.metrics.map(|metrics| SourceFigures {
            source_table_size: metrics.source_table_size,
            source_num_of_files: metrics.source_num_of_files,
        }),
    }
}

/// Returns whether the record was made for the same part of the source with the same properties.
/// Predicates are compared by their text: another spelling is recognised only with the schema.
pub(super) fn same_request(record: &SyncRecord, spec: &CloneSpec) -> bool {
    record.body.partition_filter == spec.partition_filter
        && record.body.mode == spec.mode.name()
        && record.body.settings == identity::settings(&spec.properties)
}

/// Reads the record of our sync that made the head of the replica's log, or that only commits which
/// change nothing follow.
pub(super) async fn head_record(
    target: &TableStore,
    head: u64,
) -> Result<Option<SyncRecord>, DeltaError> {
    for version in (head.saturating_sub(HARMLESS_MAX)..=head).rev() {
        let Some(commit) = log::read_commit(target, version).await? else { return Ok(None) };
        if let Some(record) = record_of(&commit) {
            return Ok(Some(record));
        }
        if !is_harmless(&commit) {
            return Ok(None);
        }
    }
    Ok(None)
}
