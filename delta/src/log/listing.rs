//! What the log's folder holds, found with as few requests as is safe.
//!
//! The hint `_last_checkpoint` bounds one listing. Neither is trusted: a listing that starts at the
//! hint must show a whole checkpoint, and stores that do not sort their listings lose keys when a
//! start is given, so a HEAD request asks for the commit after the newest one. If either check
//! fails, the whole folder is listed.

use deepclone_common::store::table::TableStore;
use object_store::ObjectMeta;
use serde::Deserialize;

use super::names::{LAST_CHECKPOINT, commit_path, log_path};
use super::segment::{CheckpointFiles, Gap, Listing, LogEntry, LogSegment};
use crate::error::DeltaError;
use crate::io;
use crate::paths::LOG_FOLDER;

/// Finds the files that give the version `upto`, or the newest version.
///
/// # Errors
/// When there is no log, a commit of it is missing, it does not hold the version, or the store does
/// not answer.
pub async fn list(table: &TableStore, upto: Option<u64>) -> Result<LogSegment, DeltaError> {
    let hint = hint(table).await?;
    at_hint(table, hint, upto).await
}

/// Like [`list`] of the newest version, of a log that was not read before: a short log is listed
/// while the hint is read.
///
/// # Errors
/// As [`list`].
pub(crate) async fn list_first(table: &TableStore) -> Result<LogSegment, DeltaError> {
    let few = io::list_few(table, LOG_FOLDER, PAGE);
    let (few, hint) = futures::future::join(few, hint(table)).await;
    let hint = hint?;
    let Some(few) = few? else { return at_hint(table, hint, None).await };
    let mut found = of_files(few);
    if let Some(newest) = found.newest()
        && hint.is_some()
    {
        found = proved(table, found, newest).await?;
    }
    segment(table, at_least(found, hint, None), None)
}

async fn at_hint(
    table: &TableStore,
    hint: Option<u64>,
    upto: Option<u64>,
) -> Result<LogSegment, DeltaError> {
    let seen = match bounded(table, hint, upto).await? {
        Bounded::Whole(listing) => match listing.segment(upto) {
            Ok(segment) => return Ok(segment),
            // The start of the listing may have hidden it.
            Err(_) => None,
        },
        Bounded::Short { seen } => seen,
    };
    segment(table, at_least(whole(table, seen).await?, hint, upto), upto)
}

/// Leaves out the commits that a listing from the hint would: the time of a commit follows from
/// those listed before it, and must not depend on the way they were found.
fn at_least(mut listing: Listing, hint: Option<u64>, upto: Option<u64>) -> Listing {
    let starts = |version: u64| {
        hint.is_some_and(|hint| hint <= version) && upto.is_none_or(|upto| version <= upto)
    };
    if listing.checkpoints.iter().any(|found| starts(found.version)) {
        listing.commits.retain(|version, _| Some(*version) >= hint);
    }
    listing
}

/// Like [`list`], without the hint, so that older checkpoints and commits are found too.
///
/// # Errors
/// As [`list`].
pub async fn list_whole(table: &TableStore, upto: Option<u64>) -> Result<LogSegment, DeltaError> {
    segment(table, whole(table, None).await?, upto)
}

/// Finds the newest version that the log holds; `None` when there is no log.
///
/// # Errors
/// When the store does not answer, or its listing leaves out what is there.
pub async fn head(table: &TableStore) -> Result<Option<u64>, DeltaError> {
    let hint = hint(table).await?;
    let listing = match bounded(table, hint, None).await? {
        Bounded::Whole(listing) => listing,
        Bounded::Short { seen } => whole(table, seen).await?,
    };
    Ok(listing.newest())
}

/// Returns whether the log holds a whole checkpoint of `version` or a newer one.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn has_checkpoint_from(
    table: &TableStore,
    version: u64,
) -> Result<bool, DeltaError> {
    let listing = listing(table, Some(version)).await?;
    Ok(listing.checkpoints.iter().any(|found| found.version >= version))
}

/// Lists the files of `version` and later ones. All of the log is listed where that shows none, or
/// leaves out what is there.
pub(super) async fn from(table: &TableStore, version: u64) -> Result<Listing, DeltaError> {
    let found = listing(table, Some(version)).await?;
    let Some(newest) = found.newest() else { return whole(table, None).await };
    proved(table, found, newest).await
}

/// Returns the listing if the commit after its newest is absent, else that of the whole log.
async fn proved(table: &TableStore, found: Listing, newest: u64) -> Result<Listing, DeltaError> {
    let next = newest.saturating_add(1);
    match io::exists(table, &commit_path(next)).await {
        Ok(false) => Ok(found),
        Ok(true) => whole(table, Some(next)).await,
        // Some stores deny what is absent to those who may not list all.
        Err(DeltaError::Storage { denied: true, .. }) => whole(table, None).await,
        Err(error) => Err(error),
    }
}

/// What S3 lists by one request.
const PAGE: usize = 1000;

/// The files of a log from a known commit on.
#[derive(Clone, Debug)]
pub(crate) struct SinceVersion {
    /// The known commit's file.
    pub(crate) known: LogEntry,
    /// The newer commits, oldest first, none missing.
    pub(crate) newer: Vec<(u64, LogEntry)>,
    /// Whole checkpoints of the known version and newer ones, the newest first.
    pub(crate) checkpoints: Vec<CheckpointFiles>,
}

