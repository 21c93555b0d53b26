//! Two tables in memory, logs written by hand, and one sync as the coordinator makes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef, Verification,
};
use deepclone_delta::actions::{Add, LogAction, Remove};
use deepclone_delta::changes::{ChangeSet, SyncPlan, Within, plan_sync_within};
use deepclone_delta::error::DeltaError;
use deepclone_delta::log::{self, Commit};
use deepclone_delta::publish::{Committed, PublishResult, finish, publish};
use deepclone_delta::snapshot::{self, Snapshot};
use deepclone_delta::validate::validate_table;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};
use uuid::Uuid;

/// Well after every in-memory file's own time, so that in-commit timestamps never need lifting.
pub(crate) const NOW_MS: i64 = 4_000_000_000_000;

pub(crate) const SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":["#,
    r#"{"name":"id","type":"long","nullable":true,"metadata":{}},"#,
    r#"{"name":"p","type":"string","nullable":true,"metadata":{}}]}"#
);

/// A table and the next version of its hand-written log.
pub(crate) struct Table {
    pub(crate) store: TableStore,
    next: u64,
}

impl Table {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(Arc::new(InMemory::new()), name)
    }

    pub(crate) fn on(store: Arc<dyn ObjectStore>, name: &str) -> Self {
        let root = Path::parse(name).unwrap();
        Self {
            store: TableStore { store, root, uri: format!("s3://{name}/{name}"), large: None },
            next: 0,
        }
    }

    /// Writes the next commit and the objects of its `add`s, as another engine does.
    pub(crate) async fn commit(&mut self, actions: &[Value]) -> u64 {
        let version = log::head(&self.store).await.unwrap().map_or(self.next, |head| head + 1);
        self.next = version + 1;
        for action in actions {
            if let Some(add) = action.get("add") {
                let size = add["size"].as_u64().unwrap();
                self.object(&decoded(add["path"].as_str().unwrap()), size).await;
                self.vector(add).await;
            }
        }
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        self.put(&format!("_delta_log/{version:020}.json"), lines.join("\n").into_bytes()).await;
        version
    }

    /// Writes the commit `version` as it stands, over what is there.
    pub(crate) async fn raw_commit(&self, version: u64, text: &str) {
        self.put(&format!("_delta_log/{version:020}.json"), text.into()).await;
    }

    /// Writes a checkpoint of `version` whose rows are these actions; returns its name.
    pub(crate) async fn checkpoint(&self, version: u64, actions: &[Value]) -> String {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        let id = "80a083e8-7026-4e79-81be-64bd76c43a11";
        let name = format!("_delta_log/{version:020}.checkpoint.{id}.json");
        self.put(&name, lines.join("\n").into_bytes()).await;
        name
    }

    async fn vector(&self, add: &Value) {
        let Some(vector) = add.get("deletionVector").filter(|v| v["storageType"] == "u") else {
            return;
        };
        // Every vector of these tests lies in one object of 100 bytes.
        let add: Add = parse_add(add);
        let path = deepclone_delta::dv::object_path(&self.store.uri, &add.deletion_vector.unwrap());
        assert_eq!(vector["sizeInBytes"], 30);
        self.object(&path.unwrap().unwrap(), 100).await;
    }

    /// An object whose bytes tell its name.
    pub(crate) async fn object(&self, key: &str, size: u64) {
        let bytes = key.bytes().cycle().take(usize::try_from(size).unwrap()).collect();
        self.put(key, bytes).await;
    }

    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.store.store.put(&self.path(key), bytes.into()).await.unwrap();
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.store.store.delete(&self.path(key)).await.unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let found = self.store.store.get(&self.path(key)).await.ok()?;
        Some(found.bytes().await.unwrap().to_vec())
    }

    pub(crate) fn path(&self, key: &str) -> Path {
        Path::parse(format!("{}/{key}", self.store.root)).unwrap()
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        snapshot::read(&self.store, &SourcePoint::Newest).await.unwrap()
    }

    pub(crate) async fn read(&self, version: u64) -> Commit {
        log::read_commit(&self.store, version).await.unwrap().unwrap()
    }

    pub(crate) async fn head(&self) -> u64 {
        log::head(&self.store).await.unwrap().unwrap()
    }
}

fn parse_add(add: &Value) -> Add {
    match LogAction::from_json(&json!({ "add": add }).to_string()).unwrap() {
        LogAction::Add(add) => add,
        _ => unreachable!(),
    }
}

fn decoded(path: &str) -> String {
    deepclone_delta::paths::decode("s3://source/source", path).unwrap().key
}

/// What a sync of these tests did.
#[derive(Debug)]
pub(crate) enum Did {
    UpToDate,
    Published { version: u64, objects: Vec<String>, change_set: Box<ChangeSet> },
}

impl Did {
    /// The objects that were copied.
    pub(crate) fn objects(&self) -> Vec<&str> {
        match self {
            Self::UpToDate => Vec::new(),
            Self::Published { objects, .. } => objects.iter().map(String::as_str).collect(),
        }
    }
}

