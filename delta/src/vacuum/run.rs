//! One vacuum from end to end: what goes is listed, and deleted in batches.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use deepclone_common::clock::Clock;
use deepclone_common::random;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_common::store::table::TableStore;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::log_files::{self, LogAges};
use super::notice::{self, BATCH_TIME_MAX, VacuumNotice};
use super::options::{VacuumOptions, VacuumReport, VacuumedObject};
use super::ours::{self, OwnFile};
use super::rules::{DeletedKind, ListedObject, ObjectFate, VacuumAges, VacuumRules, nested_table};
use super::state::{self, NamedSince};
use crate::error::DeltaError;
use crate::io;
use crate::properties::{Maintenance, log_retention_ms};
use crate::snapshot::version_at_or_oldest;

/// Objects that are deleted between two looks at the log.
const BATCH_OBJECTS: usize = 1_000;
/// Requests for deletions that are in flight at once.
const DELETIONS_AT_ONCE_MAX: usize = 32;

/// Deletes from the replica `target` what no reader within its retention needs. `progress` is told
/// how many objects of how many are done.
///
/// # Errors
/// NOT_A_DELTA_TABLE, TARGET_NOT_OURS, UNSUPPORTED_FEATURE, TARGET_BUSY beside another vacuum,
/// INVALID_ARGUMENT for a retention that is too short, a damaged log, a storage error with the key
/// that could not be deleted. What is needed is there in each case.
pub async fn vacuum(
    target: &TableStore,
    options: &VacuumOptions,
    clock: &Clock,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<VacuumReport, DeltaError> {
    let now_ms = clock.now_ms();
    let found = state::find(target, &options.allowed_features).await?;
    let snapshot = &found.state.snapshot;
    let table_ms = Maintenance::of(&snapshot.metadata.configuration).tombstone_ms;
    let kept_ms = options.kept_ms(table_ms)?;
    let columns = &snapshot.metadata.partition_columns;
    let ages = VacuumAges::of(table_ms, kept_ms, options.unreferenced_kept_min);
    let rules = VacuumRules::at(now_ms, ages, columns);
    let oldest = version_at_or_oldest(target, snapshot, rules.removed_before_ms).await?;
    let since = (oldest, rules.removed_before_ms);
    let mut named = NamedSince::read(target, &found.state, since, now_ms).await?;
    named.catch_up(target, now_ms).await?;
    let mut objects = candidates(target, &rules, &named).await?;
    if options.with_log {
        let configuration = &snapshot.metadata.configuration;
        if let Some(log_ms) = log_retention_ms(configuration) {
            let before_ms = now_ms.saturating_sub(log_ms.max(kept_ms));
            // The record of our last sync stays.
            let oldest_kept = found.last.at.map_or(oldest, |at| at.min(oldest));
            let sidecars_before_ms = before_ms.min(rules.unreferenced_before_ms);
            let ages = LogAges { oldest_kept, before_ms, sidecars_before_ms };
            objects.extend(log_files::behind(target, ages).await?);
        }
    }
    let mut report = VacuumReport {
        version: named.version,
        oldest_kept: oldest,
        retention_ms: kept_ms,
        unreferenced_before_ms: rules.unreferenced_before_ms,
        objects,
    };
    if !options.dry_run && !report.objects.is_empty() {
        notice::refuse_second(target, now_ms).await?;
        let deleted = delete_all(target, report.objects, &mut named, clock, progress).await;
        // Also after a failure, so that the next vacuum need not wait.
        let withdrawn = notice::withdraw(target).await;
        (report.objects, report.version) = (deleted?, named.version);
        withdrawn?;
    }
    Ok(report)
}

/// What the listing shows, as far as it matters.
enum Shown {
    Gone(VacuumedObject),
    /// A ledger, which goes if none of its digests is needed.
    Ledger(VacuumedObject),
    /// A folder that holds another table.
    Table(String),
}

/// Lists the table, and judges each object. Returns what goes, by key.
async fn candidates(
    target: &TableStore,
    rules: &VacuumRules,
    named: &NamedSince,
) -> Result<Vec<VacuumedObject>, DeltaError> {
    let judge = |key: &str, meta: &ObjectMeta| {
        if let Some(folder) = nested_table(key) {
            return Some(Shown::Table(folder.to_owned()));
        }
        let modified_ms = meta.last_modified.timestamp_millis();
        let object = ListedObject { key: key.to_owned(), size: meta.size, modified_ms };
        let gone =
            |kind| VacuumedObject { key: key.to_owned(), size: meta.size, modified_ms, kind };
        if let Some(file) = ours::own_file(key) {
            return rules.is_abandoned(&object).then(|| match file {
                OwnFile::Temporary => Shown::Gone(gone(DeletedKind::Temporary)),
                OwnFile::Ledger => Shown::Ledger(gone(DeletedKind::Ledger)),
            });
        }
        match rules.fate(&object, named.references.of(key)) {
            ObjectFate::Deleted(kind) => Some(Shown::Gone(gone(kind))),
            ObjectFate::Kept(_) => None,
        }
    };
    let (mut gone, mut ledgers, mut tables) = (Vec::new(), Vec::new(), BTreeSet::new());
    for shown in io::select(target, judge).await? {
        match shown {
            Shown::Gone(object) => gone.push(object),
            Shown::Ledger(object) => ledgers.push(object),
            Shown::Table(folder) => drop(tables.insert(format!("{folder}/"))),
        }
    }
    gone.retain(|object| !tables.iter().any(|folder| object.key.starts_with(folder)));
    if !ledgers.is_empty() {
        let useful = ours::useful_ledgers(target, &named.references).await?;
        gone.extend(ledgers.into_iter().filter(|ledger| !useful.contains(&ledger.key)));
    }
    gone.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(gone)
}

/// Deletes the objects in batches. Returns those that nothing has named meanwhile.
async fn delete_all(
    target: &TableStore,
    objects: Vec<VacuumedObject>,
    named: &mut NamedSince,
    clock: &Clock,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Vec<VacuumedObject>, DeltaError> {
    let total = objects.len() as u64;
    let mut notice = VacuumNotice::new(random::uuid());
    let mut deleted = Vec::with_capacity(objects.len());
    let mut done = 0;
    for batch in objects.chunks(BATCH_OBJECTS) {
        notice.announce(target, clock.now_ms()).await?;
        named.catch_up(target, clock.now_ms()).await?;
        let unneeded = batch.iter().filter(|object| !named.references.needs(&object.key));
        let kept = delete_batch(target, unneeded.clone().cloned().collect()).await?;
        deleted.extend(unneeded.filter(|object| !kept.contains(&object.key)).cloned());
        done += batch.len() as u64;
        progress(done, total);
    }
    Ok(deleted)
}

/// Deletes one batch. Returns the keys that hold another object by now.
async fn delete_batch(
    target: &TableStore,
    batch: Vec<VacuumedObject>,
) -> Result<HashSet<String>, DeltaError> {
    let deletions = batch.into_iter().map(|object| delete(target, object));
    let all = stream::iter(deletions).buffer_unordered(DELETIONS_AT_ONCE_MAX);
    let kept = all.try_filter_map(async |kept| Ok(kept)).try_collect();
    match tokio::time::timeout(BATCH_TIME_MAX, kept).await {
        Ok(kept) => kept,
        Err(_) => {
            let message = "the store takes too long for deletions: try again later";
            let error = StoreError::new(StoreErrorKind::TimedOut, message);
            Err(io::storage("deleting", target, "", &error))
        }
    }
}

/// Deletes an object. A request whose answer was lost is not repeated blindly: meanwhile a sync may
/// have written another object under the key, which is returned then.
async fn delete(target: &TableStore, object: VacuumedObject) -> Result<Option<String>, DeltaError> {
    let key = io::key(target, &object.key)?;
    let is_repeated = AtomicBool::new(false);
    let attempt = || async {
        if is_repeated.swap(true, Ordering::Relaxed) {
            let there = target.store.head(&key).await?;
            if there.last_modified.timestamp_millis() != object.modified_ms {
                return Ok(true);
            }
        }
        target.store.delete(&key).await.map(|()| false)
    };
    match retrying(Patience::LOG, target.asked(StoreOperation::Delete), attempt).await {
        Ok(is_another) => Ok(is_another.then_some(object.key)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::storage("deleting", target, &object.key, &error)),
    }
}