/// Logs below this version are listed without a start, for they are short: then no store leaves out
/// what is there.
const YOUNG: u64 = 250;

/// Lists the files of `version` and later ones; `None` when the log does not show that commit or
/// lacks a newer one, and when the listing leaves out what is there.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn since(
    table: &TableStore,
    version: u64,
) -> Result<Option<SinceVersion>, DeltaError> {
    let start = (version >= YOUNG).then_some(version);
    let Listing { mut commits, mut checkpoints } = listing(table, start).await?;
    checkpoints.retain(|found| found.version >= version);
    let mut newer = commits.split_off(&version).into_iter();
    let Some((_, known)) = newer.next().filter(|(first, _)| *first == version) else {
        return Ok(None);
    };
    let newer: Vec<_> = newer.collect();
    let newest = version + newer.len() as u64;
    let is_whole = (version + 1..=newest).eq(newer.iter().map(|(version, _)| *version))
        && checkpoints.first().is_none_or(|found| found.version <= newest);
    let is_newest = match start {
        None => true,
        Some(_) => match io::exists(table, &commit_path(newest + 1)).await {
            Ok(exists) => !exists,
            // Some stores deny what is absent to those who may not list all.
            Err(DeltaError::Storage { denied: true, .. }) => false,
            Err(error) => return Err(error),
        },
    };
    Ok((is_whole && is_newest).then_some(SinceVersion { known, newer, checkpoints }))
}

/// The result of a listing that starts at the hint.
enum Bounded {
    /// It shows a checkpoint and all that is newer.
    Whole(Listing),
    /// There is no hint, or the listing shows too little; `seen` is a commit that it leaves out.
    Short { seen: Option<u64> },
}

async fn bounded(
    table: &TableStore,
    hint: Option<u64>,
    upto: Option<u64>,
) -> Result<Bounded, DeltaError> {
    let short = Bounded::Short { seen: None };
    let Some(hint) = hint.filter(|hint| upto.is_none_or(|upto| upto >= *hint)) else {
        return Ok(short);
    };
    let listing = listing(table, Some(hint)).await?;
    let starts = |version: u64| upto.is_none_or(|upto| version <= upto);
    if !listing.checkpoints.iter().any(|found| starts(found.version)) {
        return Ok(short);
    }
    let next = listing.newest().and_then(|newest| newest.checked_add(1));
    let (None, Some(next)) = (upto, next) else { return Ok(Bounded::Whole(listing)) };
    match io::exists(table, &commit_path(next)).await {
        Ok(false) => Ok(Bounded::Whole(listing)),
        Ok(true) => Ok(Bounded::Short { seen: Some(next) }),
        // Some stores deny what is absent to those who may not list all.
        Err(DeltaError::Storage { denied: true, .. }) => Ok(short),
        Err(error) => Err(error),
    }
}

/// Lists the whole folder, and refuses a listing that leaves out the commit `seen`.
async fn whole(table: &TableStore, seen: Option<u64>) -> Result<Listing, DeltaError> {
    let listing = listing(table, None).await?;
    match seen {
        Some(seen) if listing.newest().is_none_or(|newest| newest < seen) => {
            let problem = "it is there, but the store's listing of the log leaves it out";
            Err(DeltaError::damaged(commit_path(seen), problem))
        }
        _ => Ok(listing),
    }
}

/// Reads the version that `_last_checkpoint` names; `None` when it is absent or no JSON.
pub(crate) async fn hint(table: &TableStore) -> Result<Option<u64>, DeltaError> {
    #[derive(Deserialize)]
    struct Hint {
        version: u64,
    }
    let found = io::get_hint(table, &log_path(LAST_CHECKPOINT)).await?;
    Ok(found
        .and_then(|found| serde_json::from_slice::<Hint>(&found.bytes).ok())
        .map(|hint| hint.version))
}

async fn listing(table: &TableStore, from: Option<u64>) -> Result<Listing, DeltaError> {
    // The number alone sorts before every file name of the version.
    let after = from.map(|version| format!("{version:020}"));
    Ok(of_files(io::list(table, LOG_FOLDER, after.as_deref()).await?))
}

fn of_files(found: Vec<(String, ObjectMeta)>) -> Listing {
    Listing::new(found.into_iter().map(|(name, meta)| LogEntry {
        name,
        size: meta.size,
        modified_ms: meta.last_modified.timestamp_millis(),
        etag: meta.e_tag,
    }))
}

fn segment(
    table: &TableStore,
    listing: Listing,
    upto: Option<u64>,
) -> Result<LogSegment, DeltaError> {
    listing.segment(upto).map_err(|gap| match gap {
        Gap::Nothing => DeltaError::NotATable { uri: table.uri.clone() },
        Gap::Missing(name) => DeltaError::damaged(log_path(&name), "it is missing"),
        Gap::NotHeld(held) => DeltaError::NotHeld(format!(
            "version {} is not held by the log of {}: it holds {held}",
            upto.unwrap_or_default(),
            table.uri
        )),
    })
}