/// What a sync would do, or why it is refused.
pub(crate) async fn plan(
    source: &Table,
    target: &Table,
    spec: &CloneSpec,
) -> Result<SyncPlan, Failure> {
    let plan = plan_both_ways(source, target, spec, JobId(Uuid::new_v4())).await;
    plan.map_err(|error| error.failure())
}

/// What a sync would do, planned in one way only, for its requests.
pub(crate) async fn plan_once(
    source: &Table,
    target: &Table,
    spec: &CloneSpec,
) -> Result<SyncPlan, Failure> {
    let (within, job) = (Within::default(), JobId(Uuid::new_v4()));
    let plan = plan_sync_within(&source.store, &target.store, spec, job, &within).await;
    plan.map_err(|error| error.failure())
}

/// Plans by what is newer and from both whole tables: the results must be equal.
pub(crate) async fn plan_both_ways(
    source: &Table,
    target: &Table,
    spec: &CloneSpec,
    job: JobId,
) -> Result<SyncPlan, DeltaError> {
    let within = Within { reads_whole: true, ..Within::default() };
    let whole = plan_sync_within(&source.store, &target.store, spec, job, &within).await;
    let within = Within::default();
    let newer = plan_sync_within(&source.store, &target.store, spec, job, &within).await;
    assert_eq!(shown(&newer), shown(&whole));
    newer
}

