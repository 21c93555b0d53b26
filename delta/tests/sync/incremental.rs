//! Plans by the newer commits alone: equal to the plan from both whole tables, action by action, in
//! histories that are drawn at random; cheap; and given up whenever something does not fit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use deepclone_core::ids::JobId;
use deepclone_core::spec::{CloneSpec, SourcePoint};
use deepclone_delta::changes::{SyncPlan, Within, plan_sync_within};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::faults::Watched;
use crate::support::*;

/// Histories that are drawn.
const SEEDS: u64 = 60;
/// Commits of one history.
const COMMITS: u64 = 14;

/// Numbers that follow from a seed (splitmix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let bound = u64::try_from(items.len()).ok().filter(|count| *count > 0)?;
        items.get(usize::try_from(self.below(bound)).unwrap())
    }
}

/// The files of a source as its commits leave them: each with its deletion vector, if it has one.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) live: BTreeMap<String, Option<i32>>,
    left: Vec<(String, Option<i32>)>,
    made: u64,
}

impl Model {
    fn with(vector_at: Option<i32>, more: Value) -> Value {
        let mut fields = more;
        if let Some(offset) = vector_at {
            fields["deletionVector"] = vector(offset);
        }
        fields
    }

    fn new_file(&mut self, draw: &mut Draw) -> String {
        self.made += 1;
        format!("{}{}", ["a", "b", "c"][usize::try_from(draw.below(3)).unwrap()], self.made)
    }

    /// Draws what one commit does to files that it did not name yet.
    fn step(&mut self, draw: &mut Draw, named: &mut Vec<String>) -> Vec<Value> {
        let free: Vec<String> =
            self.live.keys().filter(|name| !named.contains(name)).cloned().collect();
        let chosen = draw.one_of(&free).cloned();
        let what = draw.below(9);
        let Some(name) = chosen.filter(|_| what > 2) else {
            let name = self.new_file(draw);
            named.push(name.clone());
            self.live.insert(name.clone(), None);
            return vec![add(&name)];
        };
        named.push(name.clone());
        let known = self.live[&name];
        match what {
            // A file leaves, with or without its fields in the tombstone.
            3 | 4 => {
                self.live.remove(&name);
                self.left.push((name.clone(), known));
                let whole = json!({"extendedFileMetadata": true, "size": 10 + name.len(),
                    "partitionValues": {"p": &name[..1]}});
                let fields = if what == 3 { whole } else { json!({}) };
                vec![remove_with(&name, Self::with(known, fields))]
            }
            // Another deletion vector.
            5 => {
                let next = i32::try_from(draw.below(40)).unwrap();
                if known == Some(next) {
                    return Vec::new();
                }
                self.live.insert(name.clone(), Some(next));
                vec![
                    remove_with(&name, Self::with(known, json!({}))),
                    add_with(&name, Self::with(Some(next), json!({}))),
                ]
            }
            // The same file again: with other statistics, tags and row ids, or just as it was.
            6 => {
                let rows = draw.below(5);
                let stats = format!("{{\"numRecords\":{rows}}}");
                let fields = json!({"stats": stats, "dataChange": false, "tags": {"t": "1"},
                    "baseRowId": rows, "defaultRowCommitVersion": 1});
                vec![add_with(&name, Self::with(known, fields))]
            }
            7 => vec![add_with(&name, Self::with(known, json!({"dataChange": false})))],
            // A file that had left comes back.
            _ => match draw.one_of(&self.left).cloned() {
                Some((back, known)) if !self.live.contains_key(&back) && !named.contains(&back) => {
                    self.live.insert(back.clone(), known);
                    named.push(back.clone());
                    vec![add_with(&back, Self::with(known, json!({})))]
                }
                _ => Vec::new(),
            },
        }
    }

    pub(crate) fn commit(&mut self, draw: &mut Draw, version: u64) -> Vec<Value> {
        let mut actions = vec![info("WRITE")];
        let mut named = Vec::new();
        for _ in 0..=draw.below(4) {
            actions.extend(self.step(draw, &mut named));
        }
        match draw.below(8) {
            0 => actions.push(json!({"txn": {"appId": "stream", "version": version}})),
            1 => actions.push(described(version)),
            2 => actions.push(json!({"domainMetadata": {"domain": "d",
                "configuration": version.to_string(), "removed": draw.below(3) == 0}})),
            _ => {}
        }
        actions
    }
}

