//! Histories that are drawn at random, in which more happens than commits and syncs: crashes after
//! the commit, checkpoints and commits of other engines at the replica, a source whose log is
//! cleaned up. Each plan is made both ways, and the two are equal. Every other history is that of
//! tables with V2 checkpoints.

use deepclone_core::ids::JobId;
use deepclone_core::spec::{CloneSpec, SourcePoint};
use deepclone_delta::actions::LogAction;
use deepclone_delta::changes::SyncPlan;
use deepclone_delta::publish::{PublishResult, finish, publish};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::beside_the_log::{put_checkpoint, rows_of};
use crate::incremental::{Draw, Model};
use crate::support::*;
use crate::v2_checkpoints::log_of;

/// Histories that are drawn.
const SEEDS: u64 = 40;
/// What happens in one history.
const EVENTS: u64 = 24;

const SYNCED: &str = "_deepclone/synced.json";

/// What a sync leaves beside its commit.
#[derive(Clone, Copy, Debug)]
enum Left {
    /// All that is due.
    All,
    /// Nothing: it crashed after the commit.
    Nothing,
    /// What is due without the change set: it was finished after a crash.
    WithoutChangeSet,
    /// What the sync before it knew.
    WhatWasKnown,
}

/// One table after the other: the replica of one is the source of the next.
struct Chain {
    source: Table,
    replica: Table,
    further: Table,
    model: Model,
    /// Commits of the source.
    version: u64,
    is_timed: bool,
    has_v2: bool,
}

impl Chain {
    async fn new(has_v2: bool) -> Self {
        let writers = ["domainMetadata", "rowTracking", "inCommitTimestamp"];
        let mut source = Table::new("source");
        let mut model = Model::default();
        let first = [listed(has_v2, &writers), described(0, false, has_v2), add("a0")];
        source.commit(&first).await;
        model.live.insert("a0".to_owned(), None);
        let (replica, further) = (Table::new("target"), Table::new("further"));
        Self { source, replica, further, model, version: 0, is_timed: false, has_v2 }
    }

    /// Commits to the source.
    async fn write(&mut self, draw: &mut Draw) {
        self.version += 1;
        let mut actions = self.model.commit(draw, self.version);
        actions.retain(|action| action.get("metaData").is_none());
        match draw.below(10) {
            0 => self.is_timed = !self.is_timed,
            1 => {
                let writers = ["domainMetadata", "inCommitTimestamp", "appendOnly"];
                actions.push(listed(self.has_v2, &writers));
            }
            _ => {}
        }
        actions.push(described(self.version % 4, self.is_timed, self.has_v2));
        if self.is_timed {
            let at = NOW_MS + i64::try_from(self.version).unwrap();
            actions[0]["commitInfo"]["inCommitTimestamp"] = json!(at);
        }
        self.source.commit(&actions).await;
    }

    /// Writes a checkpoint of the source, and may clean its log up.
    async fn checkpoint_source(&mut self, draw: &mut Draw) {
        let state = self.source.snapshot().await;
        let mut actions =
            vec![LogAction::Protocol(state.protocol), LogAction::Metadata(state.metadata)];
        actions.extend(state.txns.into_values().map(LogAction::Txn));
        actions.extend(state.domains.into_values().map(LogAction::DomainMetadata));
        actions.extend(state.files.into_values().map(LogAction::Add));
        let rows: Vec<Value> =
            actions.iter().map(|action| serde_json::from_str(&action.to_json()).unwrap()).collect();
        self.source.checkpoint(state.version, &rows).await;
        if draw.below(2) == 0 {
            for version in 0..state.version.saturating_sub(draw.below(3)) {
                let name = format!("_delta_log/{version:020}.json");
                if self.source.get(&name).await.is_some() {
                    self.source.delete(&name).await;
                }
            }
        }
    }

    /// Returns what another writer does to the replica: its file comes, and one of ours leaves.
    async fn other_writer(&self) -> Vec<Value> {
        let files = self.replica.snapshot().await.files;
        let without_vector = files.keys().find(|key| key.dv.is_none());
        let left = without_vector.map(
            |key| json!({"remove": {"path": key.path, "deletionTimestamp": 9, "dataChange": true}}),
        );
        let is_there = without_vector.is_some_and(|key| key.path == "p=a/a999.parquet");
        let joins = (!is_there).then(|| add("a999"));
        joins.into_iter().chain(left).collect()
    }

