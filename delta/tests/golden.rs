//! Real tables of many writers, from the folder that `DEEPCLONE_GOLDEN` names: every one opens
//! with the right number of live files, or is refused for the right reason.

#![expect(clippy::unwrap_used, reason = "a table that cannot be read is a failed test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::SourcePoint;
use deepclone_delta::actions::{Add, LogAction};
use deepclone_delta::snapshot::{self, Snapshot};
use deepclone_delta::{log, protocol};
use object_store::local::LocalFileSystem;

#[tokio::test]
async fn golden_tables_open_or_are_refused_by_name() {
    let Ok(folder) = std::env::var("DEEPCLONE_GOLDEN") else {
        eprintln!("no golden tables: DEEPCLONE_GOLDEN names no folder");
        return;
    };
    let folder = PathBuf::from(folder);
    let mut outcomes = BTreeMap::new();
    for table in tables(&folder) {
        let name = table.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        outcomes.insert(name, open(&table).await);
    }
    eprintln!("{} golden tables", outcomes.len());
    for (name, version, files, size) in OPEN {
        let Some(outcome) = outcomes.get(*name) else { continue };
        let found = outcome.as_ref().map(|found| (found.version, found.files.len(), bytes(found)));
        assert_eq!(found, Ok((*version, *files, *size)), "{name}");
    }
    for (name, reason, wanted) in REFUSED {
        let Some(outcome) = outcomes.get(*name) else { continue };
        let failure = outcome.as_ref().map(|found| found.version).unwrap_err();
        assert_eq!(failure.reason, *reason, "{name}: {failure}");
        assert!(failure.message.contains(wanted), "{name}: {failure}");
    }
    for (name, outcome) in &outcomes {
        let Err(failure) = outcome else { continue };
        let is_known = REFUSED.iter().any(|(known, ..)| known == name);
        assert!(is_known, "{name} is refused: {failure}");
    }
}

/// Name, newest version, live files and their bytes, as delta-rs and Spark read them.
///
/// `table_a`, `table_b` and `table_g` of the damaged ones have a whole newest version (a hole
/// below a checkpoint is what a log's clean-up may leave); their data objects are gone, which the
/// copy finds.
const OPEN: &[(&str, u64, usize, u64)] = &[
    ("delta-kernel-java/basic-dv-with-checkpoint", 46, 2, 3714),
    ("delta-kernel-java/kernel-pagination-multi-part-checkpoints", 2, 20, 18145),
    ("delta-kernel-java/kernel-pagination-v2-checkpoint-json", 4, 6, 3746),
    ("delta-kernel-java/kernel-pagination-v2-checkpoint-parquet", 4, 6, 3746),
    ("delta-rs/COVID-19_NYT", 0, 8, 6_190_485),
    ("delta-rs/cdc_ict_table", 3, 2, 1851),
    ("delta-rs/cdf-table-with-cdc-and-dvs", 25, 2, 1753),
    ("delta-rs/checkpoint-v2-table", 9, 8, 8924),
    ("delta-rs/checkpoints_vacuumed", 12, 12, 18024),
    ("delta-rs/delta-0.8-empty", 1, 0, 0),
    ("delta-rs/delta-1.2.1-only-struct-stats", 12, 12, 66109),
    ("delta-rs/delta-live-table", 1, 0, 0),
    ("delta-rs/table-with-domain-metadata", 108, 109, 136_359),
    ("delta-rs/table_failed_last_checkpoint_update", 3, 4, 5728),
    ("delta-rs/with_checkpoint_no_last_checkpoint", 3, 1, 1010),
    ("delta-rs-broken/table_a", 13, 130, 58752),
    ("delta-rs-broken/table_b", 13, 130, 58752),
    ("delta-rs-broken/table_g", 9999, 100, 45194),
    ("delta-spark/delta-0.1.0", 3, 3, 1086),
    ("delta-spark/partitioned-table-with-dv-large", 4, 14, 16332),
    ("delta-spark/transaction_log_schema_evolvability", 5, 4, 3188),
    ("duckdb-delta/inlined/issue_303_partitioned/delta_lake", 11, 12, 5836),
];

/// Name, reason and a piece of the message.
const REFUSED: &[(&str, Reason, &str)] = &[
    ("delta-kernel-java/catalog-owned-preview", Reason::UnsupportedFeature, "catalogManaged"),
    ("delta-rs/simple_table_features", Reason::UnsupportedFeature, "blahabl, reader version 5"),
    ("delta-rs-broken/table_c", Reason::DamagedLog, "00000000000000000012.json: it is missing"),
    ("delta-rs-broken/table_d", Reason::UnsupportedFeature, "catalogOwned"),
    ("delta-rs-broken/table_e", Reason::UnsupportedFeature, "catalogOwned"),
    ("delta-rs-broken/table_f", Reason::UnsupportedFeature, "catalogOwned"),
    ("delta-rs-broken/table_h", Reason::UnsupportedFeature, "catalogOwned"),
    ("delta-rs-broken/table_i", Reason::UnsupportedFeature, "catalogOwned"),
    // Its deletion vector's path is a template, filled in by its own test.
    ("delta-spark/table-with-dv-special-char", Reason::UnsupportedFeature, "FOLDER"),
];

fn bytes(snapshot: &Snapshot) -> u64 {
    snapshot.files.values().map(|add| add.size).sum()
}

fn table(folder: &Path) -> TableStore {
    TableStore {
        store: Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap()),
        root: object_store::path::Path::default(),
        uri: format!("file://{}", folder.display()),
        large: None,
    }
}

async fn open(folder: &Path) -> Result<Snapshot, Failure> {
    let table = table(folder);
    let snapshot =
        snapshot::read(&table, &SourcePoint::Newest).await.map_err(|error| error.failure())?;
    protocol::check(&snapshot.protocol, &snapshot.metadata, &[])
        .map_err(|error| error.failure())?;
    Ok(snapshot)
}

/// The bounds that a checkpoint keeps as structs only are those that the commits told as JSON.
#[tokio::test]
async fn statistics_of_a_checkpoint_with_structs_only_are_those_of_the_commits() {
    let Ok(folder) = std::env::var("DEEPCLONE_GOLDEN") else { return };
    let table = table(&PathBuf::from(folder).join("delta-rs/delta-1.2.1-only-struct-stats"));
    let newest = snapshot::read(&table, &SourcePoint::Newest).await.unwrap();
    let mut compared = 0;
    for version in 0..=10 {
        let commit = log::read_commit(&table, version).await.unwrap().unwrap();
        for action in commit.actions {
            let LogAction::Add(add) = action else { continue };
            let Some(live) = newest.files.values().find(|live| live.path == add.path) else {
                continue;
            };
            let json = |add: &Add| -> serde_json::Value {
                serde_json::from_str(add.stats.as_deref().unwrap()).unwrap()
            };
            assert_eq!(json(live), json(&add), "{}", add.path);
            compared += 1;
        }
    }
    assert_eq!(compared, 10);
}

/// The folders below `folder` that hold a log.
fn tables(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if folder.join("_delta_log").is_dir() {
            found.push(folder);
            continue;
        }
        let entries = std::fs::read_dir(&folder).unwrap();
        folders.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
    found.sort();
    found
}
