//! End to end: real processes, real stores, real readers and writers.
//!
//! * `place`      – where a table lies, and how each process is told
//! * `sync`       – one clone, embedded or through a coordinator and workers
//! * `table`      – tables made by hand, and what a table's log says is live
//! * `replica`    – what must hold of every replica
//! * `routes`     – every way from store to store
//! * `secure`     – TLS, tokens and certificates between our processes
//! * `reloads`    – configuration files that are read again
//! * `secrets`    – planted secrets, which are seen nowhere
//! * `shared`     – a large object that several workers copy
//! * `by_store`   – one store on both sides, which copies by itself
//! * `incremental`– real writers change the source between syncs
//! * `requests`   – what a sync asks of the stores, to the request
//! * `chaos`      – workers and coordinators killed in mid-copy, stores that fail
//! * `publishing` – coordinators killed and cancelled while they publish
//! * `commits`    – commits that go by parts, and two writers of one version
//! * `objects`    – objects of all names and lengths, and ones that are not what is said of them
//! * `leftovers`  – what killed processes leave at a store
//! * `doctor`     – checkups of real stores
//! * `odd_protocols` – protocols and properties as real writers leave them
//! * `race`       – two clones to one target
//! * `bad_input`  – refusals: one line, the right exit code, nothing written
//! * `statistics` – bounds by which readers skip files
//! * `limits`     – what copies may take, changed while they run
//! * `retention`  – vacuums of replicas, and what is told of a deletion
//! * `upkeep`     – histories and vacuums by a coordinator
//! * `replications` – tables that are kept on a schedule
//! * `workers`    – workers that do not fit, commands that are interrupted, what logs tell
//! * `golden`     – real tables of many writers
//! * `examples`   – the clients of `examples/`
//! * `repairs`    – damage that is found, mended and gone
//! * `operations` – backups, a database that is stuck, processes that are stopped
//! * `lineage`    – events of lineage of kept replicas and of the command line
//! * `alerts`     – webhooks that are told of a failure and of its end
//! * `traces`     – traces of syncs, and collectors that are away
//! * `v2_checkpoints` – checkpoints with sidecars, read by all once the commits are gone
//! * `guide`      – the files and commands of the guide to a kept replica

#![expect(clippy::expect_used, clippy::panic, reason = "a test that fails, fails")]

mod alerts;
mod audits;
mod bad_input;
mod by_store;
mod chaos;
mod commits;
mod doctor;
mod examples;
mod golden;
mod guide;
mod incremental;
mod leftovers;
mod limits;
mod lineage;
mod objects;
mod odd_protocols;
mod operations;
mod place;
mod proofs;
mod publishing;
mod race;
mod reloads;
mod repairs;
mod replica;
mod replications;
mod requests;
mod retention;
mod routes;
mod secrets;
mod secure;
mod shared;
mod statistics;
mod sync;
mod table;
mod traces;
mod upkeep;
mod v2_checkpoints;
mod workers;
