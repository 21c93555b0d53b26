//! What the log's folder holds, by as few requests as the store's habits allow.
//!
//! The hint `_last_checkpoint` bounds one listing. Neither is believed: a listing that starts at
//! the hint must show a whole checkpoint, and stores that do not sort their listings lose keys when
//! a start is given, so the commit after the newest one is asked for by name. Where either fails,
//! the folder is listed again from its beginning.

use deepclone_common::store::table::TableStore;
use serde::Deserialize;

use super::names::{LAST_CHECKPOINT, commit_path, log_path};
use super::segment::{Gap, Listing, LogEntry, LogSegment};
use crate::error::DeltaError;
use crate::io;
use crate::paths::LOG_FOLDER;

/// The files that give the version `upto`, or the newest one.
///
/// # Errors
/// No log, a hole in it, a version that it does not hold, or a store that does not answer.
pub async fn list(table: &TableStore, upto: Option<u64>) -> Result<LogSegment, DeltaError> {
    let seen = match bounded(table, upto).await? {
        Bounded::Whole(listing) => match listing.segment(upto) {
            Ok(segment) => return Ok(segment),
            // The start may have hidden it.
            Err(_) => None,
        },
        Bounded::Short { seen } => seen,
    };
    segment(table, whole(table, seen).await?, upto)
}

/// Like [`list`], without the hint: older checkpoints and commits are seen too.
///
/// # Errors
/// As [`list`].
pub async fn list_whole(table: &TableStore, upto: Option<u64>) -> Result<LogSegment, DeltaError> {
    segment(table, whole(table, None).await?, upto)
}

/// The newest version that the log holds, or `None` when there is no log.
///
/// # Errors
/// When the store does not answer, or its listing leaves out what is there.
pub async fn head(table: &TableStore) -> Result<Option<u64>, DeltaError> {
    let listing = match bounded(table, None).await? {
        Bounded::Whole(listing) => listing,
        Bounded::Short { seen } => whole(table, seen).await?,
    };
    Ok(listing.newest())
}

/// True when the log holds a whole checkpoint of `version` or a newer one.
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

/// What a listing from the hint on amounts to.
enum Bounded {
    /// It shows a checkpoint and all that is newer.
    Whole(Listing),
    /// There is no hint, or the listing shows too little; `seen` is a commit that it leaves out.
    Short { seen: Option<u64> },
}

async fn bounded(table: &TableStore, upto: Option<u64>) -> Result<Bounded, DeltaError> {
    let short = Bounded::Short { seen: None };
    let Some(hint) = hint(table).await?.filter(|hint| upto.is_none_or(|upto| upto >= *hint)) else {
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

/// All of the folder; a listing that leaves out the commit `seen` cannot be used.
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

/// The version that `_last_checkpoint` names, if it is there and makes sense.
pub(crate) async fn hint(table: &TableStore) -> Result<Option<u64>, DeltaError> {
    #[derive(Deserialize)]
    struct Hint {
        version: u64,
    }
    let found = io::get(table, &log_path(LAST_CHECKPOINT)).await?;
    Ok(found
        .and_then(|found| serde_json::from_slice::<Hint>(&found.bytes).ok())
        .map(|hint| hint.version))
}

async fn listing(table: &TableStore, from: Option<u64>) -> Result<Listing, DeltaError> {
    // Every file of the version comes after its number alone.
    let after = from.map(|version| format!("{version:020}"));
    let found = io::list(table, LOG_FOLDER, after.as_deref()).await?;
    Ok(Listing::new(found.into_iter().map(|(name, meta)| LogEntry {
        name,
        size: meta.size,
        modified_ms: meta.last_modified.timestamp_millis(),
    })))
}

fn segment(
    table: &TableStore,
    listing: Listing,
    upto: Option<u64>,
) -> Result<LogSegment, DeltaError> {
    listing.segment(upto).map_err(|gap| match gap {
        Gap::Nothing => DeltaError::NotATable { uri: table.uri.clone() },
        Gap::Missing(name) => DeltaError::damaged(log_path(&name), "it is missing"),
        Gap::NotHeld(oldest, newest) => DeltaError::Invalid(format!(
            "version {} is not held by the log of {}: it holds {oldest} to {newest}",
            upto.unwrap_or_default(),
            table.uri
        )),
    })
}