/// The table's description; its checkpoints come often.
fn described(version: u64) -> Value {
    metadata(
        "source-id",
        json!({"delta.checkpointInterval": "3", "delta.enableDeletionVectors": "true",
            "user.version": version.to_string()}),
    )
}

/// The parts that histories are synced by.
fn parts() -> [CloneSpec; 2] {
    [spec(), CloneSpec { partition_filter: Some("p = 'a' or p = 'c'".into()), ..spec() }]
}

/// Returns whether the plan of the next sync reads none of the source's commits below `base`.
async fn reads_only_newer(
    watched: &Watched,
    (source, target): (&Table, &Table),
    spec: &CloneSpec,
    base: u64,
) -> bool {
    watched.take();
    let (within, job) = (Within::default(), JobId(Uuid::nil()));
    plan_sync_within(&source.store, &target.store, spec, job, &within).await.unwrap();
    let older = |request: &String| {
        (0..base).any(|version| request.ends_with(&format!("/{version:020}.json")))
    };
    !watched.take().iter().any(|request| request.starts_with("GET") && older(request))
}

/// Each sync is planned both ways by [`sync_equal`] and the others of `support`, which hold the two
/// plans equal. A replica of the replica has a source with checkpoints.
#[tokio::test]
async fn both_ways_find_the_same_change_in_any_history() {
    let (mut planned, mut by_newer) = (0, 0);
    let mut shown = String::new();
    for seed in 0..SEEDS {
        let mut draw = Draw(seed);
        let watched = Watched::new(Arc::new(InMemory::new()));
        let mut source = Table::on(watched.clone(), "source");
        let (replica, further) = (Table::new("target"), Table::new("further"));
        let spec = &parts()[usize::try_from(seed % 2).unwrap()];
        let writers = ["deletionVectors", "domainMetadata", "rowTracking"];
        let first = [features(&["deletionVectors"], &writers), described(0), add("a0")];
        source.commit(&first).await;
        let mut model = Model::default();
        model.live.insert("a0".to_owned(), None);
        let mut base = None;
        for version in 1..COMMITS {
            source.commit(&model.commit(&mut draw, version)).await;
            if draw.below(2) == 0 {
                continue;
            }
            if let Some(base) = base {
                let is_newer = reads_only_newer(&watched, (&source, &replica), spec, base).await;
                planned += 1;
                by_newer += u64::from(is_newer);
            }
            let did = sync(&source, &replica, spec).await;
            assert!(matches!(did, Ok(Did::Published { .. })), "seed {seed}: {did:?}");
            base = Some(version);
            if draw.below(2) == 0 {
                let did = sync(&replica, &further, &crate::support::spec()).await;
                assert!(did.is_ok(), "seed {seed}: {did:?}");
                assert_equal(&replica, &further).await;
            }
        }
        _ = write!(shown, "{seed}:{} ", model.live.len());
    }
    // The histories are worth the name, and most plans are made by what is newer.
    assert!(planned > 4 * SEEDS && by_newer * 10 > planned * 8, "{by_newer} of {planned}");
    assert!(shown.len() > 100, "{shown}");
}

/// A source whose first commit is too large to be read again, and its replica.
async fn large_source() -> (Arc<Watched>, Table, Table) {
    let watched = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(watched.clone(), "source");
    let mut first = vec![protocol(1, 2), metadata("source-id", json!({}))];
    first.extend((0..6000).map(|n| add(&format!("a{n}"))));
    source.commit(&first).await;
    let target = Table::new("target");
    sync(&source, &target, &spec()).await.unwrap();
    (watched, source, target)
}

#[tokio::test]
async fn a_sync_reads_the_newer_commits_and_no_large_one_again() {
    let (watched, mut source, target) = large_source().await;
    source.commit(&[add("b1")]).await;
    source.commit(&[remove("a7"), add("c1")]).await;
    watched.take();
    let plan = plan_once(&source, &target, &spec()).await.unwrap();
    let SyncPlan::Change(change_set) = plan else { panic!("{plan:?}") };
    assert_eq!(change_set.metrics.source_num_of_files, 6001);
    let get = |name: &str| format!("GET source/_delta_log/{name}");
    assert_eq!(
        watched.take(),
        [
            "LIST source/_delta_log".to_owned(),
            get("00000000000000000001.json"),
            get("00000000000000000002.json"),
            get("00000000000000000002.crc"),
        ]
    );
    sync_equal(&source, &target, &spec()).await;
    // Nothing to do.
    watched.take();
    let newest = CloneSpec { source_point: SourcePoint::Version(2), ..spec() };
    for spec in [spec(), newest] {
        let plan = plan_once(&source, &target, &spec).await.unwrap();
        assert!(matches!(plan, SyncPlan::UpToDate(_)), "{plan:?}");
        assert_eq!(watched.take(), ["LIST source/_delta_log"]);
    }
}

