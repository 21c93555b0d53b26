//! Independent readers (DuckDB, Polars, delta-rs) and the comparison of two tables by them.
//!
//! A reader judges only what it can read: where it reads the source, it must read the same rows
//! of the replica; where it refuses the source, it says nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::Deserialize;
use serde_json::json;

use crate::lines::LineServer;

/// What one reader sees of a table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged)]
pub enum Seen {
    /// Its rows; the digest does not depend on their order.
    Rows {
        rows: u64,
        /// The sum of the hashes of the rows.
        digest: String,
        /// Names and types, in the order of the schema.
        columns: String,
    },
    /// It refuses the table or fails.
    Error {
        /// The beginning of what it says.
        error: String,
    },
    /// It is known to be wrong on such tables.
    CannotJudge { cannot_judge: String },
}

/// What every reader sees of a local table, at a version or at the newest.
pub fn read(location: &str, version: Option<u64>) -> BTreeMap<String, Seen> {
    let request = json!({"op": "read", "location": location, "version": version});
    let seen = ask(&request).unwrap_or_else(|error| panic!("reading {location}: {error}"));
    serde_json::from_value(seen).expect("the readers' answer has its shape")
}

/// Compares two local tables; gives the readers that judged them equal.
///
/// # Panics
/// When a reader that reads the source sees anything else in the replica.
#[track_caller]
pub fn assert_same_rows(source: &str, target: &str) -> Vec<String> {
    let replica = read(target, None);
    let mut judges = Vec::new();
    for (reader, seen) in read(source, None) {
        if let Seen::Rows { .. } = seen {
            let found = &replica[&reader];
            if *found != seen {
                let (expected, got) = (sample(&reader, source), sample(&reader, target));
                panic!(
                    "{reader} sees {seen:?} in {source}, {found:?} in {target}\n\
                     source: {expected}\nreplica: {got}"
                );
            }
            judges.push(reader);
        }
    }
    judges
}

/// The values that each reader shows and does not find by a predicate, because the statistics that
/// it skips files by are wrong.
///
/// # Panics
/// When a reader fails.
pub fn lost(location: &str) -> BTreeMap<String, Vec<String>> {
    let request = json!({"op": "lost", "location": location});
    let lost = ask(&request).unwrap_or_else(|error| panic!("looking up in {location}: {error}"));
    serde_json::from_value(lost).expect("the readers' answer has its shape")
}

/// A few rows as text, to look at.
fn sample(reader: &str, location: &str) -> String {
    let request = json!({"op": "rows", "reader": reader, "location": location, "limit": 5});
    ask(&request).map_or_else(|error| error, |rows| rows.to_string())
}

fn ask(request: &serde_json::Value) -> Result<serde_json::Value, String> {
    static SERVER: OnceLock<Mutex<LineServer>> = OnceLock::new();
    SERVER
        .get_or_init(|| Mutex::new(LineServer::start("readers.py")))
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .ask(request)
}
