//! The Delta log as data: reading a table, planning what a replica lacks, and publishing it.
//!
//! A Delta table is a folder of data files and a log, `_delta_log`, whose commits add and remove
//! files. This crate reads logs without loss (fields that it does not know survive), compares a
//! source with its replica, and makes a sync visible by one conditional write. It copies no data:
//! workers copy the objects that a plan lists. The protocol is described in
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>.
//!
//! Words:
//!
//! * *source*, *target*, *replica*: the table copied from, where to, and the table kept there
//! * *action*: one line of a commit, such as `add`, `remove` or `metaData`
//! * *logical file*: what an `add` names: a data object, and perhaps a deletion vector
//! * *live*: added, and not removed since
//! * *change set*: everything that one commit of ours changes, and the objects to copy for it
//! * *lineage*: the source's table id at the replica's first sync
//!
//! # One sync
//!
//! ```
//! use std::sync::Arc;
//!
//! use deepclone_common::store::table::TableStore;
//! use deepclone_core::ids::JobId;
//! use deepclone_core::job_limits::JobLimits;
//! use deepclone_core::spec::{
//!     CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef,
//! };
//! use deepclone_delta::snapshot;
//! use deepclone_delta::sync::{self, Planned, PublishResult, Within};
//! use object_store::memory::InMemory;
//! use object_store::path::Path;
//! use object_store::{ObjectStore, ObjectStoreExt};
//!
//! const COMMIT: &str = concat!(
//!     r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
//!     r#"{"metaData":{"id":"a","format":{"provider":"parquet","options":{}},"#,
//!     r#""schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"#,
//!     r#""configuration":{}}}"#,
//!     r#"{"add":{"path":"x.parquet","partitionValues":{},"size":4,"modificationTime":1,"#,
//!     r#""dataChange":true}}"#,
//! );
//!
//! fn table(store: InMemory, uri: &str) -> TableStore {
//!     let store: Arc<dyn ObjectStore> = Arc::new(store);
//!     TableStore { store, root: Path::default(), uri: uri.to_owned(), large: None }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let store = InMemory::new();
//!     store.put(&Path::from("x.parquet"), "rows".into()).await?;
//!     store.put(&Path::from("_delta_log/00000000000000000000.json"), COMMIT.into()).await?;
//!     let (source, target) = (table(store, "memory:///s"), table(InMemory::new(), "memory:///t"));
//!     let named = |table: &TableStore| TableRef { uri: table.uri.clone(), connection: None };
//!     let spec = CloneSpec {
//!         source: named(&source),
//!         target: named(&target),
//!         mode: Mode::Clone,
//!         source_point: SourcePoint::Newest,
//!         partition_filter: None,
//!         properties: Default::default(),
//!         verification: Default::default(),
//!         divergence_policy: DivergencePolicy::Fail,
//!         allowed_features: Vec::new(),
//!         source_replaced_policy: SourceReplacedPolicy::Fail,
//!         repair: Default::default(),
//!         limits: JobLimits::default(),
//!     };
//!
//!     let planned = {
//!         let (within, job) = (Within::default(), JobId(uuid::Uuid::nil()));
//!         sync::plan(&source, &target, &within, &spec, job).await?
//!     };
//!     let Planned::Work(work) = planned else { unreachable!("the target is empty") };
//!     for object in work.objects().iter() {
//!         let bytes = source.store.get(&Path::parse(object.source_path())?).await?.bytes().await?;
//!         target.store.put(&Path::parse(object.target_path)?, bytes.into()).await?;
//!     }
//!     let result = sync::publish(&target, &work, 1_700_000_000_000).await?;
//!     assert_eq!(result.version(), Some(0));
//!
//!     let replica = snapshot::read(&target, &SourcePoint::Newest).await?;
//!     assert_eq!(replica.files.len(), 1);
//!     Ok(())
//! }
//! ```
//!
//! # Modules
//!
//! Each module uses only those above it.
//!
//! * [`error`]: why a table cannot be read or published
//! * `spool`: a file for what is too much to be kept in memory
//! * [`io`]: requests to a table's store
//! * [`actions`]: the actions of a log, parsed and written without loss
//! * [`paths`], [`dv`], [`file_key`]: paths and deletion vectors of the log as keys of the store,
//!   and what identifies a logical file
//! * `schema`, `properties`, `row_ids`: the schema's JSON, the table properties and the mark of row
//!   ids, parsed
//! * [`protocol`]: table features: supported, activated, carried or refused
//! * [`log`]: the log's files, and which of them give a version
//! * [`enclosing`]: refusing a target inside another table
//! * [`snapshot`]: the state of a table at one version
//! * [`predicate`]: which partitions of it are wanted
//! * `replica`: what a target's log records about our syncs
//! * `names`: the names of the source's objects at the replica
//! * [`copy_objects`], `commit_adds`, `change_set`: the objects to copy, the `add`s of a commit and
//!   a change set, as values
//! * [`publish`]: making a change set visible
//! * [`changes`]: planning a change set
//! * [`sync`]: one sync in any mode, over the last two
//! * [`ledger`]: the digests of everything that was copied, beside the replica
//! * [`history`], [`stamp`]: the syncs that a replica's log records, and whose it is
//! * [`presence`]: whether a replica and its source are what they were
//! * [`validate`]: the strict validator, a test tool
//! * [`vacuum`]: deleting what no reader within the retention needs
//! * [`deletion`]: whether what a source deleted is gone from a replica
//! * [`verify`]: whether the replica is what its last sync recorded, with the view of delta-rs
//!   (`second_opinion`)

pub mod actions;
mod change_set;
pub mod changes;
mod commit_adds;
pub mod copy_objects;
pub mod deletion;
pub mod describe;
pub mod dv;
pub mod enclosing;
pub mod error;
pub mod file_key;
mod hash;
pub mod history;
pub mod io;
pub mod ledger;
pub mod log;
mod names;
pub mod paths;
pub mod predicate;
pub mod presence;
mod properties;
pub mod protocol;
pub mod publish;
mod replica;
mod room;
mod row_ids;
mod schema;
mod second_opinion;
pub mod snapshot;
pub mod spool;
pub mod stamp;
pub mod sync;
pub mod vacuum;
pub mod validate;
pub mod verify;
