//! Real writers of source tables: delta-rs by operation, Spark by statement.
//!
//! The operations and the common table are described in `tests/env/writers.py`.

use std::sync::{Mutex, OnceLock, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::lines::LineServer;
use crate::readers::Seen;

/// Runs one operation of delta-rs on a table; most give the new version.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn write(operation: &str, location: &str, arguments: Value) -> Value {
    let mut request = json!({"op": operation, "location": location});
    if let (Some(request), Value::Object(arguments)) = (request.as_object_mut(), arguments) {
        request.extend(arguments);
    }
    ask(&request).unwrap_or_else(|error| panic!("{operation} on {location}: {error}"))
}

/// Runs statements in Spark; gives the rows of the last one as text.
///
/// # Panics
/// When one fails.
#[track_caller]
pub fn spark(statements: &[&str]) -> Vec<Vec<String>> {
    answer(&json!({"op": "sql", "statements": statements}))
}

/// What Spark sees of a local table.
///
/// # Panics
/// When it cannot read it.
#[track_caller]
pub fn spark_read(location: &str, version: Option<u64>) -> Seen {
    answer(&json!({"op": "spark_read", "location": location, "version": version}))
}

#[track_caller]
fn answer<T: DeserializeOwned>(request: &Value) -> T {
    let found = ask(request).unwrap_or_else(|error| panic!("{request}: {error}"));
    serde_json::from_value(found).expect("the writers' answer has its shape")
}

fn ask(request: &Value) -> Result<Value, String> {
    static SERVER: OnceLock<Mutex<LineServer>> = OnceLock::new();
    SERVER
        .get_or_init(|| Mutex::new(LineServer::start("writers.py")))
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .ask(request)
}
