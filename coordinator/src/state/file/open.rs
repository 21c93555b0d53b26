//! Opens the file of a database that exists.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};

use super::super::StateError;

/// Opens a database to read it. It takes no lock: a coordinator may write meanwhile.
///
/// # Errors
/// There is no such file, or it cannot be opened.
pub async fn read_only(database: &Path) -> Result<SqliteConnection, StateError> {
    exists(database)?;
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    Ok(options.connect().await?)
}

/// Opens a database to change it. The caller holds its lock.
///
/// # Errors
/// There is no such file, or it cannot be opened.
pub(super) async fn to_change(database: &Path) -> Result<SqliteConnection, StateError> {
    exists(database)?;
    let options = SqliteConnectOptions::new()
        .filename(database)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    Ok(options.connect().await?)
}

/// Checks that there is a file: SQLite would make one, and a lock would be left beside it.
///
/// # Errors
/// There is none, or it cannot be looked at.
pub(super) fn exists(database: &Path) -> Result<(), StateError> {
    match std::fs::metadata(database) {
        Ok(_) => Ok(()),
        Err(source) => Err(StateError::File { path: database.display().to_string(), source }),
    }
}
