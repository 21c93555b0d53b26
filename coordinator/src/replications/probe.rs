//! Asks the sources of a replication what they have: which tables there are, and how far each
//! replica is behind; and the targets of those without news whether their replicas are still there.
//! It moves no data, and takes two requests at either side for a table without news.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::replication::TableSelection;
use deepclone_core::spec::SourcePoint;
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::log::{self, CommitFile};
use deepclone_delta::snapshot;
use futures::{StreamExt as _, stream};

use super::discover::discover;
use super::presence::{KnownSync, Presence, presence};
use crate::effects::{Context, guarded, in_time};

/// Tables whose logs are read at once.
const TABLES_AT_ONCE_MAX: usize = 16;
/// How long the sources of a replication may take to answer.
const PROBE_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// What the sources are asked.
#[derive(Clone, Debug)]
pub struct ProbeOrder {
    /// The names of the two connections.
    pub source: String,
    pub target: String,
    pub tables: TableSelection,
    /// What is known of the last sync of each replica.
    pub synced: BTreeMap<String, KnownSync>,
    /// The tables whose bytes are not asked for; `None`: those of no table are.
    pub sized: Option<BTreeSet<String>>,
}

/// What the sources answered.
#[derive(Clone, Debug)]
pub struct Probed {
    pub at: UnixTime,
    /// By path: every table that there is, and every one that is named.
    pub tables: BTreeMap<String, Result<TableLook, Failure>>,
}

/// What was seen of one table.
#[derive(Clone, Debug)]
pub struct TableLook {
    pub source: SourceHead,
    /// The last sync that was known when it was asked for.
    pub known: Option<KnownSync>,
    pub presence: Presence,
}

/// What the log of a source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceHead {
    /// The newest version that it holds.
    pub newest: u64,
    /// The time of the oldest commit that the replica lacks; `None` when it lacks none, or there is
    /// no replica yet.
    pub lacks_since: Option<UnixTime>,
    /// The file of the version that the replica shows, if there is one still.
    pub synced_file: Option<CommitFile>,
    /// Commits that the replica lacks were cleaned up.
    pub is_cleaned: bool,
    /// The bytes of its live files, if they were asked for.
    pub bytes: Option<u64>,
}

/// Asks every source.
///
/// # Errors
/// The connection is not known or cannot be listed, or it took too long.
pub async fn probe(context: &Context, order: &ProbeOrder) -> Result<Probed, Failure> {
    guarded(in_time(PROBE_TIME_MAX, "asking the sources", ask(context, order))).await
}

async fn ask(context: &Context, order: &ProbeOrder) -> Result<Probed, Failure> {
    let root = open_source(context, &order.source, "")?;
    let paths = discover(&root, &order.tables).await?;
    let at = UnixTime(context.clock.now_ms());
    let states = stream::iter(paths).map(|path| async move {
        let state = head(context, order, &path).await;
        (path, state)
    });
    Ok(Probed { at, tables: states.buffer_unordered(TABLES_AT_ONCE_MAX).collect().await })
}

async fn head(context: &Context, order: &ProbeOrder, path: &str) -> Result<TableLook, Failure> {
    let table = open_source(context, &order.source, path)?;
    let known = order.synced.get(path).copied();
    let found = state(&table, known.map(|known| known.source_version)).await?;
    let is_sized = order.sized.as_ref().is_none_or(|sized| sized.contains(path));
    let bytes = if is_sized { None } else { Some(live_bytes(context, &table).await?) };
    let presence = match known {
        Some(known) if known.source_version == found.newest => {
            match open(context, Side::Target, &order.target, path) {
                Ok(target) => presence(&table, &target, known, found.synced_file).await,
                Err(failure) => Presence::Unknown(failure),
            }
        }
        Some(_) | None => Presence::NotAsked,
    };
    Ok(TableLook { source: SourceHead { bytes, ..found }, known, presence })
}

/// Opens the table at a path below a source's connection.
///
/// # Errors
/// The connection is not known, or cannot have the table.
pub(super) fn open_source(
    context: &Context,
    connection: &str,
    path: &str,
) -> Result<TableStore, Failure> {
    open(context, Side::Source, connection, path)
}

fn open(
    context: &Context,
    side: Side,
    connection: &str,
    path: &str,
) -> Result<TableStore, Failure> {
    let failed = |error: deepclone_common::connections::ConnectionError| error.failure_of(side);
    let table = context.connections.below(connection, path).map_err(failed)?;
    let table = context.connections.resolve(&table, side).map_err(failed)?;
    context.open(side, &table)
}

async fn state(table: &TableStore, synced: Option<u64>) -> Result<SourceHead, Failure> {
    let missing = || {
        let message = format!("source: {} is not a Delta table: it has no log", table.uri);
        Failure::new(Reason::NotADeltaTable, message)
    };
    let Some(synced) = synced else {
        let newest = log::head(table).await?.ok_or_else(missing)?;
        let (lacks_since, is_cleaned, synced_file, bytes) = (None, false, None, None);
        return Ok(SourceHead { newest, lacks_since, is_cleaned, synced_file, bytes });
    };
    let newer = log::newer(table, synced).await?.ok_or_else(missing)?;
    let lacks_since = newer.first.map(|first| UnixTime(first.committed_ms));
    let is_cleaned = newer.first.is_some_and(|first| first.is_cleaned);
    let (newest, synced_file) = (newer.newest, newer.known);
    Ok(SourceHead { newest, lacks_since, is_cleaned, synced_file, bytes: None })
}

/// Adds up the live files of a table that is new, which takes its whole log.
async fn live_bytes(context: &Context, table: &TableStore) -> Result<u64, Failure> {
    let _turn = context.turn_to_plan().await;
    let newest = snapshot::read(table, &SourcePoint::Newest).await;
    let newest = newest.map_err(|error| error.of(Side::Source).failure())?;
    Ok(newest.files.values().fold(0, |sum, file| file.size.saturating_add(sum)))
}
