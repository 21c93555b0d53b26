//! Whether what a source deleted is gone from a replica, too: when the deletion arrived, which
//! bytes are left, and what can still be read of the time before.
//!
//! Flow: the replica's records of its syncs → the first version that holds a source version of the
//! date or later ([`arrival`]) → what no version from there on needs, and is there all the same →
//! the versions before it that can still be read ([`readable`]).

mod arrival;
mod readable;
mod report;

use std::collections::BTreeSet;

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::SourcePoint;
use object_store::ObjectMeta;

use crate::error::DeltaError;
use crate::history;
use crate::io;
use crate::properties::Maintenance;
use crate::replica::{LastSync, refuse_other_source};
use crate::snapshot::{self, Snapshot, version_at_or_oldest};
use crate::vacuum::state::{self, FoundReplica, NamedSince};
use crate::vacuum::{
    KeptBecause, ListedObject, ObjectFate, Referenced, VacuumRules, is_temporary, nested_table,
};

pub use arrival::{DeletionArrival, HeldFrom, RecordedSync, arrival};
pub use report::{DeletionProof, DeletionVerdict, HiddenRows, KeysLeft, ReadableBefore};

/// Looks for what is left in the replica `target` of what its source deleted up to `before_ms`. The
/// source's own log, if it is given, tells its newest version then; else only a version that was
/// committed then or later is known to hold all.
///
/// # Errors
/// NOT_A_DELTA_TABLE for either side, TARGET_NOT_OURS, SOURCE_REPLACED, UNSUPPORTED_FEATURE, a
/// damaged log, a storage error.
pub async fn prove(
    target: &TableStore,
    source: Option<&TableStore>,
    before_ms: i64,
    allowed: &[String],
    now_ms: i64,
) -> Result<DeletionProof, DeltaError> {
    let found = state::find(target, allowed).await.map_err(|error| error.of(Side::Target))?;
    let held = match source {
        None => HeldFrom::Time(before_ms),
        Some(source) => held_from(source, &found.last, before_ms)
            .await
            .map_err(|error| error.of(Side::Source))?,
    };
    judge(target, found, held, now_ms).await.map_err(|error| error.of(Side::Target))
}

/// Finds the newest version of the source at `before_ms`. Where its log does not go back so far,
/// the oldest one that it holds is surely younger.
async fn held_from(
    source: &TableStore,
    last: &LastSync,
    before_ms: i64,
) -> Result<HeldFrom, DeltaError> {
    let newest = snapshot::read(source, &SourcePoint::Newest).await?;
    refuse_other_source(source, &newest, last).await?;
    if newest.version < last.source_version {
        let message = format!(
            "the source {} ends at version {}, and the replica was synced with version {}: it was \
             made again, and its log does not tell of the deletion",
            source.uri, newest.version, last.source_version
        );
        return Err(Failure::new(Reason::SourceReplaced, message).into());
    }
    version_at_or_oldest(source, &newest, before_ms).await.map(HeldFrom::Version)
}

async fn judge(
    target: &TableStore,
    found: FoundReplica,
    held: HeldFrom,
    now_ms: i64,
) -> Result<DeletionProof, DeltaError> {
    let records = history::history(target).await?;
    let mut proof = DeletionProof {
        version: found.state.snapshot.version,
        newest: records.first().map(RecordedSync::from),
        notices: found.last.notices.clone(),
        is_diverged: found.last.diverged,
        ..DeletionProof::default()
    };
    let Some(arrived) = arrival(&records, held) else { return Ok(proof) };
    let shown = objects(target).await?;
    let named = left(target, &found, &shown, &arrived.record, now_ms, &mut proof).await?;
    if named.version > proof.version {
        proof.notices.push(format!("version {} was published meanwhile", named.version));
    }
    hidden(target, &found.state.snapshot, &arrived.record, &shown, &mut proof).await?;
    let keys: BTreeSet<&str> = shown.iter().map(|object| object.key.as_str()).collect();
    let configuration = &found.state.snapshot.metadata.configuration;
    let kept_ms = Maintenance::of(configuration).tombstone_ms;
    proof.readable = readable::before(target, arrived.record.version, &keys).await?.map(|span| {
        let until_ms = arrived.record.timestamp_ms.saturating_add(kept_ms);
        let until_ms = (proof.hidden.rows == 0).then_some(until_ms);
        ReadableBefore { first: span.first, last: span.last, versions: span.versions, until_ms }
    });
    proof.arrived = Some(arrived);
    Ok(proof)
}

/// Lists the objects of the replica, without those of tables that lie below it.
async fn objects(target: &TableStore) -> Result<Vec<ListedObject>, DeltaError> {
    let object = |key: &str, meta: &ObjectMeta| {
        let modified_ms = meta.last_modified.timestamp_millis();
        Some(ListedObject { key: key.to_owned(), size: meta.size, modified_ms })
    };
    let mut shown = io::select(target, object).await?;
    let tables = shown.iter().filter_map(|object| nested_table(&object.key));
    let tables: BTreeSet<String> = tables.map(|folder| format!("{folder}/")).collect();
    shown.retain(|object| !tables.iter().any(|folder| object.key.starts_with(folder)));
    Ok(shown)
}

/// Counts the objects that no version from the arrival on needs.
async fn left(
    target: &TableStore,
    found: &FoundReplica,
    shown: &[ListedObject],
    arrived: &RecordedSync,
    now_ms: i64,
    proof: &mut DeletionProof,
) -> Result<NamedSince, DeltaError> {
    // Tombstones of later deletions are those of the commits that are read.
    let since = (arrived.version, i64::MAX);
    let named = NamedSince::read(target, &found.state, since, now_ms).await?;
    let columns = &found.state.snapshot.metadata.partition_columns;
    // What counts is whether an object is data, not its age.
    let rules = VacuumRules {
        removed_before_ms: i64::MAX,
        written_before_ms: i64::MAX,
        unreferenced_before_ms: i64::MAX,
        partition_columns: columns.clone(),
    };
    for object in shown {
        let said = named.references.of(&object.key);
        if is_temporary(&object.key) {
            proof.unreferenced.count(object);
            continue;
        }
        match rules.fate(object, said) {
            ObjectFate::Kept(KeptBecause::Needed | KeptBecause::NotData) => {}
            ObjectFate::Deleted(_) | ObjectFate::Kept(KeptBecause::Young) => match said {
                Some(Referenced { removed_ms: Some(_), .. }) => proof.removed.count(object),
                _ => proof.unreferenced.count(object),
            },
        }
    }
    Ok(named)
}

/// Counts the rows that deletion vectors hide in files that are there.
async fn hidden(
    target: &TableStore,
    head: &Snapshot,
    arrived: &RecordedSync,
    shown: &[ListedObject],
    proof: &mut DeletionProof,
) -> Result<(), DeltaError> {
    let point = SourcePoint::Version(arrived.version);
    let then = match snapshot::read(target, &point).await {
        Ok(then) => then,
        Err(DeltaError::Damaged { .. } | DeltaError::NotHeld(_)) => {
            let version = arrived.version;
            proof.notices.push(format!(
                "version {version} cannot be read any more: rows behind deletion vectors are \
                 counted in the newest version, later deletions included"
            ));
            head.clone()
        }
        Err(error) => return Err(error),
    };
    for object in shown {
        proof.hidden.count(object, &then);
    }
    Ok(())
}
