//! What the end-to-end tests share: stores, processes, readers, writers and a proxy that breaks.
//!
//! * `environment` – where the two clouds, Azurite and the tools are
//! * `process`     – our binaries and the command line as real processes
//! * `lines`       – a client of the JSON-line servers in `tests/env/`
//! * `readers`     – independent readers, and the comparison of two tables by them
//! * `lineage`     – events of lineage, judged by OpenLineage's schemas and client
//! * `collector`   – a collector of traces
//! * `receiver`    – an HTTP server that keeps what it is sent
//! * `writers`     – real writers of source tables
//! * `by_parts`    – syncs within this process whose commits go by parts
//! * `listing`     – what lies in a folder or a store, to the byte
//! * `proxy`       – counts, delays and breaks what passes to a store
//! * `stub_store`  – a strict store of our own that lies and fails on order
//!
//! A harness that fails is a failed test: it panics and says what to do.

#![expect(clippy::expect_used, clippy::panic, reason = "a harness that fails is a failed test")]

pub mod by_parts;
pub mod collector;
pub mod environment;
pub mod lineage;
pub mod lines;
pub mod listing;
pub mod process;
pub mod proxy;
pub mod readers;
pub mod receiver;
pub mod stub_store;
pub mod writers;