    /// Writes the replica's newest checkpoint again as another engine, or a part of it.
    async fn checkpoint_replica(&mut self, draw: &mut Draw) {
        if self.has_v2 {
            let log = log_of(&self.replica.store).await;
            let sidecars: Vec<_> =
                log.into_iter().filter(|name| name.starts_with("_sidecars/")).collect();
            let Some(name) = draw.one_of(&sidecars) else { return };
            let name = format!("_delta_log/{name}");
            let rows = rows_of(&self.replica, &name).await;
            put_checkpoint(&self.replica, &name, &rows, 3).await;
            return;
        }
        for version in (0..=self.replica.head().await).rev() {
            let name = format!("_delta_log/{version:020}.checkpoint.parquet");
            if self.replica.get(&name).await.is_some() {
                let rows = rows_of(&self.replica, &name).await;
                let rows_per_group = usize::try_from(1 + draw.below(5)).unwrap();
                put_checkpoint(&self.replica, &name, &rows, rows_per_group).await;
                return;
            }
        }
    }
}

fn described(version: u64, is_timed: bool, has_v2: bool) -> Value {
    let mut configuration = json!({"delta.checkpointInterval": "3",
        "delta.enableDeletionVectors": "true", "user.version": version.to_string(),
        "delta.enableInCommitTimestamps": is_timed.to_string()});
    if has_v2 {
        configuration["delta.checkpointPolicy"] = json!("v2");
    }
    metadata("source-id", configuration)
}

/// Lists features for writers beside those for all.
fn listed(has_v2: bool, writers: &[&str]) -> Value {
    let both = ["deletionVectors", "v2Checkpoint"];
    let both = &both[..if has_v2 { 2 } else { 1 }];
    features(both, &[both, writers].concat())
}

/// What VACUUM commits, with a time for a replica that needs it.
fn vacuum_end() -> Value {
    let mut action = info("VACUUM END");
    action["commitInfo"]["inCommitTimestamp"] = json!(tick());
    action
}

/// Plans a sync both ways and makes it; the source may refuse in both.
async fn sync_leaving(source: &Table, target: &Table, spec: &CloneSpec, left: Left) -> bool {
    let job = JobId(Uuid::new_v4());
    let Ok(plan) = plan_both_ways(source, target, spec, job).await else { return false };
    let SyncPlan::Change(change_set) = plan else { return true };
    copy(source, target, &change_set).await;
    let published = publish(&target.store, &change_set, tick()).await.unwrap();
    let PublishResult::Published(committed) = published else { panic!("{published:?}") };
    let known = target.get(SYNCED).await;
    match left {
        Left::All | Left::WhatWasKnown => {
            finish(&target.store, &committed, Some(&change_set)).await.unwrap();
        }
        Left::WithoutChangeSet => drop(finish(&target.store, &committed, None).await.unwrap()),
        Left::Nothing => {}
    }
    if let (Left::WhatWasKnown, Some(known)) = (left, known) {
        target.put(SYNCED, known).await;
    }
    assert_valid(target).await;
    true
}

async fn history(seed: u64) {
    let mut draw = Draw(seed);
    let mut chain = Chain::new(seed % 2 == 1).await;
    let part = CloneSpec { partition_filter: Some("p = 'a' or p = 'c'".into()), ..overwrite() };
    let spec = if seed.is_multiple_of(3) { part } else { overwrite() };
    for _ in 0..EVENTS {
        match draw.below(16) {
            0..6 => chain.write(&mut draw).await,
            6 => chain.checkpoint_source(&mut draw).await,
            7 if chain.replica.get(SYNCED).await.is_some() => {
                chain.checkpoint_replica(&mut draw).await;
            }
            // VACUUM, or another writer.
            8 if chain.replica.get(SYNCED).await.is_some() => {
                let mut actions = vec![vacuum_end()];
                if draw.below(2) == 0 {
                    actions.extend(chain.other_writer().await);
                }
                chain.replica.commit(&actions).await;
            }
            what => {
                let left = match what {
                    9 => Left::Nothing,
                    10 => Left::WithoutChangeSet,
                    11 => Left::WhatWasKnown,
                    _ => Left::All,
                };
                let point = match draw.below(4) {
                    0 => SourcePoint::Version(chain.version.saturating_sub(draw.below(3))),
                    _ => SourcePoint::Newest,
                };
                let at = CloneSpec { source_point: point, ..spec.clone() };
                sync_leaving(&chain.source, &chain.replica, &at, left).await;
                if draw.below(2) == 0 && chain.replica.get(SYNCED).await.is_some() {
                    sync_leaving(&chain.replica, &chain.further, &overwrite(), Left::All).await;
                }
            }
        }
    }
    assert!(sync_leaving(&chain.source, &chain.replica, &spec, Left::All).await, "{seed}");
    if spec.partition_filter.is_none() {
        assert_equal(&chain.source, &chain.replica).await;
    }
}

#[tokio::test]
async fn both_ways_find_the_same_change_whatever_happens_between() {
    for seed in 0..SEEDS {
        history(seed).await;
    }
}
