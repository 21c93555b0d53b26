//! Events of lineage, judged by OpenLineage's own JSON schemas and its Python client.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::environment::{environment, scripts};
use crate::process::run;

/// Judges a file of JSON lines, and gives what the client read of each.
///
/// # Panics
/// At the first event that breaks a schema, or that the client reads as another one.
#[track_caller]
pub fn judged(file: &Path) -> Vec<Value> {
    let mut command = Command::new(&environment().tools.lineage_python);
    command.arg(scripts().join("lineage_events.py")).arg(file);
    let (code, read, mistake) = run(&mut command);
    assert_eq!(code, 0, "{mistake}");
    read.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}
