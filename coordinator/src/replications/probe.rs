//! Asks the sources of a replication what they have: which tables there are, and how far each
//! replica is behind; and the targets of those without news whether their replicas are still there.
//! It moves no data. A look at a table without news takes two requests at either side, a brief one
//! asks its source for the next commit alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::replication::TableSelection;
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
    /// Tables of [`Self::synced`] that are looked at briefly.
    pub brief: BTreeSet<String>,
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

impl TableLook {
    /// The source has no commit after the one that was synced. That is all that was asked.
    fn brief(known: KnownSync) -> Self {
        let source = SourceHead {
            newest: known.source_version,
            lacks_since: None,
            synced_file: known.source_file,
            is_cleaned: false,
            bytes: None,
        };
        Self { source, known: Some(known), presence: Presence::NotAsked }
    }
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
    let paths = discover(&root, &order.tables, &order.brief).await?;
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
    if let Some(known) = known.filter(|_| order.brief.contains(path))
        && !log::may_have_newer(&table, known.source_version).await?
    {
        return Ok(TableLook::brief(known));
    }
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
    let turn = context.turn_to_plan().await;
    let newest = snapshot::read_in_room(table, &turn).await;
    let newest = newest.map_err(|error| error.of(Side::Source).failure())?;
    Ok(newest.files.values().fold(0, |sum, file| file.size.saturating_add(sum)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use deepclone_common::config::Config;
    use deepclone_common::connections::Connections;
    use deepclone_core::limits::Limits;
    use deepclone_delta::presence::KnownReplica;
    use tempfile::TempDir;

    use super::*;
    use crate::state::{Place, SqliteStore};

    async fn context(folder: &Path) -> Context {
        let text = format!(
            "[connections.in]\nurl = \"file://{0}/in\"\nroles = [\"source\"]\n\
             [connections.out]\nurl = \"file://{0}/out\"\nroles = [\"target\"]\n",
            folder.display()
        );
        let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
        let store = SqliteStore::open(&Place::Private).await.unwrap();
        Context::new(Arc::new(connections), Arc::new(store), &Limits::default())
    }

    fn commit(folder: &Path, table: &str, version: u64) {
        let log = folder.join(table).join("_delta_log");
        fs::create_dir_all(&log).unwrap();
        fs::write(log.join(format!("{version:020}.json")), "{\"commitInfo\":{}}\n").unwrap();
    }

    /// What was seen of `t`, and the requests to both sides that it took.
    async fn look(context: &Context, order: &ProbeOrder) -> (TableLook, (u64, u64)) {
        let (context, reads) = context.counted();
        let mut probed = probe(&context, order).await.unwrap();
        let traffic = reads.traffic();
        let look = probed.tables.remove("t").unwrap().unwrap();
        (look, (traffic.source_requests(), traffic.target_requests()))
    }

    #[tokio::test]
    async fn a_brief_look_asks_the_source_once_and_a_whole_one_both_sides() {
        let folder = TempDir::new().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let context = context(&folder).await;
        commit(&folder, "in/t", 0);
        commit(&folder, "out/t", 0);
        let replica = KnownReplica { version: 0, file: None };
        let known = KnownSync { source_version: 0, source_file: None, replica };
        let mut order = ProbeOrder {
            source: "in".to_owned(),
            target: "out".to_owned(),
            tables: TableSelection { include: vec!["t".parse().unwrap()], exclude: Vec::new() },
            synced: BTreeMap::from([("t".to_owned(), known)]),
            brief: BTreeSet::new(),
            sized: None,
        };
        // The first one after a sync reads what that recorded, too.
        let (first, requests) = look(&context, &order).await;
        assert_eq!(requests, (2, 3));
        let Presence::Kept(known) = first.presence else { panic!("{first:?}") };
        order.synced.insert("t".to_owned(), known);
        let (whole, requests) = look(&context, &order).await;
        assert_eq!((whole.presence, requests), (Presence::Kept(known), (2, 2)));

        let whole = order.clone();
        order.brief.insert("t".to_owned());
        let (brief, requests) = look(&context, &order).await;
        assert_eq!((brief.presence, requests), (Presence::NotAsked, (1, 0)));
        assert_eq!((brief.source.newest, brief.known), (0, Some(known)));
        fs::remove_dir_all(folder.join("out/t")).unwrap();
        assert_eq!(look(&context, &order).await.0.presence, Presence::NotAsked);
        assert!(matches!(look(&context, &whole).await.0.presence, Presence::Gone(_)));
        // A brief one that finds news looks at all of it.
        commit(&folder, "in/t", 1);
        let (news, requests) = look(&context, &order).await;
        assert_eq!((news.source.newest, requests), (1, (4, 0)));
        assert!(news.source.lacks_since.is_some());
    }
}
