//! Syncs within this process whose commits go by parts though they are small: the limits of a put
//! are those of a store's handle, which a test may lower.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use deepclone_common::connections::{Connections, Resolved, Side};
use deepclone_common::store::large::PutLimits;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef, Verification,
};
use deepclone_delta::actions::LogAction;
use deepclone_delta::changes::{ChangeSet, SyncPlan, plan_sync};
use deepclone_delta::log;
use object_store::local::LocalFileSystem;
use serde_json::{Value, json};
use uuid::Uuid;

/// Parts of S3 cannot be shorter.
pub const PART_BYTES: u64 = 5 << 20;
/// So a commit of more than 2 MiB goes by parts.
const LIMITS: PutLimits = PutLimits { one_put_bytes_max: 2 << 20, part_bytes: PART_BYTES };

/// A table as the coordinator opens its target, with lower limits; the names of `settings` begin
/// with `TARGET_`.
#[must_use]
pub fn target(uri: &str, settings: &[(String, String)]) -> TableStore {
    let (connections, found) = resolved(uri, settings);
    let table = connections.open(&found).expect("a store");
    TableStore { large: table.large.map(|large| large.within(LIMITS)), ..table }
}

/// Tries such a target for commits of so many bytes, one after another.
pub async fn tried(
    uri: &str,
    settings: &[(String, String)],
    commits: &[u64],
) -> Vec<Result<(), Failure>> {
    let (connections, found) = resolved(uri, settings);
    let (name, root) = (&found.connection, &found.root);
    let mut answers = Vec::new();
    for bytes in commits {
        answers.push(connections.probe_commit(name, &found.fingerprint, root, *bytes).await);
    }
    answers
}

fn resolved(uri: &str, settings: &[(String, String)]) -> (Connections, Resolved) {
    let wanted = TableRef { uri: uri.to_owned(), connection: None };
    let settings: BTreeMap<_, _> = settings.iter().cloned().collect();
    let connections = Connections::default().with_ad_hoc(&[(&wanted, Side::Target)], &settings);
    let connections = connections.expect("settings that can be used");
    let found = connections.resolve(&wanted, Side::Target).expect("a connection");
    (connections, found)
}

/// A local table as a source.
#[must_use]
pub fn source(folder: &Path) -> TableStore {
    let store = LocalFileSystem::new_with_prefix(folder).expect("an existing folder");
    let root = object_store::path::Path::default();
    let uri = format!("file://{}", folder.display());
    TableStore { store: std::sync::Arc::new(store), root, uri, large: None }
}

/// Gives each file that a commit of a local table adds a tag of `bytes` bytes, which the replica's
/// commit repeats.
pub fn tag(folder: &Path, version: u64, bytes: usize) {
    let file = folder.join(format!("_delta_log/{version:020}.json"));
    let commit = fs::read_to_string(&file).expect("a commit");
    let mut seed = version + 1;
    let mut lines = String::new();
    for line in commit.lines() {
        let mut action: Value = serde_json::from_str(line).expect("an action");
        if action.get("add").is_some() {
            action["add"]["tags"] = json!({"note": noise(bytes, &mut seed)});
        }
        lines.push_str(&format!("{action}\n"));
    }
    fs::write(&file, lines).expect("a new file");
}

/// Text that no checkpoint makes much shorter.
fn noise(bytes: usize, seed: &mut u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |_| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        char::from(LETTERS[(*seed >> 58) as usize])
    };
    (0..bytes).map(letter).collect()
}

/// What a sync of the newest version would do.
pub async fn plan(source: &TableStore, target: &TableStore) -> SyncPlan {
    let table = |table: &TableStore| TableRef { uri: table.uri.clone(), connection: None };
    let spec = CloneSpec {
        source: table(source),
        target: table(target),
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: BTreeMap::from([("delta.checkpointInterval".into(), "1".into())]),
        verification: Verification::default(),
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    };
    plan_sync(source, target, &spec, JobId(Uuid::new_v4())).await.expect("a plan")
}

/// The change of a sync that has something to do.
pub async fn change(source: &TableStore, target: &TableStore) -> Box<ChangeSet> {
    match plan(source, target).await {
        SyncPlan::Change(change) => change,
        other => panic!("nothing to do: {other:?}"),
    }
}

/// The `add`s of a commit, whole.
pub async fn adds(table: &TableStore, version: u64) -> BTreeSet<String> {
    let commit = log::read_commit(table, version).await.expect("a commit that can be read");
    let actions = commit.expect("a commit").actions;
    let adds = actions.iter().filter(|action| matches!(action, LogAction::Add(_)));
    adds.map(LogAction::to_json).collect()
}