/// Of an old log only the end is listed, and the commit after its newest must not be there.
#[tokio::test]
async fn an_old_log_is_listed_from_the_last_sync_on() {
    let watched = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(watched.clone(), "source");
    let target = Table::new("target");
    source.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("a0")]).await;
    for version in 1..=250_u64 {
        source.raw_commit(version, &info("WRITE").to_string()).await;
    }
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("b1")]).await;
    watched.take();
    let plan = plan_once(&source, &target, &spec()).await.unwrap();
    assert!(matches!(plan, SyncPlan::Change(_)), "{plan:?}");
    let listed = [
        "LIST source/_delta_log after 00000000000000000250",
        "HEAD source/_delta_log/00000000000000000252.json",
    ];
    assert_eq!(watched.take()[..2], listed);
    // A listing that loses the newest commit is not believed.
    watched.hidden.lock().unwrap().after_a_start = vec![format!("{:020}.json", 251)];
    sync_equal(&source, &target, &spec()).await;
}

/// Whatever does not fit makes the plan read both tables whole.
#[tokio::test]
async fn what_does_not_fit_is_left_to_the_whole_tables() {
    type Change = (&'static str, fn(&mut Vec<Value>) -> Option<(&'static str, String)>);
    let cases: [Change; 7] = [
        ("a checksum with another count", |_| {
            Some(("00000000000000000001.crc", r#"{"tableSizeBytes":1,"numFiles":7}"#.to_owned()))
        }),
        ("a checkpoint with another count", |_| {
            let name = "00000000000000000001.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";
            let rows = [protocol(1, 2), metadata("source-id", json!({})), add("b1")];
            Some((name, rows.map(|row| row.to_string()).join("\n")))
        }),
        ("an absolute path", |actions| {
            actions.push(add_with("b2", json!({"path": "s3://source/source/p=b/b2.parquet"})));
            None
        }),
        ("another spelling of a live path", |actions| {
            actions.push(remove_with("a7", json!({"path": "p=a/a%37.parquet"})));
            None
        }),
        ("two spellings of a new path", |actions| {
            actions.push(add("b2"));
            actions.push(add_with("b2", json!({"path": "p=b/b%32.parquet"})));
            None
        }),
        ("a second deletion vector of a live path", |actions| {
            actions.push(add_with("a7", json!({"deletionVector": vector(1)})));
            None
        }),
        ("a line without an action", |actions| {
            actions.push(json!({}));
            None
        }),
    ];
    for (case, change) in cases {
        let (watched, mut source, target) = large_source().await;
        let mut actions = vec![add("b1")];
        let file = change(&mut actions);
        source.commit(&actions).await;
        if let Some((name, text)) = file {
            source.put(&format!("_delta_log/{name}"), text.into_bytes()).await;
        }
        watched.take();
        let whole = plan(&source, &target, &spec()).await;
        let requests = watched.take();
        let first = "GET source/_delta_log/00000000000000000000.json".to_owned();
        let asked = requests.iter().filter(|request| **request == first).count();
        let checkpoint = requests.iter().filter(|request| request.contains("checkpoint.")).count();
        assert!(asked + checkpoint >= 2, "{case}: {requests:?} {whole:?}");
    }
}

/// What the last sync knew counts for the very tables that it was written for.
#[tokio::test]
async fn another_file_in_the_place_of_a_known_commit_is_noticed() {
    let (_, mut source, target) = large_source().await;
    source.commit(&[add("b1")]).await;
    // The replica's head is replaced by another table's commit.
    let other =
        [protocol(1, 2), metadata("other", json!({})), add("x1")].map(|row| row.to_string());
    target.put("_delta_log/00000000000000000000.json", other.join("\n").into_bytes()).await;
    target.delete("_delta_log/00000000000000000000.checkpoint.parquet").await;
    let _ = target.store.store.delete(&target.path("_delta_log/_last_checkpoint")).await;
    let refused = plan(&source, &target, &spec()).await.unwrap_err();
    assert!(refused.message.contains("never wrote") || refused.message.contains("lost its record"));
}