/// Everything about a plan that the replica or its user sees, but for notices about commits that
/// only one of the ways reads, and for transactions that only a checkpoint of the replica forgot.
fn shown(plan: &Result<SyncPlan, DeltaError>) -> String {
    const FORMAT: &str = r#"{"provider":"parquet","options":{}}"#;
    const LEFT_OUT: [&str; 4] = ["notices:", "source_table:", "head_table:", "source_commit:"];
    // A format that a checkpoint of the replica holds has its keys in another order.
    let text = format!("{plan:#?}");
    let text = text.replace(r#"{"options":{},"provider":"parquet"}"#, FORMAT);
    // The fields of the change set stand three levels deep.
    let mut is_left_out = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        let field = line.strip_prefix("            ").filter(|rest| !rest.starts_with(' '));
        match field {
            Some(name) if name.starts_with(|first: char| first.is_alphabetic()) => {
                is_left_out = LEFT_OUT.iter().any(|left_out| name.starts_with(left_out));
            }
            // The end of a field of several lines.
            Some(_) => {}
            None if line.len() < 12 => is_left_out = false,
            None => {}
        }
        if !is_left_out {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// One sync: plan, copy, publish, finish; then the replica is judged.
pub(crate) async fn sync(source: &Table, target: &Table, spec: &CloneSpec) -> Result<Did, Reason> {
    let job = JobId(Uuid::new_v4());
    let plan = plan_both_ways(source, target, spec, job).await;
    let plan = plan.map_err(|error| error.failure().reason)?;
    let change_set = match plan {
        SyncPlan::UpToDate(_) => return Ok(Did::UpToDate),
        SyncPlan::Published(found) => panic!("a new sync was published already: {found:?}"),
        SyncPlan::Change(change_set) => change_set,
    };
    copy(source, target, &change_set).await;
    let result = publish(&target.store, &change_set, tick()).await;
    let committed = match result.map_err(|error| error.failure().reason)? {
        PublishResult::Published(committed) => committed,
        PublishResult::Rebase => panic!("nobody else was there"),
    };
    let version = committed.record.version;
    assert_eq!(*committed, Committed::read(&target.store, version).await.unwrap());
    finish(&target.store, &committed, Some(&change_set)).await.unwrap();
    let objects = change_set.objects.iter().map(|object| object.target_path.to_owned()).collect();
    assert_valid(target).await;
    Ok(Did::Published { version, objects, change_set })
}

/// What an operator is told by a sync that published.
pub(crate) fn notices(did: &Did) -> &[String] {
    match did {
        Did::UpToDate => &[],
        Did::Published { change_set, .. } => &change_set.notices,
    }
}

/// Exactly one notice holds `piece`.
#[track_caller]
pub(crate) fn assert_notice(did: &Did, piece: &str) {
    let found = notices(did).iter().filter(|notice| notice.contains(piece)).count();
    assert_eq!(found, 1, "{piece}: {:?}", notices(did));
}

/// A sync that must fail: nothing is written.
pub(crate) async fn failure(source: &Table, target: &Table, spec: &CloneSpec) -> Failure {
    let job = JobId(Uuid::new_v4());
    plan_both_ways(source, target, spec, job).await.unwrap_err().failure()
}

/// Copies what the plan lists, as workers do: never over another object.
pub(crate) async fn copy(source: &Table, target: &Table, change_set: &ChangeSet) {
    for object in change_set.objects.iter() {
        let bytes = source.get(object.source_path()).await.expect("an object of the source");
        match object.size_is_minimum {
            true => assert!(bytes.len() as u64 >= object.size, "{object:?}"),
            false => assert_eq!(bytes.len() as u64, object.size, "{object:?}"),
        }
        if let Some(there) = target.get(object.target_path).await {
            assert_eq!(there, bytes, "{object:?}");
        }
        target.put(object.target_path, bytes).await;
    }
}

/// The strict validator finds nothing.
pub(crate) async fn assert_valid(target: &Table) {
    let violations = validate_table(&target.store).await.unwrap();
    assert_eq!(violations, Vec::<String>::new());
}

/// A sync that must publish, after which the replica has the source's files and metadata.
pub(crate) async fn sync_equal(source: &Table, target: &Table, spec: &CloneSpec) -> Did {
    let did = sync(source, target, spec).await.unwrap();
    assert!(matches!(did, Did::Published { .. }), "{did:?}");
    assert_equal(source, target).await;
    did
}

pub(crate) async fn assert_equal(source: &Table, target: &Table) {
    let (source, target) = (source.snapshot().await, target.snapshot().await);
    assert_eq!(files(&target), files(&source));
    assert_eq!(target.metadata.schema_string, source.metadata.schema_string);
    assert_eq!(target.metadata.partition_columns, source.metadata.partition_columns);
}

/// The names of the live files, without folder and ending.
pub(crate) async fn live(table: &Table) -> Vec<String> {
    let files = table.snapshot().await.files;
    files.keys().map(|key| key.path.split(['/', '.']).nth(1).unwrap().to_owned()).collect()
}

/// Every live file with all its fields, `dataChange` aside.
pub(crate) fn files(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let shown = |add: &Add| LogAction::Add(Add { data_change: true, ..add.clone() }).to_json();
    snapshot.files.iter().map(|(key, add)| (format!("{key:?}"), shown(add))).collect()
}

/// Returns a time that grows by a second with each call.
pub(crate) fn tick() -> i64 {
    static CLOCK: AtomicI64 = AtomicI64::new(NOW_MS);
    CLOCK.fetch_add(1000, Ordering::Relaxed)
}

pub(crate) fn spec() -> CloneSpec {
    let table = |uri: &str| TableRef { uri: uri.to_owned(), connection: None };
    CloneSpec {
        source: table("s3://source/source"),
        target: table("s3://target/target"),
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: BTreeMap::new(),
        verification: Verification::default(),
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    }
}

pub(crate) fn overwrite() -> CloneSpec {
    CloneSpec { divergence_policy: DivergencePolicy::Overwrite, ..spec() }
}

/// The adds and removes of a commit, by path.
pub(crate) fn file_actions(commit: &Commit) -> (Vec<Add>, Vec<Remove>) {
    let (mut adds, mut removes) = (Vec::new(), Vec::new());
    for action in &commit.actions {
        match action {
            LogAction::Add(add) => adds.push(add.clone()),
            LogAction::Remove(remove) => removes.push(remove.clone()),
            _ => {}
        }
    }
    (adds, removes)
}

/// The names of a commit's actions, each once.
pub(crate) fn action_names(commit: &Commit) -> BTreeSet<String> {
    commit.actions.iter().map(|action| action.name().to_owned()).collect()
}

pub(crate) fn protocol(reader: u32, writer: u32) -> Value {
    json!({"protocol": {"minReaderVersion": reader, "minWriterVersion": writer}})
}

pub(crate) fn features(reader: &[&str], writer: &[&str]) -> Value {
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": reader, "writerFeatures": writer}})
}

pub(crate) fn metadata(id: &str, configuration: Value) -> Value {
    json!({"metaData": {"id": id, "format": {"provider": "parquet", "options": {}},
        "schemaString": SCHEMA, "partitionColumns": ["p"], "configuration": configuration,
        "createdTime": 1, "name": "n", "description": "d"}})
}

pub(crate) fn info(operation: &str) -> Value {
    json!({"commitInfo": {"timestamp": 5, "operation": operation}})
}

pub(crate) fn add(name: &str) -> Value {
    add_with(name, json!({}))
}

/// An `add` in the partition `p=<first letter>`, with more fields.
pub(crate) fn add_with(name: &str, more: Value) -> Value {
    let partition = &name[..1];
    let mut fields = json!({"path": format!("p={partition}/{name}.parquet"),
        "partitionValues": {"p": partition}, "size": 10 + name.len(), "modificationTime": 7,
        "dataChange": true, "stats": "{\"numRecords\":3,\"maxValues\":{\"id\":9007199254740993}}"});
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    json!({"add": fields})
}

pub(crate) fn remove(name: &str) -> Value {
    remove_with(name, json!({}))
}

pub(crate) fn remove_with(name: &str, more: Value) -> Value {
    let mut fields = json!({"path": format!("p={}/{name}.parquet", &name[..1]),
        "deletionTimestamp": 9, "dataChange": true});
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    json!({"remove": fields})
}

/// A deletion vector at `offset` of the one object that these tests use.
pub(crate) fn vector(offset: i32) -> Value {
    json!({"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": offset,
        "sizeInBytes": 30, "cardinality": 2})
}

/// The object of [`vector`].
pub(crate) const VECTOR_OBJECT: &str =
    "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";

/// A source with two files.
pub(crate) async fn small_source() -> Table {
    let mut source = Table::new("source");
    source.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("a1"), add("b1")]).await;
    source
}
